"""Says of a captured request whether the bank would accept its seal, because the bank itself only says no."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from proxy.cli.failures import FAILED, OK, REFUSED, report
from proxy.cli.output import bad, dim, good, printable, read_input, show, show_json
from proxy.errors import KeyUnusable, Refused

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from proxy.cli.verification import Captured, Verdict

EPILOG = """\b
Examples:
  signing-proxy verify --certificate-file qsealc.pem < request.http
  signing-proxy verify --certificate-file qsealc.pem --message-file request.http --json
  signing-proxy verify --public-key-file key.pub --method POST --target /personal/v4/payments \\
      --header 'Signature: keyId="…"' --header 'Digest: SHA-256=…' --body-file payment.json

\b
The message is a raw HTTP request: request line, headers, an empty line, body.
Exit codes: 0 valid, 1 invalid, 2 the message or the key cannot be read.
"""


@click.command(epilog=EPILOG)
@click.option("--certificate-file", metavar="FILE", help="The certificate the bank holds.")
@click.option("--key-file", metavar="FILE", help="The private key; only its public half is used.")
@click.option("--public-key-file", metavar="FILE", help="The public key, PEM or DER.")
@click.option("--key-password-file", metavar="FILE", help="File with the password of --key-file.")
@click.option("--allow-group-read", is_flag=True, help="Accept a key file that its group may read.")
@click.option("--message-file", metavar="FILE", help="The captured request; by default standard input.")
@click.option("--method", help="Give the request in parts: its method.")
@click.option("--target", help="Its path and query, or its URL.")
@click.option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="One of its headers; repeatable.")
@click.option("--body-file", metavar="FILE", help="Its body ('-': standard input).")
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
def verify(certificate_file: str | None, key_file: str | None, public_key_file: str | None,
           key_password_file: str | None, allow_group_read: bool, message_file: str | None, method: str | None,
           target: str | None, headers: tuple[str, ...], body_file: str | None, as_json: bool) -> int:
    """Judge a captured request, and explain the first difference."""
    if sum(file is not None for file in (certificate_file, key_file, public_key_file)) != 1:
        raise click.UsageError("Give one of --certificate-file, --key-file and --public-key-file.")
    try:
        key, notes = _key(certificate_file, key_file, public_key_file, key_password_file, allow_group_read)
    except KeyUnusable as error:
        report(error)
        return REFUSED
    from proxy.cli.verification import judge

    message = _message(message_file, method, target, headers, body_file)
    verdict = judge(message, key)
    (_as_json if as_json else _as_text)(verdict, (*verdict.notes, *notes))
    return OK if verdict.valid else FAILED


def _key(certificate_file: str | None, key_file: str | None, public_key_file: str | None,
         password_file: str | None, allow_group_read: bool) -> tuple[RSAPublicKey, tuple[str, ...]]:
    from proxy.cli import material

    if certificate_file is not None:
        key, encoded = material.from_certificate_file(certificate_file)
        return key, _about_dates(encoded)
    if key_file is not None:
        return material.from_key_file(key_file, material.password(password_file),
                                      allow_group_read=allow_group_read), ()
    assert public_key_file is not None
    return material.from_public_key_file(public_key_file), ()


def _about_dates(encoded: bytes) -> tuple[str, ...]:
    from datetime import UTC, datetime

    from proxy.keys.certificate import read_facts

    facts = read_facts(encoded)
    if facts.not_before <= datetime.now(UTC) < facts.not_after:
        return ()
    return (f"the certificate is valid from {facts.not_before:%Y-%m-%d} to {facts.not_after:%Y-%m-%d} only, so the "
            "bank would refuse it today",)


def _message(file: str | None, method: str | None, target: str | None, headers: tuple[str, ...],
             body_file: str | None) -> Captured:
    from proxy.cli.verification import Unreadable, assemble, parse

    in_parts = method is not None or target is not None or headers or body_file is not None
    if in_parts and (file is not None or method is None or target is None):
        raise click.UsageError("Give either --message-file, or --method and --target with --header and --body-file.")
    try:
        if method is None or target is None:
            return parse(read_input(file or "-", "message"))
        body = read_input(body_file, "body") if body_file is not None else b""
        head = "".join(f"{line}\r\n" for line in (f"{method} {target} HTTP/1.1", *headers))
        parts = parse(head.encode("utf-8", "surrogateescape") + b"\r\n")
        return assemble(parts.method, parts.target, parts.fields, body, parts.notes)
    except Unreadable as error:
        raise Refused("malformed_request", str(error)) from None


def _as_json(verdict: Verdict, notes: tuple[str, ...]) -> None:
    show_json({
        "verdict": "valid" if verdict.valid else "invalid",
        "cause": verdict.findings[0].cause if verdict.findings else None,
        "findings": [{"cause": finding.cause, "explanation": finding.sentence, "advice": finding.advice,
                      "found": finding.signed or None, "expected": finding.expected or None}
                     for finding in verdict.findings],
        "signing_string": verdict.signing_string,
        "key_spki_sha256": verdict.key,
        "notes": list(notes),
    })


def _as_text(verdict: Verdict, notes: tuple[str, ...]) -> None:
    if verdict.valid:
        show(good("valid"))
    for index, finding in enumerate(verdict.findings):
        show(bad(f"invalid: {finding.cause}") if index == 0 else f"also: {finding.cause}")
        show(f"  {printable(finding.sentence)}")
        if finding.signed or finding.expected:
            show(f"  found:    {printable(finding.signed)}")
            show(f"  expected: {printable(finding.expected)}")
        show(f"  {finding.advice}")
    for note in notes:
        show(f"note: {note}")
    show(dim("signing string, as derived from the message:"))
    for line in verdict.signing_string.split("\n"):
        show(f"  {printable(line)}")
    show(dim(f"key: {verdict.key}"))

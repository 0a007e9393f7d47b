"""Says of a captured request whether the bank would accept its seal, because the bank itself only says no."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from proxy.cli.failures import FAILED, OK, REFUSED, report
from proxy.cli.output import bad, dim, good, printable, show, show_json
from proxy.cli.settings import config_file as config_file_option
from proxy.errors import KeyUnusable

if TYPE_CHECKING:
    from proxy.cli.veil import Veil
    from proxy.cli.verification import Verdict

EPILOG = """\b
Examples:
  signing-proxy verify --certificate-file qsealc.pem < request.http
  signing-proxy verify --public-key-file key.pub --method POST --target /personal/v4/payments \\
      --header 'Signature: keyId="…"' --header 'Digest: SHA-256=…' --body-file payment.json

\b
What is wrong with a script of your own, from whatever you can paste or save:
  signing-proxy verify --explain --certificate qsealc.pem failing-curl.txt
  signing-proxy verify --explain --certificate qsealc.pem --key qseal.key network.har
  signing-proxy verify --explain --config-file proxy.yaml postman-console.txt
  pbpaste | signing-proxy verify --explain --certificate qsealc.pem        (macOS; xclip -o, Get-Clipboard)
  signing-proxy verify --explain sandbox-curl.txt                          (the sandbox's key is known)

\b
The message is a curl command (sh, cmd.exe or PowerShell; also Postman's "Generate code"), a raw HTTP request or the
output of curl -v, a HAR file or one entry of it, or Postman's console, raw or not.  Nothing is sent anywhere, and
secrets in it are not printed.
Exit codes: 0 valid, 1 invalid, 2 the message or the key cannot be read.
"""


@click.command(epilog=EPILOG)
@click.argument("file", required=False)
@click.option("--explain", is_flag=True, help="Find the mistake: both signing strings, what was tried, what to do.")
@click.option("--format", "kind", type=click.Choice(["auto", "curl", "http", "har", "postman"]), default="auto",
              show_default=True, help="What FILE or standard input holds.")
@click.option("--entry", type=click.IntRange(1), metavar="N", help="The N-th request in it; else the first that fails.")
@click.option("--certificate-file", "--certificate", "certificate_file", metavar="FILE",
              help="The certificate the bank holds.")
@click.option("--key-file", "--key", "key_file", metavar="FILE", help="The private key; only its public half is used.")
@click.option("--public-key-file", "--public-key", "public_key_file", metavar="FILE",
              help="The public key, PEM or DER.")
@click.option("--key-password-file", metavar="FILE", help="File with the password of key or PKCS#12.")
@click.option("--allow-group-read", is_flag=True, help="Accept a key file that its group may read.")
@config_file_option
@click.option("--application", metavar="NAME", help="With --explain: key of this application; by default of all.")
@click.option("--message-file", metavar="FILE", help="The same as FILE.")
@click.option("--method", help="Give the request in parts: its method.")
@click.option("--target", help="Its path and query, or its URL.")
@click.option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="One of its headers; repeatable.")
@click.option("--body-file", metavar="FILE", help="Its body ('-': standard input), if it is not in FILE.")
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
def verify(explain: bool, as_json: bool, **given: Any) -> int:
    """Judge a captured request; with --explain, find the mistake in it."""
    from proxy.cli.verify_inputs import chosen, requests
    from proxy.cli.verify_keys import one_key, shown_keys

    try:
        if explain:
            from proxy.cli.verify_explained import explained
            return explained(shown_keys(given), requests(given), given["entry"], as_json=as_json)
        key, notes = one_key(given)
    except KeyUnusable as error:
        report(error)
        return REFUSED
    from proxy.cli.veil import Veil
    from proxy.cli.verification import judge

    for one in chosen(requests(given), given["entry"]):
        verdict = judge(one.message, key)
        if not verdict.valid:
            break
    veil, notes = Veil(one.message), (*verdict.notes, *notes)
    if as_json:
        show_json(veil.over(facts(verdict, notes)))
    else:
        _as_text(verdict, notes, veil)
    return OK if verdict.valid else FAILED


def facts(verdict: Verdict, notes: tuple[str, ...]) -> dict[str, object]:
    """For programs; text is Latin-1, one character per byte."""
    return {
        "verdict": "valid" if verdict.valid else "invalid",
        "cause": verdict.findings[0].cause if verdict.findings else None,
        "findings": [{"cause": finding.cause, "explanation": finding.sentence, "advice": finding.advice,
                      "found": finding.signed or None, "expected": finding.expected or None}
                     for finding in verdict.findings],
        "signing_string": verdict.signing_string,
        "key_spki_sha256": verdict.key or None,
        "notes": list(notes),
    }


def _as_text(verdict: Verdict, notes: tuple[str, ...], veil: Veil) -> None:
    if verdict.valid:
        show(good("valid"))
    for index, finding in enumerate(verdict.findings):
        show(bad(f"invalid: {finding.cause}") if index == 0 else f"also: {finding.cause}")
        show(f"  {printable(veil.over_text(finding.sentence))}")
        if finding.signed or finding.expected:
            show(f"  found:    {printable(veil.over_text(finding.signed))}")
            show(f"  expected: {printable(veil.over_text(finding.expected))}")
        show(f"  {finding.advice}")
    for note in notes:
        show(f"note: {note}")
    show(dim("signing string, as derived from the message:"))
    for line in veil.over_text(verdict.signing_string).split("\n"):
        show(f"  {printable(line)}")
    show(dim(f"key: {verdict.key}"))

"""Says why the bank refused a call, from what was saved or pasted of it, as a running proxy does by itself."""

from __future__ import annotations

import json
import re
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from proxy.cli.failures import FAILED, OK, REFUSED, report
from proxy.cli.output import bad, dim, printable, read_input, show, show_json
from proxy.cli.settings import config_file as config_file_option
from proxy.errors import KeyUnusable, Refused

if TYPE_CHECKING:
    from proxy.cli.refusal.answers import Answered
    from proxy.cli.refusal.cases import Keys
    from proxy.cli.verification import Captured

_INTERIM = re.compile(rb"(?m)^HTTP/[0-9.]+ 1[0-9]{2}\b[^\n]*\n(?:(?!HTTP/)[!-~][^\n]*\n)*\r?\n")

EPILOG = """\b
Examples:
  signing-proxy explain exchange.json                      (saved in the inspector, with its diagnosis)
  signing-proxy explain --certificate qsealc.pem curl-v-output.txt
  signing-proxy explain --certificate qsealc.pem network.har --entry 3
  signing-proxy explain --request-file request.http --answer-file answer.json
  pbpaste | signing-proxy explain                          (the request and its answer, or the answer alone)

\b
The request is whatever 'verify --explain' takes; the answer is raw HTTP, the output of curl -v or -i, or its body
alone.
Nothing is sent anywhere, and no secret is printed.
Exit codes: 0 explained, 1 nothing to explain, 2 unreadable.
"""


@click.command(epilog=EPILOG)
@click.argument("file", required=False)
@click.option("--request-file", metavar="FILE", help="The request alone.")
@click.option("--answer-file", metavar="FILE", help="The answer alone.")
@click.option("--entry", type=click.IntRange(1), metavar="N",
              help="The N-th entry of a HAR file; else the first that was refused.")
@click.option("--certificate-file", "--certificate", "certificate_file", metavar="FILE",
              help="The certificate the bank should hold.")
@click.option("--key-file", "--key", "key_file", metavar="FILE", help="The private key; only its public half is used.")
@click.option("--public-key-file", "--public-key", "public_key_file", metavar="FILE",
              help="The public key, PEM or DER.")
@click.option("--key-password-file", metavar="FILE", help="File with the password of key or PKCS#12.")
@click.option("--allow-group-read", is_flag=True, help="Accept a key file that its group may read.")
@config_file_option
@click.option("--application", metavar="NAME", help="Key of this application of the configuration; by default of all.")
@click.option("--json", "as_json", is_flag=True, help="Print the diagnosis as JSON.")
def explain(as_json: bool, **given: Any) -> int:
    """Say why the bank refused a call."""
    from proxy.cli.refusal.cases import Keys
    from proxy.cli.verify_keys import shown_keys

    try:
        shown = shown_keys(given)
    except KeyUnusable as error:
        report(error)
        return REFUSED
    document, notes = _explained(given, Keys(shown.known, shown.certificate))
    if document is None:
        show(printable(notes[0]))
        return FAILED
    if as_json:
        show_json({**document, "notes": [*notes, *shown.notes]})
    else:
        _as_text(document, [*notes, *shown.notes])
    return OK


def _explained(given: dict[str, Any], keys: Keys) -> tuple[dict[str, Any] | None, list[str]]:
    """The diagnosis as a document, and notes; without one the only note says why."""
    from proxy.cli.refusal import saved
    from proxy.cli.refusal.cases import case_of, to_the_proxy
    from proxy.core.diagnosis import diagnose

    raw = _input(given)
    parsed = _json(raw)
    if saved.is_saved(parsed):
        told = saved.diagnosis_of(parsed)
        if told is not None:
            return told, _for_support(parsed.get("bank_message_id"), parsed.get("bank_id"))
        if parsed.get("refused_by") != "bank":
            return None, [saved.without_refusal(parsed)]
    message, answer = _both(given, raw, parsed)
    if answer is None:
        raise Refused("message_unreadable", "there is no answer of a bank in it; 'verify --explain' judges a request")
    diagnosis = diagnose(case_of(message, answer, keys, time.time()))
    if diagnosis is None:
        return None, [f"The answer, {answer.response.status}, raises no question that could be answered here."]
    bank_id = (answer.response.first(b"x-global-transaction-id") or b"").decode("latin-1")
    notes = _for_support(answer.ruling.message_id, bank_id, answer.ruling.created)
    if message is None:
        notes.append("the request is not known: paste it with its answer to have it judged")
    elif to_the_proxy(message):
        notes.append("this is the request as the proxy got it: its log knows more of the one that it sent")
    elif not keys.known:
        notes.append("no key was given, so the signature itself was not judged: --certificate does that")
    return veiled(diagnosis.document(), message), notes


def veiled(document: dict[str, Any], message: Captured | None) -> dict[str, Any]:
    """Without a secret of the message, should a sentence quote it."""
    from proxy.cli.veil import Veil

    hidden: dict[str, Any] = Veil(message).over(document) if message is not None else document
    return hidden


def _input(given: dict[str, Any]) -> bytes:
    parts = [given[name] for name in ("request_file", "answer_file") if given[name] is not None]
    if parts and given["file"] is not None:
        raise click.UsageError("Give either one FILE with both, or --request-file and --answer-file.")
    if parts:
        return b""
    if given["file"] in (None, "-") and sys.stdin.isatty():
        click.echo("Paste the request and its answer, then press Enter and Ctrl-D.", err=True)
    return read_input(given["file"] or "-", "exchange")


def _both(given: dict[str, Any], raw: bytes, parsed: Any) -> tuple[Captured | None, Answered | None]:
    from proxy.cli.refusal import answers, saved
    from proxy.cli.refusal.entries import refused_entry

    if saved.is_saved(parsed):
        return saved.message_of(parsed), saved.answer_of(parsed)
    if not raw:
        request = given["request_file"]
        answer = read_input(given["answer_file"], "answer") if given["answer_file"] is not None else b""
        return _request(read_input(request, "request")) if request is not None else None, answers.read_answer(answer)
    entry = refused_entry(parsed, given["entry"])
    if entry is not None:
        return entry
    answer_found = answers.read_answer(raw)
    start = answer_found.start if answer_found is not None else len(raw)
    verbose = b"\n> " in raw or raw.startswith(b"> ")
    return _request(raw if verbose else raw[:start]), answer_found


def _request(raw: bytes) -> Captured | None:
    """None when there is none: an answer alone tells something too.

    A body without Content-Length ends where the paste does; line breaks before the answer are its own only if the
    digest says so.
    """
    from proxy.cli.pasted import read
    from proxy.cli.verification import Unreadable
    from proxy.cli.verification.digests import check_digest

    raw = _INTERIM.sub(b"", raw)
    if not raw.strip():
        return None
    try:
        whole = read(raw)[-1].message
    except Unreadable as error:
        raise Refused("message_unreadable", str(error)) from None
    bare = replace(whole, body=whole.body.rstrip(b"\r\n"))
    return whole if any(check_digest(bare)) and not any(check_digest(whole)) else bare


def _json(raw: bytes) -> Any:
    if raw.lstrip()[:1] not in (b"{", b"["):
        return None
    try:
        return json.loads(raw.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def _for_support(message_id: object, bank_id: object, created: str = "") -> list[str]:
    ids = {"message_identification": message_id, "creation_date_time": created, "X-Global-Transaction-ID": bank_id}
    told = [f"{name} {value}" for name, value in ids.items() if value]
    return [f"the bank's support asks for: {', '.join(told)}"] if told else []


def _as_text(document: dict[str, Any], notes: list[str]) -> None:
    from proxy.core.diagnosis.causes import SIDES

    code = document.get("code")
    show(dim(f"the bank answered {document.get('status')}{f', {printable(str(code))}' if code else ''}"))
    for index, cause in enumerate(document["causes"]):
        name = printable(f"{cause['cause']} ({cause['certainty']})")
        show(bad(name) if index == 0 else f"or {name}")
        show(f"  {printable(cause['what'])}")
        for sentence in cause.get("evidence", ()):
            show(f"  - {printable(sentence)}")
        show(f"  What to do: {printable(cause['todo'])}")
        show(dim(f"  Where: {SIDES.get(cause['side'], 'unknown')}"))
    if document.get("scope"):
        show(printable(str(document["scope"])))
    for note in notes:
        show(f"note: {printable(note)}")

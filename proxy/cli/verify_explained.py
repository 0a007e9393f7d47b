"""`verify --explain`: what is wrong with somebody's own script, with their signing string beside the bank's."""

from __future__ import annotations

from datetime import UTC, datetime

from proxy.cli.failures import FAILED, OK, REFUSED, complain
from proxy.cli.next_steps import next_steps
from proxy.cli.output import bad, dim, good, printable, show, show_json, working
from proxy.cli.pasted import Pasted
from proxy.cli.side_by_side import Row, beside
from proxy.cli.veil import Veil
from proxy.cli.verification import Verdict, explain
from proxy.cli.verify import facts
from proxy.cli.verify_inputs import chosen
from proxy.cli.verify_keys import ShownKeys

_WIDEST = 2000
"""Characters of a line that are shown."""

_KINDS = {"curl": "a curl command", "http": "an HTTP message", "har": "an HTTP archive", "postman": "Postman's console"}


def explained(keys: ShownKeys, found: list[Pasted], entry: int | None, *, as_json: bool) -> int:
    """Shows the first request that is wrong, or the last; returns the exit code."""
    with working("looking for the mistake"):
        for one in chosen(found, entry):
            verdict = explain(one.message, keys.known)
            if not verdict.valid:
                break
    veil = Veil(one.message)
    steps = next_steps(one.message, verdict, keys, datetime.now(UTC))
    notes = (*_about_input(one, found), *verdict.notes, *keys.notes)
    if as_json:
        show_json(veil.over(_as_facts(verdict, one, notes, steps)))
    else:
        _as_text(verdict, notes, steps, veil)
    if not verdict.valid:
        return FAILED
    if not verdict.key:
        complain("usage", "No key was given, so the signature itself was not judged. Give --certificate, --public-key, "
                          "--key or --config-file.")
        return REFUSED
    return OK


def _about_input(one: Pasted, found: list[Pasted]) -> list[str]:
    notes = [f"read as {_KINDS[one.kind]}: {one.message.method} {one.message.target.partition('?')[0][:200]}"]
    if len(found) > 1:
        numbers = ", ".join(str(other.number) for other in found[:12])
        notes.append(f"this is request {one.number} there; --entry picks another one of {numbers}")
    return notes


def _as_facts(verdict: Verdict, one: Pasted, notes: tuple[str, ...], steps: list[str]) -> dict[str, object]:
    rows = beside(verdict.signed, verdict.right) if verdict.signed is not None else []
    return {
        **facts(verdict, notes),
        "input": {"format": one.kind, "entry": one.number, "method": one.message.method, "target": one.message.target},
        "right_string": verdict.right,
        "signed_string": verdict.signed,
        "signed_sha256": verdict.hash or None,
        "signed_by": verdict.signed_by or None,
        "differences": [{"signed": row.signed, "right": row.right} for row in rows if row.signed != row.right],
        "attempts": verdict.attempts,
        "next": steps,
    }


def _as_text(verdict: Verdict, notes: tuple[str, ...], steps: list[str], veil: Veil) -> None:
    if verdict.valid:
        show(good("the signature is right") if verdict.key else dim("nothing wrong was found without a key"))
    for index, finding in enumerate(verdict.findings):
        show(bad(f"wrong: {finding.cause}") if index == 0 else f"also: {finding.cause}")
        show(f"  {_safe(veil, finding.sentence)} {finding.advice}")
        if finding.cause.startswith(("digest", "host", "date", "cover", "content")) and finding.expected:
            show(f"    found     {_safe(veil, finding.signed)}")
            show(f"    expected  {_safe(veil, finding.expected)}")
    for note in notes:
        show(f"note: {_safe(veil, note)}")
    _show_strings(verdict, veil)
    for step in steps:
        show(f"next: {_safe(veil, step)}")


def _show_strings(verdict: Verdict, veil: Veil) -> None:
    signed, right = verdict.signed, verdict.right
    if signed is None or signed == right:
        show(dim("signing string, as the bank builds it:"))
        rows = beside(right, right)
    else:
        show(dim("signing string: '-' as it was signed, '+' as the bank builds it, '^' where they differ:"))
        rows = beside(signed, right)
    for row in rows:
        _show_row(row, veil)
    if verdict.attempts and not verdict.valid:
        end = "none of them was signed" if signed is None else "the last one is what was signed"
        show(dim(f"tried: {verdict.attempts} signing strings; {end}"))


def _show_row(row: Row, veil: Veil) -> None:
    signed, right = _short(_safe(veil, row.signed)), _short(_safe(veil, row.right))
    if row.signed == row.right:
        show(f"  {right}")
        return
    if signed:
        show(bad("- ") + signed)
    if right:
        show(good("+ ") + right)
    if row.marks and (signed, right) == (row.signed, row.right):
        show(f"  {row.marks}")


def _short(line: str) -> str:
    return line if len(line) <= _WIDEST else f"{line[:_WIDEST]}… ({len(line) - _WIDEST} more characters)"


def _safe(veil: Veil, text: str) -> str:
    return printable(veil.over_text(text))

"""What the audit commands print, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from proxy.cli.output import bad, good, printable

if TYPE_CHECKING:
    from proxy.audit.chain import Link
    from proxy.audit.verification import Report

_SHOWN = 10


def document(found: Report, files: Sequence[Path]) -> Mapping[str, object]:
    broken = found.broken
    return {
        "holds": broken is None,
        "broken": {"file": broken.file or str(files[0]), "line": broken.line,
                   "sentence": broken.sentence} if broken else None,
        "notes": found.notes, "files": [str(file) for file in files],
        "first": found.first.seq + 1, "head": str(found.last), "lines": found.lines, "intents": found.intents,
        "outcomes": found.outcomes, "lost": found.lost, "unfinished": [_fields(link) for link in found.open.values()],
    }


def describe(found: Report, files: Sequence[Path]) -> Iterator[str]:
    broken = found.broken
    if broken is not None:
        place = f"{broken.file}:{broken.line}" if broken.line else broken.file or str(files[0])
        yield bad("broken") + printable(f": {place}: {broken.sentence}")
        if found.lines:
            yield f"up to there {_span(found)} hold; head {found.last}"
    else:
        where = f"{len(files)} files" if len(files) > 1 else printable(str(files[0]))
        yield good("holds") + f": {_span(found)}, in {where}; {found.intents} signatures, {found.outcomes} outcomes"
        yield f"head: {found.last}"
    for note in found.notes:
        yield printable(f"note: {note}")
    if found.open and broken is None:
        yield from _unfinished(list(found.open.values()))


def _span(found: Report) -> str:
    first, last = found.first.seq + 1, found.last.seq
    return f"line {last}" if first == last else f"lines {first} to {last}"


def _unfinished(links: Sequence[Link]) -> Iterator[str]:
    count = len(links)
    which = "1 signature has no outcome" if count == 1 else f"{count} signatures have no outcome"
    yield f"note: {which}: still in hand, or the process was killed; the bank may have acted, ask it:"
    for link in links[:_SHOWN]:
        yield f"  {as_row(link, as_json=False)}"
    if count > _SHOWN:
        yield f"  and {count - _SHOWN} more: 'signing-proxy audit show --unfinished'"


def as_row(link: Link, *, as_json: bool) -> str:
    """One call on one line."""
    if as_json:
        return json.dumps(_fields(link))
    fields = link.fields
    ended = fields.get("event") == "outcome"
    status = f"{fields.get('status', 0)} sent={fields.get('sent')}" if ended else "no outcome"
    words = [fields.get("time"), status, fields.get("method"), fields.get("path"), f"route={fields.get('route')}",
             f"application={fields.get('application')}", f"request_id={fields.get('request_id')}"]
    words += [f"{name}={fields[name]}" for name in ("code", "client_name", "bank_id", "bank_message_id")
              if fields.get(name)]
    return printable(" ".join(map(str, words)))


def _fields(link: Link) -> dict[str, object]:
    return {"seq": link.head.seq, "prev": link.before.hash, **link.fields}

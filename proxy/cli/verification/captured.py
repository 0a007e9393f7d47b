"""People capture requests with whatever is at hand, so this reader takes bare line feeds, URLs and wrapped lines.

It is no grammar to trust a connection to: it exists to find out what somebody sent.  Header text is Latin-1, one
character per byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_BLANK = re.compile(rb"\r?\n\r?\n")
_LINE = re.compile(r"\r?\n")
_REQUEST_LINE = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]+(\S+)(?:[ \t]+HTTP/[0-9.]+)?[ \t]*")
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_ABSOLUTE = re.compile(r"(?i:https?)://[^/?#]*(.*)")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r?\n")


class Unreadable(ValueError):
    """The message cannot be taken apart; the argument is one clause that says why."""


@dataclass(frozen=True, slots=True)
class Captured:
    """method, target: as on the request line.  notes: what the reader had to assume."""

    method: str
    target: str
    fields: tuple[tuple[str, str], ...]
    body: bytes
    notes: tuple[str, ...] = ()

    def all(self, name: str) -> list[str]:
        """Values of every field with this lower-case name."""
        return [value for field, value in self.fields if field.lower() == name]

    def one(self, name: str) -> str | None:
        """The value of the field, or None when it is missing or was sent more than once."""
        values = self.all(name)
        return values[0] if len(values) == 1 else None


def parse(raw: bytes) -> Captured:
    """One request as text: request line, headers, an empty line, body.  Raises Unreadable."""
    raw = raw.lstrip(b"\r\n \t")
    if not raw:
        raise Unreadable("the message is empty")
    end = _BLANK.search(raw)
    head, body = (raw[: end.start()], raw[end.end():]) if end else (raw.rstrip(b"\r\n"), b"")
    first, *rest = _LINE.split(head.decode("latin-1"))
    match = _REQUEST_LINE.fullmatch(first)
    if match is None:
        raise Unreadable("the first line is not 'METHOD target HTTP/1.1'")
    return assemble(match[1], match[2], _fields(rest), body)


def assemble(method: str, target: str, fields: Iterable[tuple[str, str]], body: bytes,
             assumed: Iterable[str] = ()) -> Captured:
    """A message from its parts; the framing headers decide where the body ends.  Raises Unreadable."""
    fields, notes = tuple(fields), list(assumed)
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is not None:
        target = absolute[1] if absolute[1].startswith("/") else "/" + absolute[1]
        notes.append("the request line holds a whole URL; its path and query are taken as the request target")
    body = _framed(fields, body, notes)
    return Captured(method, target, fields, body, tuple(notes))


def _fields(lines: Iterable[str]) -> list[tuple[str, str]]:
    fields: list[tuple[str, str]] = []
    for line in lines:
        if line[:1] in (" ", "\t") and fields:
            name, value = fields[-1]
            fields[-1] = (name, value + "\n" + line.strip(" \t"))
            continue
        name, colon, value = line.partition(":")
        if not colon or _NAME.fullmatch(name.strip(" \t")) is None:
            raise Unreadable(f"header line {len(fields) + 1} is not 'Name: value'")
        fields.append((name.strip(" \t"), value.strip(" \t")))
    return fields


def _framed(fields: tuple[tuple[str, str], ...], body: bytes, notes: list[str]) -> bytes:
    framing = {name.lower(): value for name, value in fields}
    if framing.get("transfer-encoding", "").lower() == "chunked":
        return _dechunked(body)
    length = framing.get("content-length", "")
    if not (length.isascii() and length.isdigit() and len(length) < 12):
        return body
    if len(body) > int(length):
        notes.append(f"{len(body) - int(length)} bytes after Content-Length are left out")
        return body[: int(length)]
    if len(body) < int(length):
        notes.append(f"the body has {len(body)} bytes, Content-Length says {int(length)}: the capture is not complete")
    return body


def _dechunked(data: bytes) -> bytes:
    parts: list[bytes] = []
    position = 0
    while True:
        match = _CHUNK.match(data, position)
        if match is None:
            raise Unreadable("the chunked body is not complete")
        size = int(match[1], 16)
        if not size:
            return b"".join(parts)
        parts.append(data[match.end(): match.end() + size])
        end = re.compile(rb"\r?\n").match(data, match.end() + size)
        if end is None:
            raise Unreadable("the chunked body is not complete")
        position = end.end()

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
_ABSOLUTE = re.compile(r"(?i:(https?))://([^/?#]*)(.*)")
REFITTED = "the body's line ends were changed on the way here; they are restored so that Content-Length holds"
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r?\n")


class Unreadable(ValueError):
    """The message cannot be taken apart; the argument is one clause that says why."""


@dataclass(frozen=True, slots=True)
class Captured:
    """method, target: as on the request line.  notes: what the reader had to assume.

    scheme: "http" or "https" where a URL told it, else "".  whole: False when the body is known to be missing.
    """

    method: str
    target: str
    fields: tuple[tuple[str, str], ...]
    body: bytes
    notes: tuple[str, ...] = ()
    scheme: str = ""
    whole: bool = True

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
    fields, notes, scheme = tuple(fields), list(assumed), ""
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is not None:
        scheme, authority, target = absolute[1].lower(), absolute[2], absolute[3]
        target = target if target.startswith("/") else "/" + target
        notes.append("the request line holds a whole URL; its path and query are taken as the request target")
        if not any(name.lower() == "host" for name, _ in fields):
            fields = (("Host", authority.rpartition("@")[2]), *fields)
    framed = _framed(fields, body, notes)
    whole = not (len(framed) < _announced(fields) and not framed)
    return Captured(method, target, fields, framed, tuple(notes), scheme, whole)


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
    length = _announced(fields)
    if length < 0:
        return body
    fitting = refit(body, length) if body[length:].strip() or len(body) <= length else None
    if fitting is not None:
        if fitting != body:
            notes.append(REFITTED)
        return fitting
    if len(body) > length:
        notes.append(f"{len(body) - length} bytes after Content-Length are left out")
        return body[:length]
    notes.append(f"the body has {len(body)} bytes, Content-Length says {length}: the capture is not complete")
    return body


def refit(body: bytes, length: int) -> bytes | None:
    """The body of that length which a clipboard, an editor or a terminal turned into this one, or None."""
    feeds = body.replace(b"\r\n", b"\n")
    ends = feeds.replace(b"\n", b"\r\n")
    for candidate in (body, ends, feeds, ends.removesuffix(b"\r\n"), feeds.removesuffix(b"\n"), feeds + b"\n",
                      ends + b"\r\n"):
        if len(candidate) == length and candidate.strip() != b"":
            return candidate
    return body if len(body) == length else None


def _announced(fields: Iterable[tuple[str, str]]) -> int:
    """What Content-Length says, or -1."""
    length = {name.lower(): value for name, value in fields}.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 12 else -1


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

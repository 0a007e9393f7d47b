"""What the proxy sent must be judged as it came, so this reader keeps every byte.

Strict where a bank's gateway is (RFC 9112): CRLF lines, one Host, one Content-Length or exactly `chunked`, no folding,
no trailers, a request target in origin form.  Whatever breaks a rule raises `Malformed`: a test that finds one in
`Emulator.received` has found a proxy that forwards nonsense.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass

_REQUEST_LINE = re.compile(rb"([A-Z]+) ([!-~]+) HTTP/1\.1")
_FIELD_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t\x20-\x7e\x80-\xff]*)")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}")
_DIGITS = re.compile(rb"[0-9]{1,18}")


class Malformed(Exception):
    """The bytes are not one well-formed request; the argument says why."""


class Truncated(Malformed):
    """The client went away in the middle of a request."""


@dataclass(frozen=True, slots=True)
class Head:
    """A request head: the raw bytes, and what they say."""

    raw: bytes
    method: str
    target: str
    fields: tuple[tuple[str, str], ...]

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    def all(self, name: str) -> list[str]:
        """Every value of a field, in order; names compare without case."""
        wanted = name.lower()
        return [value for field, value in self.fields if field.lower() == wanted]

    def one(self, name: str) -> str:
        """The first value, or the empty string."""
        return next(iter(self.all(name)), "")


@dataclass(frozen=True, slots=True)
class Body:
    """`framed` is what was on the wire, `content` the same without chunk framing."""

    framed: bytes = b""
    content: bytes = b""


def parse_head(raw: bytes) -> Head:
    """`raw` ends with the empty line.  Text is latin-1, so no byte is lost or changed."""
    lines = raw.removesuffix(b"\r\n\r\n").split(b"\r\n")
    start = _REQUEST_LINE.fullmatch(lines[0])
    if start is None:
        raise Malformed("the request line is not METHOD SP TARGET SP HTTP/1.1")
    head = Head(raw, start[1].decode(), start[2].decode(), tuple(_fields(lines[1:])))
    _check_target(head)
    if len(head.all("host")) != 1:
        raise Malformed("there is not exactly one Host header")
    _check_framing(head)
    return head


def _fields(lines: list[bytes]) -> Iterator[tuple[str, str]]:
    for line in lines:
        field = _FIELD_LINE.fullmatch(line)
        if field is None:
            raise Malformed("a header line is not NAME: VALUE")
        yield field[1].decode(), field[2].strip(b" \t").decode("latin-1")


def _check_target(head: Head) -> None:
    if head.target == "*" and head.method == "OPTIONS":
        return
    if not head.target.startswith("/"):
        raise Malformed("the request target is not in origin form")
    if set(head.target) & set('#\\"<>'):
        raise Malformed("the request target holds a character that must be percent-encoded")


def _check_framing(head: Head) -> None:
    lengths, codings = head.all("content-length"), head.all("transfer-encoding")
    if lengths and codings:
        raise Malformed("Content-Length and Transfer-Encoding in one request")
    if len(lengths) > 1 or any(not _DIGITS.fullmatch(value.encode("latin-1")) for value in lengths):
        raise Malformed("Content-Length is repeated or not a number")
    if len(codings) > 1 or any(value.lower() != "chunked" for value in codings):
        raise Malformed("Transfer-Encoding is not exactly chunked")


async def read_head(reader: asyncio.StreamReader) -> bytes | None:
    """The raw head, or None when the client closed between requests."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise Truncated("the connection ended within a request head") from error
        return None
    except asyncio.LimitOverrunError as error:
        raise Malformed("the request head is too long") from error


async def read_body(reader: asyncio.StreamReader, head: Head, limit: int) -> Body:
    try:
        if head.all("transfer-encoding"):
            return await _read_chunked(reader, limit)
        length = int(head.one("content-length") or 0)
        if length > limit:
            raise Malformed("the request body is too long")
        content = await reader.readexactly(length)
    except asyncio.IncompleteReadError as error:
        raise Truncated("the connection ended within a request body") from error
    except asyncio.LimitOverrunError as error:
        raise Malformed("a chunk size line is too long") from error
    return Body(content, content)


async def _read_chunked(reader: asyncio.StreamReader, limit: int) -> Body:
    framed, content = bytearray(), bytearray()
    while True:
        line = await reader.readuntil(b"\r\n")
        if not _CHUNK_SIZE.fullmatch(line[:-2]):
            raise Malformed("a chunk size is not a plain hexadecimal number")
        size = int(line[:-2], 16)
        if len(content) + size > limit:
            raise Malformed("the request body is too long")
        data = await reader.readexactly(size + 2)
        if data[-2:] != b"\r\n":
            raise Malformed("a chunk is longer than it says, or a trailer follows")
        framed += line + data
        content += data[:-2]
        if size == 0:
            return Body(bytes(framed), bytes(content))

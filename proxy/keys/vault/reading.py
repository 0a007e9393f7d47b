"""Reads one HTTP/1.1 answer out of the bytes that come, in bounded space.  No input or output.

Strict where a doubt would leave the connection out of step, and quick: `http.client` parses an answer's head by way of
the email package, which took more than all else that a Transit signature costs this process.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from functools import lru_cache
from typing import Final, TypeVar

LARGEST: Final = 1 << 20
_LARGEST_HEAD = 1 << 16
_COMMON_HEAD = 4096
_MOST_TRAILERS = 64
_UNTIL_CLOSE, _CHUNKED = -1, -2
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?: [^\r\n]*)?\r\n")
_FIELD = re.compile(rb"\r\n(content-length|transfer-encoding|connection)[ \t]*:([^\r\n]*)(?=\r\n)", re.IGNORECASE)
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?")

T = TypeVar("T")
_Steps = Generator[None, None, T]
"""Waits at each yield for more bytes."""


class Malformed(Exception):
    """The bytes are no answer, or one that is too large."""


class Reading:
    """status, body and kept (whether the connection may be used again) are there once feed() has said so.

    began: whether any byte has come.
    """

    __slots__ = ("_data", "_ended", "_steps", "began", "body", "kept", "status")

    def __init__(self) -> None:
        self._data = bytearray()
        self._ended = False
        self.began = False
        self.kept = False
        self.status = 0
        self.body = b""
        self._steps: _Steps[None] | None = None

    def feed(self, data: bytes) -> bool:
        """data: what has come, b"" at the connection's end.  -> whether the answer is whole.

        Raises Malformed, ConnectionResetError (that was too early an end).
        """
        if not data:
            self._ended = True
        self.began = self.began or bool(data)
        if self._steps is None:
            if self._at_once(data):
                return True
            self._steps = self._read()
        self._data += data
        return next(self._steps, True) is True

    def _at_once(self, data: bytes) -> bool:
        """Whether this is a whole answer with its length: what comes nearly always, without the steps' cost."""
        start = data.find(b"\r\n\r\n") + 4
        if start < 4:
            return False
        length = self._head(data[:start])
        if length < 0 or len(data) - start != length:
            return False
        self.body = data[start:]
        return True

    def _read(self) -> _Steps[None]:
        length = self._head((yield from self._until(b"\r\n\r\n", _LARGEST_HEAD)))
        if length == _CHUNKED:
            self.body = yield from self._chunks()
        elif length == _UNTIL_CLOSE:
            self.body = yield from self._rest()
        else:
            self.body = yield from self._exactly(length)
        self.kept = self.kept and not self._data

    def _head(self, head: bytes) -> int:
        """-> the body's length, or how it ends.  Raises Malformed."""
        self.status, length, self.kept = _read_head(head) if len(head) <= _COMMON_HEAD else _read_head.__wrapped__(head)
        return length

    def _chunks(self) -> _Steps[bytes]:
        body = bytearray()
        while True:
            line = yield from self._until(b"\r\n", 256)
            found = _SIZE.fullmatch(line[:-2])
            size = int(found[1], 16) if found is not None else -1
            if size < 0 or len(body) + size > LARGEST:
                raise Malformed
            if not size:
                break
            body += yield from self._exactly(size)
            if (yield from self._exactly(2)) != b"\r\n":
                raise Malformed
        for _ in range(_MOST_TRAILERS):         # none of them is of interest
            if (yield from self._until(b"\r\n", _LARGEST_HEAD)) == b"\r\n":
                return bytes(body)
        raise Malformed

    def _rest(self) -> _Steps[bytes]:
        self.kept = False
        while not self._ended:
            if len(self._data) > LARGEST:
                raise Malformed
            yield
        return self._taken(len(self._data))

    def _until(self, end: bytes, most: int) -> _Steps[bytes]:
        looked = 0
        while (at := self._data.find(end, looked)) < 0:
            if len(self._data) > most:
                raise Malformed
            looked = max(0, len(self._data) - len(end) + 1)
            yield from self._more()
        return self._taken(at + len(end))

    def _exactly(self, size: int) -> _Steps[bytes]:
        while len(self._data) < size:
            yield from self._more()
        return self._taken(size)

    def _more(self) -> _Steps[None]:
        if self._ended:
            raise ConnectionResetError
        yield

    def _taken(self, size: int) -> bytes:
        taken = bytes(self._data[:size])
        del self._data[:size]
        return taken


@lru_cache(maxsize=16)
def _read_head(head: bytes) -> tuple[int, int, bool]:
    """-> status, the body's length or how it ends, whether the connection is kept.  Raises Malformed.

    Vault's heads differ by their Date, so that under load one is as the last one was.
    """
    found = _STATUS.match(head)
    if found is None:
        raise Malformed
    status = int(found[1])
    given = _FIELD.findall(head, found.end() - 2)
    fields = {name.lower(): value.strip(b" \t").lower() for name, value in given}
    length, coding = fields.get(b"content-length"), fields.get(b"transfer-encoding")
    if len(fields) != len(given) or status < 200:
        raise Malformed
    if coding is not None and (coding != b"chunked" or length is not None):
        raise Malformed
    kept = head.startswith(b"HTTP/1.1") and fields.get(b"connection", b"keep-alive") == b"keep-alive"
    if status in (204, 304):
        return status, 0, kept
    if length is None:
        return status, _UNTIL_CLOSE if coding is None else _CHUNKED, kept
    if not length.isdigit() or len(length) > 10 or int(length) > LARGEST:
        raise Malformed
    return status, int(length), kept

"""Reads one HTTP/1.1 answer from a blocking socket, in bounded time and space.

Strict where a doubt would leave the connection out of step, and quick: `http.client` parses an answer's head by way of
the email package, which took more than all else that a Transit signature costs this process.
"""

from __future__ import annotations

import re
import socket
from time import monotonic
from typing import Final

LARGEST: Final = 1 << 20
_LARGEST_HEAD = 1 << 16
_READ = 1 << 16
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?: [^\r\n]*)?\r\n")
_FIELD = re.compile(rb"\r\n(content-length|transfer-encoding|connection)[ \t]*:([^\r\n]*)(?=\r\n)", re.IGNORECASE)
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?")


class Malformed(Exception):
    """The bytes are no answer, or one that is too large."""


def remaining(deadline: float) -> float:
    """Seconds that are left until then (monotonic).  Raises TimeoutError when there are none."""
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class Reading:
    """status, body and kept (whether the connection may be used again) are there after read().

    began: whether any byte has come.
    """

    def __init__(self, channel: socket.socket, deadline: float) -> None:
        """deadline: a timeout for each read alone would let a drip of bytes hold a thread for ever."""
        self._channel = channel
        self._deadline = deadline
        self._data = bytearray()
        self.began = False
        self.kept = False
        self.status = 0
        self.body = b""

    def read(self) -> None:
        """Raises Malformed, OSError (TimeoutError, or the connection broke)."""
        head = self._until(b"\r\n\r\n", _LARGEST_HEAD)
        found = _STATUS.match(head)
        if found is None:
            raise Malformed
        self.status = int(found[1])
        given = _FIELD.findall(head, found.end() - 2)
        fields = {name.lower(): value.strip(b" \t").lower() for name, value in given}
        if len(fields) != len(given):
            raise Malformed
        length, coding = fields.get(b"content-length"), fields.get(b"transfer-encoding")
        self.kept = head.startswith(b"HTTP/1.1") and fields.get(b"connection", b"keep-alive") == b"keep-alive"
        self.body = self._body(length, coding)
        self.kept = self.kept and not self._data

    def _body(self, length: bytes | None, coding: bytes | None) -> bytes:
        if self.status < 200 or (coding is not None and (coding != b"chunked" or length is not None)):
            raise Malformed
        if self.status in (204, 304):
            return b""
        if coding is not None:
            return self._chunks()
        if length is None:
            return self._rest()
        if not length.isdigit() or len(length) > 10 or int(length) > LARGEST:
            raise Malformed
        return self._exactly(int(length))

    def _chunks(self) -> bytes:
        body = bytearray()
        while True:
            found = _SIZE.fullmatch(self._until(b"\r\n", 256)[:-2])
            size = int(found[1], 16) if found is not None else -1
            if size < 0 or len(body) + size > LARGEST:
                raise Malformed
            if not size:
                break
            body += self._exactly(size)
            if self._exactly(2) != b"\r\n":
                raise Malformed
        while self._until(b"\r\n", _LARGEST_HEAD) != b"\r\n":
            pass                        # trailers, of which none is of interest
        return bytes(body)

    def _rest(self) -> bytes:
        self.kept = False
        while self._more(may_end=True):
            if len(self._data) > LARGEST:
                raise Malformed
        return self._taken(len(self._data))

    def _until(self, end: bytes, most: int) -> bytes:
        looked = 0
        while (at := self._data.find(end, looked)) < 0:
            if len(self._data) > most:
                raise Malformed
            looked = max(0, len(self._data) - len(end) + 1)
            self._more()
        return self._taken(at + len(end))

    def _exactly(self, size: int) -> bytes:
        while len(self._data) < size:
            self._more()
        return self._taken(size)

    def _taken(self, size: int) -> bytes:
        taken = bytes(self._data[:size])
        del self._data[:size]
        return taken

    def _more(self, *, may_end: bool = False) -> bool:
        self._channel.settimeout(remaining(self._deadline))
        data = self._channel.recv(_READ)
        if not data and not may_end:
            raise ConnectionResetError
        self.began = self.began or bool(data)
        self._data += data
        return bool(data)

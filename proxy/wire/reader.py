"""Turns a caller's bytes into whole requests, one at a time, without ever looking past the one in hand.  Pure."""

from __future__ import annotations

from enum import Enum

from proxy.core.message import CHUNKED, Request
from proxy.errors import Refused
from proxy.wire.chunked import Chunks
from proxy.wire.head import parse_request


class Step(Enum):
    MORE = 0
    HEAD = 1
    DONE = 2


class RequestReader:
    """feed() bytes, then call advance() until it says MORE; HEAD comes once per request, DONE when its body is whole.

    One empty line before a request line is skipped (RFC 9112 section 2.2); a second one is refused.
    """

    __slots__ = ("_body", "_body_limit", "_buffer", "_chunks", "_head_limit", "_in_body", "_scanned", "_skipped",
                 "request")

    def __init__(self, head_limit: int, body_limit: int) -> None:
        """Limits in bytes."""
        self._head_limit = head_limit
        self._body_limit = body_limit
        self._buffer = bytearray()
        self._scanned = 0
        self._skipped = False
        self._in_body = False
        self._body = bytearray()
        self._chunks: Chunks | None = None
        self.request: Request | None = None

    def feed(self, data: bytes) -> None:
        self._buffer += data

    @property
    def pending(self) -> bool:
        """Whether bytes of a request that is not complete are here."""
        return self._in_body or bool(self._buffer)

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return len(self._buffer) + len(self._body)

    def take(self) -> bytes:
        """What was fed after the last whole request; it is read as something else."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    def discard(self) -> None:
        """Forgets what is buffered: after an error nothing that follows may be interpreted."""
        self._buffer.clear()
        self._body.clear()

    def advance(self) -> Step:
        """Raises Refused: malformed_request, headers_too_large, body_too_large, expectation_failed."""
        if not self._in_body:
            return Step.HEAD if self._read_head() else Step.MORE
        return Step.DONE if self._read_body() else Step.MORE

    def _read_head(self) -> bool:
        buffer = self._buffer
        if not self._scanned and not self._skip_empty_line():
            return False
        end = buffer.find(b"\r\n\r\n", max(0, self._scanned - 3))
        if end < 0 or end + 4 > self._head_limit:
            self._refuse_bare_line_feed()
            if len(buffer) > self._head_limit:
                raise Refused("headers_too_large")
            self._scanned = len(buffer)
            return False
        raw = bytes(buffer[:end + 4])
        del buffer[:end + 4]
        self._scanned = 0
        self._skipped = False
        request = self.request = parse_request(raw)
        if request.length > self._body_limit:
            raise Refused("body_too_large", f"the limit is {self._body_limit} bytes")
        self._in_body = True
        self._chunks = Chunks(limit=self._body_limit) if request.length == CHUNKED else None
        return True

    def _skip_empty_line(self) -> bool:
        """-> whether there is a byte of a request line to look at."""
        buffer = self._buffer
        if buffer[:1] == b"\r" and not self._skipped:
            if len(buffer) == 1:
                return False
            if buffer[:2] == b"\r\n":
                del buffer[:2]
                self._skipped = True
        return bool(buffer)

    def _refuse_bare_line_feed(self) -> None:
        """Refuses at once what no later byte could make right, instead of waiting for an end of head."""
        buffer = self._buffer
        at = buffer.find(b"\n", self._scanned, self._head_limit)
        while at >= 0:
            if at == 0 or buffer[at - 1] != 0x0D:
                raise Refused("malformed_request", "a line ends with LF alone")
            at = buffer.find(b"\n", at + 1, self._head_limit)

    def _read_body(self) -> bool:
        request, buffer = self.request, self._buffer
        assert request is not None
        if self._chunks is None:
            if len(buffer) < request.length:
                return False
            if request.length:
                request.body = bytes(buffer[:request.length])
                del buffer[:request.length]
        else:
            payload, rest = self._chunks.feed(bytes(buffer))
            buffer.clear()
            self._body += payload
            if rest is None:
                return False
            buffer += rest
            request.body = bytes(self._body)
            self._body.clear()
        self._in_body = False
        return True

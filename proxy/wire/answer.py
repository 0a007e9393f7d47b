"""Turns a bank's bytes into one answer's events, or refuses them.  Pure.

An answer that more than one reading fits (two lengths, a length beside chunked, an unasked switch of protocols) is
refused: whatever follows it on the connection could be taken for the answer to somebody else's request.
"""

from __future__ import annotations

from typing import Protocol

from proxy.core.message import CHUNKED, UNTIL_CLOSE, Response
from proxy.errors import Refused
from proxy.wire.chunked import Chunks
from proxy.wire.head import parse_response

_INTERIM = 8


class Sink(Protocol):
    """What an answer is told to, in this order."""

    def head(self, response: Response) -> None: ...
    def body(self, data: bytes) -> None: ...


class AnswerReader:
    """One answer to a request with this method."""

    __slots__ = ("_buffer", "_chunks", "_head_limit", "_interim", "_left", "_method", "_scanned", "response")

    def __init__(self, method: bytes, head_limit: int) -> None:
        self._method = method
        self._head_limit = head_limit
        self._buffer = b""
        self._scanned = 0
        self._interim = 0
        self._left = 0
        self._chunks: Chunks | None = None
        self.response: Response | None = None

    def feed(self, data: bytes, sink: Sink) -> bytes | None:
        """-> None while the answer goes on, else the bytes that follow it.  Raises Refused("malformed_request")."""
        if self.response is None:
            rest = self._feed_head(data, sink)
            if rest is None:
                return None
            data = rest
        if self._chunks is not None:
            payload, after = self._chunks.feed(data)
            if payload:
                sink.body(payload)
            return after
        if self._left == UNTIL_CLOSE:
            if data:
                sink.body(data)
            return None
        piece = data[:self._left] if len(data) > self._left else data
        if piece:
            self._left -= len(piece)
            sink.body(piece)
        return None if self._left else data[len(piece):]

    def ended_by_close(self) -> bool:
        """Whether an orderly end of the connection is the end of the answer."""
        return self.response is not None and self._left == UNTIL_CLOSE

    def _feed_head(self, data: bytes, sink: Sink) -> bytes | None:
        if self._buffer:
            data = self._buffer + data
        while True:
            end = data.find(b"\r\n\r\n", max(0, self._scanned - 3))
            if end < 0 or end + 4 > self._head_limit:
                if len(data) > self._head_limit:
                    raise Refused("malformed_request", "a head larger than limits.head")
                self._buffer = data
                self._scanned = len(data)
                return None
            self._scanned = 0
            response = parse_response(data[:end + 4], self._method)
            data = data[end + 4:]
            if response.status >= 200:
                break
            self._interim += 1
            if self._interim > _INTERIM:
                raise Refused("malformed_request", "too many interim answers")
        self._buffer = b""
        self.response = response
        self._left = response.length
        self._chunks = Chunks(trailers=True) if response.length == CHUNKED else None
        sink.head(response)
        return data

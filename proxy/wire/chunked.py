"""Strict incremental decoding of chunked bodies (RFC 9112 section 7.1).

Sizes are hexadecimal digits only; extensions must be well formed and are dropped; a trailer section is refused,
because its fields would arrive after what was signed.
"""

from __future__ import annotations

import re

from proxy.errors import Refused

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;" + _TOKEN + rb"(?:=(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?)*")
_TRAILER = re.compile(_TOKEN + rb":[\t -~\x80-\xff]*")
_FRAMING = frozenset((b"host", b"content-length", b"transfer-encoding", b"connection", b"expect"))

_LINE = 1024
_OVERHEAD = 16384
"""Bytes of framing that are free; beyond them there may be no more framing than payload.

Chunks of one byte would make the decoder work a thousand times harder than the body is worth."""
_TRAILERS = 32
_AT_SIZE, _IN_DATA, _AFTER_DATA, _IN_TRAILERS = range(4)


class Chunks:
    """Feed it segments as they come; every split gives the same payload or the same refusal.

    trailers: accept and drop a trailer section (answers), or refuse it (requests).  limit: largest payload in bytes.
    """

    __slots__ = ("_allow_trailers", "_held", "_left", "_limit", "_overhead", "_room", "_state", "_trailers")

    def __init__(self, *, trailers: bool = False, limit: int | None = None) -> None:
        self._allow_trailers = trailers
        self._limit = self._room = limit
        self._left = 0
        self._state = _AT_SIZE
        self._held = b""
        self._trailers = 0
        self._overhead = -_OVERHEAD

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        """-> payload, and the bytes after the message (None until it is complete).

        Raises Refused: malformed_request, or body_too_large at the size that passes the limit.
        """
        if self._held:
            data, self._held = self._held + data, b""
        position, payload = 0, []
        while position < len(data):
            if self._state == _IN_DATA:
                piece = data[position:position + self._left]
                payload.append(piece)
                position += len(piece)
                self._overhead -= len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._state = _AFTER_DATA
                continue
            end = data.find(b"\n", position, position + _LINE)
            if end < 0:
                self._hold(data, position)
                break
            if data[end - 1:end] != b"\r" or end == position:
                raise Refused("malformed_request", "a chunk line does not end with CR LF")
            self._overhead += end + 1 - position
            if self._overhead > 0:
                raise Refused("malformed_request", "the chunks are so small that they are more framing than body")
            line, position = data[position:end - 1], end + 1
            if self._line(line):
                return b"".join(payload), data[position:]
        return b"".join(payload), None

    def _hold(self, data: bytes, position: int) -> None:
        """An unfinished line waits for its end, unless no end could make it right."""
        rest = data[position:]
        if len(rest) >= _LINE or b"\r" in rest[:-1] or (self._state == _AFTER_DATA and rest[:1] != b"\r"):
            raise Refused("malformed_request", "a chunk line does not end with CR LF")
        self._held = rest

    def _line(self, line: bytes) -> bool:
        """One line that is not data.  -> whether the message is complete."""
        if self._state == _AFTER_DATA:
            if line:
                raise Refused("malformed_request", "a chunk is longer than its size")
            self._state = _AT_SIZE
            return False
        if self._state == _IN_TRAILERS:
            if not line:
                return True
            self._trailer(line)
            return False
        match = _SIZE.fullmatch(line)
        if match is None:
            raise Refused("malformed_request", "a chunk size is not hexadecimal")
        self._left = int(match[1], 16)
        if self._room is not None:
            self._room -= self._left
            if self._room < 0:
                raise Refused("body_too_large", f"the limit is {self._limit} bytes")
        self._state = _IN_DATA if self._left else _IN_TRAILERS
        return False

    def _trailer(self, line: bytes) -> None:
        self._trailers += 1
        if not self._allow_trailers:
            raise Refused("malformed_request", "a trailer section cannot be signed")
        if (self._trailers > _TRAILERS or _TRAILER.fullmatch(line) is None
                or line.partition(b":")[0].lower() in _FRAMING):
            raise Refused("malformed_request", "a trailer line is malformed")

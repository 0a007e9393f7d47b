"""How an accepted connection ends: refused, too late, or to make room for others."""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import TYPE_CHECKING, cast

from proxy.core.message import Request
from proxy.errors import Refused
from proxy.wire.flow import Tap, has_arrived, reset
from proxy.wire.reader import RequestReader
from proxy.wire.room import Stay

if TYPE_CHECKING:
    from proxy.wire.connection import Connection
    from proxy.wire.server import Server

_LINGER = 1.0
_GIVE_UP = 5.0


class State(Enum):
    READING = 0
    BUSY = 1
    LINGER = 2
    CLOSED = 3


class Parting(asyncio.Protocol):
    """The ends of a Connection, which fills these attributes in."""

    __slots__ = ("_buffered", "_due", "_eof", "_full", "_reader", "_request", "_tap", "deadline", "requests", "server",
                 "state", "transport")

    server: Server
    state: State
    deadline: float
    requests: int
    transport: asyncio.Transport
    _reader: RequestReader
    _request: Request | None
    _tap: Tap
    _buffered: int
    _due: bool
    _eof: bool
    _full: bool

    @property
    def idle(self) -> bool:
        return self.state is State.READING and not self._reader.pending

    @property
    def stay(self) -> Stay | None:
        """Each deadline of a connection that reads began with its wait."""
        if self.state is not State.READING or self._full or self._due or self.transport.is_closing():
            return None
        timeouts = self.server.timeouts
        if self._reader.pending:
            return Stay("request", self.deadline - timeouts.read, self._buffered)
        if not self.requests:
            return Stay("silent", self.deadline - timeouts.read)
        return Stay("idle", self.deadline - timeouts.idle)

    def make_room(self, reason: str) -> bool:
        """-> False: it stays after all, as bytes of its caller are here, or of its answer are not out."""
        if self._reader.pending:
            self._refuse(Refused("overloaded", f"{reason}, and this request has not come whole"))
            return True
        if self.transport.get_write_buffer_size() or has_arrived(self.transport):
            return False
        self.transport.close()
        self.deadline = self.server.now() + _GIVE_UP
        return True

    def _account(self, held: int) -> None:
        """Keeps the sum of what all connections hold; past the budget who holds most is refused, if need be this one.
        """
        server = self.server
        server.buffered += held - self._buffered
        growing, self._buffered = held > self._buffered, held
        if growing and server.buffered > server.limits.buffered and self.state is State.READING:
            server.room.give_back(self, server.overfull, "limits.buffered is reached")
            if server.overfull():
                raise Refused("overloaded", "limits.buffered is reached")

    def abort(self) -> None:
        """Cuts the connection so that the caller cannot take what it has for a whole answer."""
        reset(self.transport)

    def close(self) -> None:
        self.transport.close()

    def expired(self) -> None:
        """The deadline passed."""
        if self.state is State.READING and self._reader.pending and not self._full:
            self._refuse(Refused("request_timeout"))
        elif self.state is State.BUSY or self._full or self.transport.is_closing():
            self.abort()                    # close() would wait for a caller that does not read
        else:
            self.transport.close()
            self.deadline = self.server.now() + _GIVE_UP

    def _refuse(self, error: Refused) -> None:
        """Answers bytes that are no request and interprets nothing after them."""
        own = self.server.application.refuse(cast("Connection", self), self._request, error)
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 %b\r\n%bConnection: close\r\n\r\n%b" % own)
        self._linger()

    def _linger(self) -> None:
        """Half-closes and drops what still comes, so that a reset does not overtake the answer."""
        self.state = State.LINGER
        self._reader.discard()
        self._account(0)
        if self._eof or self.transport.is_closing():
            self.transport.close()
            self.deadline = self.server.now() + _GIVE_UP
            return
        self.transport.write_eof()
        unsent = self.transport.get_write_buffer_size() > 0
        self.deadline = self.server.now() + (self.server.timeouts.client_write if unsent else _LINGER)
        self._tap.resume()

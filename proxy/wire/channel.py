"""One connection to a bank: at most one request on it at a time, written once, and its answer."""

from __future__ import annotations

import asyncio
from enum import Enum
from time import perf_counter
from typing import TYPE_CHECKING, Protocol, cast

from proxy.errors import Refused
from proxy.wire.answer import AnswerReader
from proxy.wire.flow import has_arrived
from proxy.wire.limits import Limits, Timeouts

if TYPE_CHECKING:
    from proxy.wire.ticket import Ticket

_NEVER = float("inf")
_GIVE_UP = 5.0


class Phase(Enum):
    IDLE = 0
    RESERVED = 1    # a request waits for its signature; nothing is written
    WAITING = 2     # written; for the kernel to take it all, then for the answer's head
    READING = 3     # the answer's body
    CLOSED = 4


class Home(Protocol):
    """Who gives a channel its requests: a pool, or the one call it was opened for."""

    limits: Limits
    timeouts: Timeouts

    def now(self) -> float:
        """Loop time."""

    def add(self, channel: Channel) -> None:
        """A fresh connection is up."""

    def free(self, channel: Channel) -> None:
        """It is clean and may carry another request."""

    def back(self, channel: Channel) -> None:
        """The same, of one whose request was withdrawn before a byte of it was written."""

    def now_closing(self, channel: Channel) -> None:
        """No call may take it any more."""

    def lost(self, channel: Channel) -> None: ...

    def answered(self) -> None:
        """The bank has answered a request whole."""

    def suffered(self) -> None:
        """It has not, after something was written."""

    def closed_early(self, idle: float) -> None:
        """The bank ended a connection without announcement, after so many seconds without a request."""

    def again(self, ticket: Ticket, *, reserved: bool) -> None:
        """Its connection died before the ticket's request was written (reserved), or before a byte of answer."""


class Channel(asyncio.Protocol):
    """born, idle_since: loop times.  dialled: seconds it took to come up.  used: it has answered before, so its peer
    may be closing it just now."""

    __slots__ = ("_answered", "_reader", "_since", "_ticket", "_written_at", "born", "deadline", "dialled",
                 "idle_since", "phase", "pool", "transport", "used")

    def __init__(self, pool: Home) -> None:
        self.pool = pool
        self.phase = Phase.IDLE
        self.deadline = _NEVER
        self.used = False
        self.born = self.idle_since = pool.now()
        self._ticket: Ticket | None = None
        self._reader: AnswerReader | None = None
        self._answered = False
        self._written_at = self.dialled = 0.0
        self._since = perf_counter()

    @property
    def usable(self) -> bool:
        """A write on a connection that is closing vanishes without a word."""
        return self.phase is Phase.IDLE and not self.transport.is_closing()

    @property
    def quiet(self) -> bool:
        """Whether its peer has said nothing since its last answer: what has come is read later, as if it were the
        answer to what is written now.  A fresh one may have things of TLS to read."""
        return not self.used or not has_arrived(self.transport)

    # --- a request's way out

    def reserve(self, ticket: Ticket) -> None:
        self.phase = Phase.RESERVED
        self._ticket = ticket
        ticket.channel = self
        self.deadline = ticket.deadline

    def release(self) -> None:
        """The reserved request was withdrawn before a byte of it was written."""
        if self.phase is not Phase.RESERVED:
            return
        self._ticket = None
        self.phase = Phase.IDLE
        self.pool.back(self)

    def write(self, data: bytes) -> None:
        """data: one whole request.  From here on the bank may have acted."""
        ticket = self._ticket
        assert ticket is not None
        assert self.phase is Phase.RESERVED
        self._reader = AnswerReader(ticket.method, self.pool.limits.head)
        self._answered = False
        ticket.written = True
        self._written_at = self.pool.now()
        self._enter(Phase.WAITING, min(self.pool.timeouts.write, self.pool.timeouts.first_byte))
        self.transport.write(data)

    def _enter(self, phase: Phase, timeout: float) -> None:
        self.phase = phase
        ticket = self._ticket
        limit = ticket.deadline if ticket is not None else _NEVER
        self.deadline = min(self.pool.now() + timeout, limit)

    # --- the transport's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.dialled = perf_counter() - self._since
        self.pool.add(self)

    def data_received(self, data: bytes) -> None:
        ticket, reader = self._ticket, self._reader
        if ticket is None or reader is None or self.phase not in (Phase.WAITING, Phase.READING):
            self._unasked()
            return
        self._answered = True
        try:
            rest = reader.feed(data, ticket.sink)
        except Refused as error:
            self._fail("upstream_malformed", error.detail)
            return
        if self._ticket is not ticket:      # given up from inside a sink call
            return
        if rest is not None:
            self._complete(ticket, clean=not rest)
        elif reader.response is not None:
            self._enter(Phase.READING, self.pool.timeouts.between_bytes)
            ticket.sink.flush()

    def eof_received(self) -> bool:
        """An orderly end; over TLS only close_notify gets here."""
        if self._ticket is not None and self._reader is not None and self._reader.ended_by_close():
            self._complete(self._ticket, clean=False)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        ticket, self._ticket = self._ticket, None
        reserved = self.phase is Phase.RESERVED
        if self.used:
            self._learn()
        self.phase = Phase.CLOSED
        self.pool.lost(self)
        if ticket is None:
            return
        ticket.channel = None
        if reserved or (self.used and not self._answered and ticket.safe):
            self.pool.again(ticket, reserved=reserved)
        else:
            ticket.fail("upstream_closed", begun=self._begun)

    @property
    def _begun(self) -> bool:
        return self._reader is not None and self._reader.response is not None

    def _learn(self) -> None:
        """The bank ended it: after how long without a request?"""
        if self.phase is Phase.WAITING and not self._answered:
            self.pool.closed_early(self._written_at - self.idle_since)
        elif self.phase in (Phase.IDLE, Phase.RESERVED):
            self.pool.closed_early(self.pool.now() - self.idle_since)

    def _unasked(self) -> None:
        """Bytes nobody asked for.  A request that is only reserved has not been sent and finds another connection."""
        self.transport.abort()

    # --- ends

    def _complete(self, ticket: Ticket, *, clean: bool) -> None:
        reader = self._reader
        assert reader is not None
        assert reader.response is not None
        self._ticket = self._reader = ticket.channel = None
        self.used = True
        self.pool.answered()
        reusable = (clean and not reader.response.close and not self.transport.is_closing()
                    and not self.transport.get_write_buffer_size())
        ticket.done = True
        try:
            ticket.sink.end()
        except Exception:
            self.give_up()
            raise
        if reusable:
            self.phase = Phase.IDLE
            self.deadline = _NEVER
        else:
            self.retire()
        self._go_on(ticket.follower, reusable=reusable)

    def _go_on(self, follower: Ticket | None, *, reusable: bool) -> None:
        if follower is None:
            if reusable:
                self.pool.free(self)
        elif reusable and self.quiet:
            follower.take(self)
        else:
            if reusable:
                self.retire()
            self.pool.again(follower, reserved=True)

    def retire(self) -> None:
        self.phase = Phase.CLOSED
        self.pool.now_closing(self)
        self.transport.close()
        self.deadline = self.pool.now() + _GIVE_UP

    def _fail(self, code: str, detail: str = "") -> None:
        ticket, self._ticket = self._ticket, None
        self.phase = Phase.CLOSED
        self.pool.now_closing(self)
        self.transport.abort()
        if ticket is not None:
            ticket.channel = None
            ticket.fail(code, detail, begun=self._begun)

    def give_up(self) -> None:
        """Nobody wants the rest of the answer: the connection cannot be used again."""
        self._ticket = None
        self.phase = Phase.CLOSED
        self.pool.now_closing(self)
        self.transport.abort()

    def pause(self) -> None:
        self.transport.pause_reading()
        if self._ticket is not None:
            self.deadline = self._ticket.deadline       # the caller's stall is not the bank's

    def resume(self) -> None:
        self.transport.resume_reading()
        if self.phase is Phase.READING:
            self._enter(Phase.READING, self.pool.timeouts.between_bytes)

    def expired(self) -> None:
        """The deadline passed."""
        if self.phase is Phase.WAITING:
            self._overdue()
        elif self.phase is Phase.READING:
            self._fail("upstream_timeout")
        elif self.phase is Phase.RESERVED:
            self._fail("signing_failed", "no signature in time")
        elif self.transport.is_closing():
            self.transport.abort()
        else:
            self.retire()

    def _overdue(self) -> None:
        """Which deadline is it: for taking the request, or for answering it?"""
        ticket = self._ticket
        assert ticket is not None
        now = self.pool.now()
        writing = self.transport.get_write_buffer_size() > 0
        allowed = self.pool.timeouts.write if writing else self.pool.timeouts.first_byte
        if now >= min(self._written_at + allowed, ticket.deadline):
            self._fail("upstream_write_timeout" if writing else "upstream_timeout")
        else:
            self._enter(Phase.WAITING, self._written_at + allowed - now)

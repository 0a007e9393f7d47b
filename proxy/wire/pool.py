"""Which connection to a bank a call takes, when it may be tried again, and what can truthfully be said of it.

    a safe call (GET, HEAD)    any idle connection; if that dies before a byte of answer: once more, on a fresh one
    any other call             a fresh connection, or one idle for less than two seconds and well within what this bank
                               is known to keep open (patience.py); never a second time
    nothing written yet        at most one retry after a failed connect, for every call
    an answer that its call does not take      a second request at once, on the same connection if that lasts
Each attempt is sealed anew at the moment its connection is ready, so that the date it carries is the date it leaves.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from proxy.errors import UpstreamFailed
from proxy.wire.breaker import Breaker, BreakerSettings
from proxy.wire.channel import Channel
from proxy.wire.dial import Dialer, Origin, is_ours
from proxy.wire.limits import Limits, Timeouts
from proxy.wire.patience import Patience
from proxy.wire.ticket import Call, Ticket


class Watch(Protocol):
    """What a pool reports: "opened", "reused", "retried", "connect_failed", "breaker_opened"."""

    def connection(self, event: str) -> None: ...


class Pool:
    """Connections to one origin."""

    def __init__(self, origin: Origin, dialer: Dialer, limits: Limits, timeouts: Timeouts, watch: Watch,
                 breaker: BreakerSettings | None = None) -> None:
        self.origin = origin
        self.breaker = Breaker(breaker or BreakerSettings())
        self.limits = limits
        self.timeouts = timeouts
        self._dialer = dialer
        self._watch = watch
        self._idle: list[Channel] = []              # newest last
        self._live: set[Channel] = set()
        self._waiting: deque[Ticket] = deque()
        self._dials: set[asyncio.Task[None]] = set()
        self._closed = False
        self.patience = Patience()
        self.now: Callable[[], float] = asyncio.get_running_loop().time

    def submit(self, call: Call, method: bytes, deadline: float) -> Ticket:
        """deadline: loop time by which the whole call is over."""
        ticket = Ticket(self, call, method, deadline)
        if self.breaker.open and not self.breaker.admits(self.now()):
            ticket.refuse(self.breaker.retry_after(self.now()))
        else:
            self._place(ticket)
        return ticket

    def _place(self, ticket: Ticket) -> None:
        channel = None if ticket.fresh_only else self._reusable(ticket)
        if channel is not None:
            self._watch.connection("reused")
            ticket.take(channel)
        else:
            self._waiting.append(ticket)
            self._dial()

    def _reusable(self, ticket: Ticket) -> Channel | None:
        oldest = float("-inf") if ticket.safe else self._youngest()
        found, speaking = None, []
        while found is None and self._idle and self._idle[-1].idle_since > oldest:
            channel = self._idle.pop()
            if not channel.usable:
                continue
            if channel.quiet:
                found = channel
            else:                           # what it has said is read in a moment, and was perhaps about TLS alone
                speaking.append(channel)
        self._idle += reversed(speaking)
        return found

    def _youngest(self) -> float:
        """Since when a connection may have been idle to carry a call that must not be sent twice."""
        now = self.now()
        return now - self.patience.limit(now)

    # --- connections come and go

    def _dial(self) -> None:
        wanted = len(self._waiting) - len(self._dials)
        room = self.limits.upstream_connections - len(self._live) - len(self._dials)
        if wanted > 0 and room <= 0 and self._idle:
            self._idle.pop(0).retire()      # too old for the call that waits; make room for a fresh one
        if wanted > 0 and room > 0 and not self._closed:
            task = asyncio.get_running_loop().create_task(self._open())
            self._dials.add(task)
            task.add_done_callback(self._dialled)

    async def _open(self) -> None:
        await self._dialer.open(self.origin, Channel(self), self.timeouts.connect)

    def _dialled(self, task: asyncio.Task[None]) -> None:
        self._dials.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            self._watch.connection("connect_failed")
            if not is_ours(error):
                self.suffered()
            self._connect_failed(error if isinstance(error, UpstreamFailed)
                                 else UpstreamFailed("internal_error", type(error).__name__, sent="no"))
        self._dial()

    def _connect_failed(self, error: UpstreamFailed) -> None:
        """One waiting call learns of it: the first failure sends it to the end of the queue, the second ends it."""
        while self._waiting:
            ticket = self._waiting.popleft()
            if ticket.done:
                continue
            ticket.connect_failures += 1
            ticket.last_failure = error
            if ticket.connect_failures == 1 and error.code not in ("upstream_tls", "self_connect"):
                self._watch.connection("retried")
                self._waiting.append(ticket)
            else:
                ticket.fail(error.code, error.detail)
            return

    def add(self, channel: Channel) -> None:
        """A fresh connection is up."""
        self._live.add(channel)
        self._watch.connection("opened")
        self.free(channel)

    def free(self, channel: Channel) -> None:
        """One that has just come up or answered."""
        now = channel.idle_since = self.now()
        self._offer(channel, now)

    def back(self, channel: Channel) -> None:
        """One whose call was withdrawn before it was written: it carried nothing, and is as old as it was."""
        self._offer(channel, self.now())
        self._idle.sort(key=_since)

    def _offer(self, channel: Channel, now: float) -> None:
        """A clean connection: to the first call that may use it, else among the idle."""
        if self._closed or channel.transport.is_closing() or now - channel.born > self.timeouts.upstream_age:
            channel.retire()
            self._dial()
            return
        for _ in range(len(self._waiting) if self._waiting and channel.quiet else 0):
            ticket = self._waiting.popleft()
            if ticket.done:
                continue
            if channel.used and (ticket.fresh_only or not (ticket.safe or channel.idle_since > self._youngest())):
                self._waiting.append(ticket)
                continue
            ticket.take(channel)
            return
        channel.deadline = channel.idle_since + self.timeouts.upstream_idle
        self._idle.append(channel)
        self._dial()

    def now_closing(self, channel: Channel) -> None:
        """No call may take it any more."""
        if channel in self._idle:
            self._idle.remove(channel)

    def answered(self) -> None:
        if self.breaker.failures:
            self.breaker.answered()

    def suffered(self) -> None:
        if self.breaker.failed(self.now()):
            self._watch.connection("breaker_opened")

    def closed_early(self, idle: float) -> None:
        self.patience.closed(idle, self.now())

    def lost(self, channel: Channel) -> None:
        self._live.discard(channel)
        self.now_closing(channel)
        self._dial()

    def again(self, ticket: Ticket, *, reserved: bool) -> None:
        """Its connection died.  reserved: before anything was written; else a safe call on a reused connection."""
        ticket.retries += 1
        if ticket.retries > 1 or self.now() >= ticket.deadline:
            ticket.fail("upstream_closed")
            return
        ticket.fresh_only = True
        ticket.queue_deadline = min(ticket.deadline, self.now() + self.timeouts.queue)
        if not reserved:
            self._watch.connection("retried")
        self._place(ticket)

    # --- time and end

    def tick(self) -> None:
        """Enforces every deadline; called a few times a second."""
        now = self.now()
        oldest = next((channel for channel in self._idle if channel.used), None)
        if oldest is not None:      # others have shown only how long the bank waits for a first request
            self.patience.kept(now - oldest.idle_since)
        if self._waiting:
            late = [ticket for ticket in self._waiting if ticket.queue_deadline < now]
            self._waiting = deque(t for t in self._waiting if t.queue_deadline >= now and not t.done)
            for ticket in late:
                ticket.fail(ticket.last_failure.code, ticket.last_failure.detail)
        for channel in [c for c in self._live if c.deadline < now]:
            try:
                channel.expired()
            except Exception:       # noqa: BLE001 - a fault of one call must not keep the others from their deadlines
                channel.transport.abort()

    @property
    def counts(self) -> tuple[int, int, int]:
        """Live and idle connections, waiting calls."""
        return len(self._live), len(self._idle), len(self._waiting)

    async def close(self) -> None:
        self._closed = True
        for task in list(self._dials):
            task.cancel()
        await asyncio.gather(*self._dials, return_exceptions=True)
        for channel in list(self._live):
            channel.transport.abort()


def _since(channel: Channel) -> float:
    return channel.idle_since

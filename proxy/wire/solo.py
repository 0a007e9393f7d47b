"""One request on one fresh plain connection: what a pool is to a channel, for a destination that is no bank."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from proxy.core.destinations import Destination
from proxy.errors import ProxyError, Refused, UpstreamFailed
from proxy.wire.channel import Channel
from proxy.wire.limits import Limits, Timeouts
from proxy.wire.outbound import Outbound
from proxy.wire.ticket import Call, Ticket


class Solos:
    """All requests of this kind that are in hand; tick() enforces their deadlines."""

    def __init__(self, outbound: Outbound, limits: Limits, timeouts: Timeouts) -> None:
        self.outbound = outbound
        self.limits = limits
        self.timeouts = timeouts
        self.live: set[Solo] = set()
        self.now: Callable[[], float] = asyncio.get_running_loop().time

    def submit(self, call: Call, method: bytes, destination: Destination, forbidden: Callable[[str], str],
               deadline: float) -> Ticket:
        """forbidden: as Outbound.open() takes it.  deadline: loop time.  The call is asked to seal() once, when the
        connection is there; nothing is ever sent again."""
        solo = Solo(self, call, method, deadline)
        solo.dial(destination, forbidden)
        return solo.ticket

    def tick(self) -> None:
        """Called a few times a second."""
        now = self.now()
        for solo in list(self.live):
            solo.tick(now)

    async def close(self) -> None:
        """Cuts what is left."""
        dials = [solo.dialling for solo in self.live if solo.dialling is not None]
        for solo in list(self.live):
            solo.cut()
        await asyncio.gather(*dials, return_exceptions=True)


class Solo:
    """Implements channel.Home for one channel.  dialling: the task, until the connection is there or is not."""

    def __init__(self, solos: Solos, call: Call, method: bytes, deadline: float) -> None:
        self._solos = solos
        self.limits, self.timeouts = solos.limits, solos.timeouts
        self.ticket = Ticket(self, call, method, deadline)
        self.dialling: asyncio.Task[None] | None = None
        self._channel: Channel | None = None
        solos.live.add(self)

    def now(self) -> float:
        return self._solos.now()

    def dial(self, destination: Destination, forbidden: Callable[[str], str]) -> None:
        self.dialling = asyncio.get_running_loop().create_task(self._solos.outbound.open(
            destination, forbidden, Channel(self), self.timeouts.connect))
        self.dialling.add_done_callback(self._dialled)

    def _dialled(self, task: asyncio.Task[None]) -> None:
        self.dialling = None
        if self._channel is not None:
            return
        self._solos.live.discard(self)
        error = None if task.cancelled() else task.exception()
        if task.cancelled() or self.ticket.done:
            return
        self.ticket.done = True
        known = isinstance(error, Refused | UpstreamFailed)
        failure = error if known else UpstreamFailed("internal_error", type(error).__name__, sent="no")
        assert isinstance(failure, ProxyError)
        self.ticket.sink.failed(failure, "no")

    def tick(self, now: float) -> None:
        channel, ticket = self._channel, self.ticket
        if channel is not None and channel.deadline < now:
            try:
                channel.expired()
            except Exception:       # noqa: BLE001 - a fault of one call must not keep the others from their deadlines
                channel.transport.abort()
        elif self.dialling is not None and (ticket.done or ticket.deadline < now):
            self.dialling.cancel()      # the caller has gone, or it has taken too long
            ticket.fail("upstream_connect_timeout")

    def cut(self) -> None:
        if self.dialling is not None:
            self.dialling.cancel()
        if self._channel is not None:
            self._channel.transport.abort()

    # --- channel.Home

    def add(self, channel: Channel) -> None:
        self._channel = channel
        if self.ticket.done:
            channel.retire()
        else:
            self.ticket.take(channel)

    def free(self, channel: Channel) -> None:
        """Nothing is kept for another request."""
        channel.retire()

    back = free

    def now_closing(self, channel: Channel) -> None:
        """No idle ones are listed here."""

    def answered(self) -> None:
        """Other hosts have no breaker: nothing waits for them but their own calls."""

    suffered = answered

    def closed_early(self, idle: float) -> None:
        """No connection is used twice here."""

    def lost(self, channel: Channel) -> None:
        self._solos.live.discard(self)

    def again(self, ticket: Ticket, *, reserved: bool) -> None:
        ticket.fail("upstream_closed")

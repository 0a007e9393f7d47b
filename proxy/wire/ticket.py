"""One call's place in a pool: what it may still do, and what can truthfully be said of it."""

from __future__ import annotations

import asyncio
from typing import Protocol

from proxy.core.message import Response
from proxy.errors import ProxyError, Refused, Sent, UpstreamFailed
from proxy.wire.channel import Channel, Home


class Call(Protocol):
    """One call's side of the pool: gives the bytes when asked, and is told the answer."""

    @property
    def left(self) -> bool:
        """Whether its caller has gone, or says no more, before anything was sent."""

    def seal(self, ticket: Ticket) -> bytes | None:
        """The whole request for this attempt, or None: ticket.deliver() comes later.  Raises ProxyError."""

    def head(self, response: Response) -> None: ...
    def body(self, data: bytes) -> None: ...
    def flush(self) -> None: ...
    def end(self) -> None: ...
    def failed(self, failure: ProxyError, sent: Sent) -> None: ...


class Ticket:
    """One call's place in the pool.  deadline: loop time.  written: a byte of it may have reached the bank."""

    __slots__ = ("channel", "connect_failures", "deadline", "done", "follower", "fresh_only", "last_failure", "method",
                 "pool", "queue_deadline", "retries", "safe", "sink", "written")

    def __init__(self, pool: Home, call: Call, method: bytes, deadline: float) -> None:
        self.pool = pool
        self.sink = call
        self.method = method
        self.safe = method in (b"GET", b"HEAD")
        self.deadline = deadline
        self.queue_deadline = min(deadline, pool.now() + pool.timeouts.queue)
        self.channel: Channel | None = None
        self.follower: Ticket | None = None
        self.written = self.done = self.fresh_only = False
        self.connect_failures = 0
        self.last_failure = UpstreamFailed("pool_timeout", sent="no")
        self.retries = 0

    def take(self, channel: Channel) -> None:
        """This connection is ours: seal for it and write."""
        channel.reserve(self)
        try:
            self._require_caller()
            data = self.sink.seal(self)
        except ProxyError as error:
            self._withdraw(error)
            return
        except Exception as error:      # noqa: BLE001 - a fault of ours: nothing was written, and that is what is said
            self._withdraw(ProxyError("internal_error", type(error).__name__))
            return
        if data is not None:
            channel.write(data)

    def has(self, channel: Channel) -> bool:
        """Whether the call still waits for this connection to be written to."""
        return not self.done and self.channel is channel

    def deliver(self, channel: Channel, outcome: bytes | ProxyError) -> None:
        """A seal that took its time.  channel: the one it was made for; if that is gone, so is the seal."""
        if not self.has(channel):
            return
        if isinstance(outcome, ProxyError):
            self._withdraw(outcome)
        elif not channel.transport.is_closing():    # else it would vanish: the channel's end finds another one
            try:
                self._require_caller()
            except Refused as error:
                self._withdraw(error)
            else:
                channel.write(outcome)

    def _require_caller(self) -> None:
        """Raises Refused("caller_closed"): one that has given up, and will call again, must not pay twice."""
        if not self.written and self.sink.left:
            raise Refused("caller_closed")

    def _withdraw(self, error: ProxyError) -> None:
        channel, self.channel = self.channel, None
        self.done = True
        if channel is not None:     # on a fresh stack: the next call in line may be withdrawn as well
            asyncio.get_running_loop().call_soon(channel.release)
        self.sink.failed(error, "maybe" if self.written else "no")

    def fail(self, code: str, detail: str = "", *, begun: bool = False) -> None:
        """begun: the bank has begun to answer, so it is there; why the rest is missing may be the caller's doing."""
        if not self.done:
            self.done = True
            if self.written and not begun:
                self.pool.suffered()
            sent: Sent = "maybe" if self.written else "no"
            self.sink.failed(UpstreamFailed(code, detail, sent=sent), sent)

    def refuse(self, retry_after: int) -> None:
        """The bank is down; nothing is tried."""
        self.done = True
        failure = UpstreamFailed("breaker_open", sent="no")
        failure.retry_after = retry_after
        self.sink.failed(failure, "no")

    def cancel(self) -> bool:
        """The caller is gone.  -> True: nothing was written and nothing will be; False: it may have been executed."""
        if self.written:
            return False
        self.done = True
        channel, self.channel = self.channel, None
        if channel is not None:
            channel.release()
        return True

    def give_up(self) -> None:
        """The rest of the answer is not wanted."""
        channel, self.channel = self.channel, None
        self.done = True
        if channel is not None:
            channel.give_up()

    def follow(self) -> Ticket:
        """A second request of this call, asked for from within sink.end(): this connection takes it before it is free
        for others, because the bank's machines behind one name may differ."""
        self.follower = Ticket(self.pool, self.sink, self.method, self.deadline)
        return self.follower

    def pause(self) -> None:
        if self.channel is not None and self.written:
            self.channel.pause()

    def resume(self) -> None:
        if self.channel is not None and self.written:
            self.channel.resume()

"""Exchanges with Vault on the event loop, for what a request waits for: a thread and the way there and back cost more.

A link is one connection with one exchange on it at a time, and is kept for the next.  An exchange has one deadline,
whatever it waits for: a name, a connection, TLS, the answer's last byte.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Final, cast

from proxy.errors import KeyUnusable
from proxy.keys.vault.dialling import Dialler
from proxy.keys.vault.exchange import BROKE, IDLE_S, LATE, LATE_TO_CONNECT, NOT_HTTP, STOPPING, Answer, Unreachable
from proxy.keys.vault.place import Address
from proxy.keys.vault.reading import Malformed, Reading

Outcome = Answer | Unreachable | KeyUnusable
_EARLY_S: Final = 0.002
"""A timer of the loop may come as much before its time."""


class _Asked:
    """One exchange.  settle() is told how it ends; only the first time counts."""

    __slots__ = ("_home", "_told", "deadline", "dial", "link", "question")

    def __init__(self, home: Links, question: bytes, deadline: float, told: Callable[[Outcome], None]) -> None:
        self._home = home
        self.question = question
        self.deadline = deadline
        self.link: Link | None = None
        self.dial: asyncio.Task[None] | None = None
        self._told: Callable[[Outcome], None] | None = told

    @property
    def over(self) -> bool:
        return self._told is None

    def settle(self, outcome: Outcome) -> None:
        told, self._told = self._told, None
        self.link = self.dial = None
        if told is not None:
            del self._home.asked[self]
            told(outcome)

    def late(self) -> None:
        self.end(Unreachable(LATE if self.link is not None else LATE_TO_CONNECT, late=True))

    def end(self, outcome: Unreachable) -> None:
        """Gives up, wherever it is."""
        link, dial = self.link, self.dial
        self.settle(outcome)
        if link is not None:
            link.abort()
        elif dial is not None:
            dial.cancel()


class Link(asyncio.Protocol):
    """One connection.  since: loop time of its last answer."""

    __slots__ = ("_asked", "_home", "_reading", "_transport", "_used", "since")

    def __init__(self, home: Links) -> None:
        self._home = home
        self._asked: _Asked | None = None
        self._reading = Reading()
        self._used = False
        self.since = 0.0

    @property
    def usable(self) -> bool:
        return not self._transport.is_closing()

    def carry(self, asked: _Asked) -> None:
        asked.link, self._asked = self, asked
        if self._used:
            self._reading = Reading()
        self._transport.write(asked.question)

    def abort(self) -> None:
        self._asked = None
        self._home.forget(self)
        self._transport.abort()

    # --- the transport's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)        # uvloop's is no subclass of it
        self._home.links.add(self)

    def data_received(self, data: bytes) -> None:
        asked = self._asked
        if asked is None:           # nobody has asked: whatever it is, the next answer would be taken for another one
            self.abort()
            return
        try:
            whole = self._reading.feed(data)
        except Malformed:
            asked.end(Unreachable(NOT_HTTP))
            return
        if whole:
            self._answered(asked)

    def eof_received(self) -> bool:
        """Perhaps an answer without a length, which is whole now; else connection_lost() says what is to be said."""
        asked = self._asked
        if asked is not None:
            try:
                self._reading.feed(b"")
            except (ConnectionResetError, Malformed):
                return False
            self._answered(asked)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        asked, self._asked = self._asked, None
        self._home.forget(self)
        if asked is not None:
            asked.link = None
            self._home.broken(asked, stale=self._used and not self._reading.began)

    def _answered(self, asked: _Asked) -> None:
        reading, self._asked = self._reading, None
        self._used = True
        if reading.kept and self.usable:
            self._home.free(self)
        else:
            self.abort()
        asked.settle(Answer(reading.status, reading.body))


class Links:
    """Connections to one Vault from one event loop.  links: all of them.  asked: exchanges, oldest first."""

    def __init__(self, address: Address, context: Callable[[], ssl.SSLContext], most: int) -> None:
        """Called on the loop.  context: reads files, and is called in a thread.  most: connections that are kept."""
        self.links: set[Link] = set()
        self.asked: dict[_Asked, None] = {}
        self._dialler = Dialler(address, context)
        self._most = most
        self._loop = asyncio.get_running_loop()
        self._idle: list[Link] = []                 # newest last
        self._dials: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def ask(self, question: bytes, deadline: float, told: Callable[[Outcome], None]) -> None:
        """question: one whole request.  deadline: monotonic, and never before that of an earlier one.  told: later,
        once; KeyUnusable when a file of TLS is bad.

        A kept connection that turns out to be closed is replaced once, as Exchanges.ask() does and for its reasons.
        """
        asked = _Asked(self, question, deadline, told)
        self.asked[asked] = None
        if self._timer is None:
            self._watch(deadline)
        link = self._take()
        if link is not None:
            link.carry(asked)
        else:
            self._dial(asked)

    def close(self) -> None:
        """Ends every exchange: who has asked is told at once."""
        self._closed = True
        for asked in list(self.asked):
            asked.end(Unreachable(STOPPING))
        for link in list(self.links):
            link.abort()
        if self._timer is not None:
            self._timer.cancel()

    async def closed(self) -> None:
        """After close(): nothing is left that the loop would have to run."""
        await asyncio.gather(*self._dials, return_exceptions=True)

    # --- deadlines

    def _watch(self, deadline: float) -> None:
        self._timer = self._loop.call_later(max(0.0, deadline - monotonic()), self._look)

    def _look(self) -> None:
        """One timer for all, as their deadlines come in the order in which they were asked."""
        now = monotonic() + _EARLY_S
        try:
            for asked in [asked for asked in self.asked if asked.deadline <= now]:
                asked.late()
        finally:
            self._timer = None
            if self.asked and not self._closed:
                self._watch(next(iter(self.asked)).deadline)

    # --- for links

    def free(self, link: Link) -> None:
        now = link.since = self._loop.time()
        while self._idle and (self._idle[0].since < now - IDLE_S or len(self._idle) >= self._most):
            self._idle.pop(0).abort()
        self._idle.append(link)

    def forget(self, link: Link) -> None:
        """It is not to be used any more."""
        self.links.discard(link)
        if link in self._idle:
            self._idle.remove(link)

    def broken(self, asked: _Asked, *, stale: bool) -> None:
        if stale and not asked.over:
            self._dial(asked)
        else:
            asked.settle(Unreachable(BROKE))

    def _take(self) -> Link | None:
        oldest = self._loop.time() - IDLE_S
        while self._idle:
            link = self._idle.pop()
            if link.usable and link.since > oldest:
                return link
            link.abort()
        return None

    # --- connections come

    def _dial(self, asked: _Asked) -> None:
        if self._closed:
            self._loop.call_soon(asked.settle, Unreachable(STOPPING))
            return
        asked.dial = task = self._loop.create_task(self._open(asked))
        self._dials.add(task)
        task.add_done_callback(self._dials.discard)

    async def _open(self, asked: _Asked) -> None:
        try:
            link = await self._dialler.connected(partial(Link, self), asked.deadline)
        except (Unreachable, KeyUnusable) as error:
            asked.settle(error)
            return
        except Exception:           # noqa: BLE001 - a fault of ours: whoever waits is told
            asked.settle(Unreachable(BROKE))
            return
        asked.dial = None
        if asked.over:
            link.abort()
        elif link.usable:
            link.carry(asked)
        else:                       # it came and went within one turn: nobody would ever be told
            asked.settle(Unreachable(BROKE))

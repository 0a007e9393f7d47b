"""Two byte transports coupled: what one receives the other sends, at flat memory, and each end is passed on as it came.

A direction holds at most one buffer.  The write is tried at once; where the kernel does not take it all, the transport
keeps the rest and reading on the other side stops until it is out.  That is why the buffer need not be copied, and why
one is enough for all relays that do not stall.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, TypeAlias, cast

from proxy.wire.flow import Tap, reset

Ending: TypeAlias = Literal["closed", "reset", "idle_timeout", "aborted"]
"""closed: both sides ended in an orderly way.  aborted: we cut it."""

CHUNK = 65536
"""Bytes read at a time."""
_SPARE = 8
_GIVE_UP = 5.0
_QUIET = 2.0
"""Seconds without a byte after which a tunnel may be closed when the proxy stops."""


class Buffers:
    """Read buffers of one event loop.  current: the one that the next read fills, whoever reads."""

    __slots__ = ("_spare", "current")

    def __init__(self) -> None:
        self.current = memoryview(bytearray(CHUNK))
        self._spare: list[memoryview] = []

    def keep(self) -> memoryview:
        """-> the current one, which a transport has not finished with; the next read gets another."""
        kept = self.current
        self.current = self._spare.pop() if self._spare else memoryview(bytearray(CHUNK))
        return kept

    def back(self, buffer: memoryview) -> None:
        if len(self._spare) < _SPARE:
            self._spare.append(buffer)


class Relay:
    """near: the caller's side.  far: the destination's.  Each is a protocol that gets its connection_made().

    Either may come first; what it receives until the other is there, one buffer at most, is kept.  `deadline` is loop
    time: whoever ticks calls expired() when it has passed.  on_end is called once, when no transport is left.
    """

    __slots__ = ("_idle", "_now", "_on_end", "buffers", "deadline", "ending", "far", "near")

    def __init__(self, buffers: Buffers, *, now: Callable[[], float], idle: float,
                 on_end: Callable[[Relay], None]) -> None:
        """idle: seconds without a byte in either direction."""
        self.buffers = buffers
        self.ending: Ending | None = None
        self._now, self._idle, self._on_end = now, idle, on_end
        self.near, self.far = Side(self), Side(self)
        self.near.other, self.far.other = self.far, self.near
        self.moved()

    @property
    def transport(self) -> asyncio.Transport | None:
        """The caller's."""
        return self.near.transport

    @property
    def sent(self) -> int:
        """Bytes that came from the caller."""
        return self.near.received

    @property
    def received(self) -> int:
        """Bytes that came from the destination."""
        return self.far.received

    @property
    def idle(self) -> bool:
        """Whether it seems unused; what is said in it nobody here can tell."""
        return self._now() > self.deadline - self._idle + _QUIET

    @property
    def stay(self) -> None:
        """What is said in it nobody here can tell, so it is never ended for others."""

    def make_room(self, reason: str) -> bool:
        return False

    def moved(self) -> None:
        self.deadline = self._now() + self._idle

    def expired(self) -> None:
        self._cut("idle_timeout")

    def abort(self) -> None:
        self._cut("aborted")

    def close(self) -> None:
        """Ends it in order: nothing is on its way."""
        self.ending = self.ending or "aborted"
        self.deadline = self._now() + _GIVE_UP
        for side in (self.near, self.far):
            if side.transport is not None:
                side.transport.close()

    def _cut(self, ending: Ending) -> None:
        if self.ending is None or ending == "idle_timeout":
            self.ending = ending
        self.deadline = self._now() + _GIVE_UP
        for side in (self.near, self.far):
            if side.transport is not None:
                reset(side.transport)

    def finish(self) -> None:
        """Both sides have said that they send no more: what is still held is written, then they close."""
        self.ending = "closed"
        for side in (self.near, self.far):
            if side.transport is not None:
                side.transport.close()

    def lost(self, exc: Exception | None) -> None:
        """One transport is gone."""
        if self.ending is None:
            self._cut("reset" if exc is not None else "aborted")
        elif self.ending == "closed" and exc is not None:
            self.ending = "reset"           # before it had taken everything
        if self.near.transport is None and self.far.transport is None and self._on_end is not _nothing:
            on_end, self._on_end = self._on_end, _nothing
            on_end(self)


def _nothing(relay: Relay) -> None:
    """A relay ends once."""


class Side(asyncio.BufferedProtocol):
    """One end of a relay.  received: bytes it has received.  held: a buffer its transport has not written out yet."""

    __slots__ = ("_early", "_eof", "_held", "_relay", "_tap", "other", "received", "transport")

    other: Side

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self.transport: asyncio.Transport | None = None
        self.received = 0
        self._early = b""
        self._eof = False
        self._held: memoryview | None = None

    # --- the transport's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if self._relay.ending is not None:      # the other side went, or the deadline passed, before this one came
            reset(self.transport)
            return
        self.transport.set_write_buffer_limits(0)
        self.transport.pause_reading()          # also makes a transport that was handed over see a BufferedProtocol
        self._tap = Tap(self.transport)
        self._tap.paused = True
        other = self.other
        if other.transport is not None:
            self._relay.moved()
            other._begin()
            self._begin()

    def _begin(self) -> None:
        """Both sides are here."""
        early, self._early = self._early, b""
        if early:
            self._pass_on(early)
        if self._eof:
            self._pass_eof()
        elif self.other._held is None:
            self._tap.resume()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._relay.buffers.current

    def buffer_updated(self, nbytes: int) -> None:
        other = self.other
        transport = other.transport
        relay = self._relay
        if transport is None or not nbytes:
            self.data_received(bytes(relay.buffers.current[:nbytes]))
            return
        self.received += nbytes
        relay.moved()
        transport.write(relay.buffers.current[:nbytes])
        if transport.get_write_buffer_size():
            other._held = relay.buffers.keep()
            self._tap.pause()

    def data_received(self, data: bytes) -> None:
        """Bytes that were read before the transport was handed over, or before the other side was there."""
        self.received += len(data)
        self._relay.moved()
        if self.other.transport is not None and not self._early:
            self._pass_on(data)
        else:
            self._early += data
            self._stop()

    def _stop(self) -> None:
        """A pause in connection_made() is not always one: before Python 3.12, asyncio begins to read after it."""
        transport = self.transport
        if transport is not None and not transport.is_closing():
            transport.resume_reading()
            transport.pause_reading()
            self._tap.paused = True

    def _pass_on(self, data: bytes) -> None:
        transport = self.other.transport
        assert transport is not None
        transport.write(data)
        if transport.get_write_buffer_size():
            self.other._held = memoryview(b"")
            self._tap.pause()

    def pause_writing(self) -> None:
        """Reading on the other side was stopped when the write fell short."""

    def resume_writing(self) -> None:
        held, self._held = self._held, None
        if held is not None and len(held) == CHUNK:
            self._relay.buffers.back(held)
        self._relay.moved()
        other = self.other
        if other.transport is not None and not other._eof and other._early == b"":
            other._tap.resume()

    def eof_received(self) -> bool:
        """A half-close: passed on behind what is still to be written; the other direction goes on."""
        self._eof = True
        if self.other.transport is not None and not self._early:
            self._pass_eof()
        return True

    def _pass_eof(self) -> None:
        other = self.other
        self._relay.moved()
        if other._eof and not other._early:
            self._relay.finish()
        elif other.transport is not None and not other.transport.is_closing():
            other.transport.write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._held = None
        self._early = b""
        self._relay.lost(exc)

"""Keeps slow keys off the event loop: an RSA-2048 operation is short enough to stay, anything longer is not.

The threads are our own: an executor's future between two threads and the loop's future around it cost a signature in
one a third of its processor time, and the interpreter would wait for an executor's threads at its end.  A key elsewhere
that can be asked on the loop needs none of them while all is well: a thread and the way there and back cost it more
than asking.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from math import inf
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any, Final

from proxy.errors import KeyUnusable, ProxyError
from proxy.keys.source import Begins, Begun, Lanes, Signer

_LOCAL: Final = Lanes("sign", 2, 1 << 20)
"""For keys in this process: more threads than cores help nobody, and requests in hand are bounded elsewhere."""

Done = Callable[[bytes | ProxyError], None]
_LATE: Final = "it has waited too long for its turn"
_STOPPING: Final = "the proxy is stopping"


class _Threads:
    """One source's threads.  All but `_work` runs on the event loop.  count: signatures in hand or in line."""

    def __init__(self, lanes: Lanes, loop: asyncio.AbstractEventLoop) -> None:
        self._lanes = lanes
        self._loop = loop
        self._line: SimpleQueue[tuple[Callable[[], bytes], Done, float] | None] = SimpleQueue()
        self._started = 0
        self.count = 0

    def submit(self, signer: Signer, message: bytes, done: Done) -> None:
        self.run(partial(signer.sign, message), done)

    def run(self, work: Callable[[], bytes], done: Done) -> None:
        if self.count >= self._lanes.threads + self._lanes.waiting:
            self._loop.call_soon(done, KeyUnusable("signing_busy"))
            return
        self.count += 1
        if self.count > self._started and self._started < self._lanes.threads:
            self._started += 1
            Thread(target=self._work, name=f"{self._lanes.name} {self._started}", daemon=True).start()
        self._line.put((work, done, monotonic()))

    def close(self) -> None:
        """What is in hand is told to nobody any more; what stands in line fails."""
        try:
            while True:
                work = self._line.get_nowait()
                if work is not None:
                    self._loop.call_soon(self._deliver, work[1], KeyUnusable("signing_failed", _STOPPING))
        except Empty:
            pass
        for _ in range(self._started):
            self._line.put(None)

    def _work(self) -> None:
        while (taken := self._line.get()) is not None:
            work, done, came = taken
            outcome: bytes | ProxyError
            try:
                outcome = (work() if monotonic() - came <= self._lanes.patience
                           else KeyUnusable("signing_busy", _LATE))
            except BaseException as error:  # noqa: BLE001 - whatever a source does, somebody waits for the outcome
                outcome = signing_failure(error)
            try:
                self._loop.call_soon_threadsafe(self._deliver, done, outcome)
            except RuntimeError:
                return                  # the loop is closed: nobody waits any more

    def _deliver(self, done: Done, outcome: bytes | ProxyError) -> None:
        self.count -= 1
        done(outcome)


class _Turns:
    """One source that is asked on the loop.  in_hand: signatures begun and not over, also those that go on in a thread.

    A request that waits for its signature keeps a connection to the bank.  So that a source that hangs does not keep
    all of them from other keys, it gets no more than half of them once nothing has come for half of the patience.
    """

    def __init__(self, lanes: Lanes, loop: asyncio.AbstractEventLoop, connections: int) -> None:
        """connections: that a bank may have."""
        self._few = max(1, connections // 2)
        self._silent_since = self._idle_since = -inf
        self._lanes = lanes
        self._loop = loop
        self._threads = _Threads(lanes, loop)
        self._line: deque[tuple[Begins, bytes, Done, float]] = deque()
        self.in_hand = 0

    def submit(self, signer: Begins, message: bytes, done: Done) -> None:
        if self.in_hand + len(self._line) >= self._few and self._hangs():
            self._loop.call_soon(done, KeyUnusable("signing_busy", "no signature has come for a while"))
        elif self.in_hand < self._lanes.threads:
            self._begin(signer, message, done)
        elif len(self._line) < self._lanes.waiting:
            self._line.append((signer, message, done, monotonic()))
        else:
            self._loop.call_soon(done, KeyUnusable("signing_busy"))

    def _hangs(self) -> bool:
        return monotonic() - self._silent_since > self._lanes.patience / 2

    def _begin(self, signer: Begins, message: bytes, done: Done) -> None:
        if not self.in_hand and monotonic() - self._idle_since > self._lanes.patience:
            self._silent_since = monotonic()        # what was long ago says nothing
        self.in_hand += 1
        try:
            signer.begin(message, partial(self._told, done))
        except Exception as error:      # noqa: BLE001 - whatever a source does, somebody waits for the outcome
            self._loop.call_soon(self._told, done, signing_failure(error))

    def _told(self, done: Done, begun: Begun | ProxyError) -> None:
        if isinstance(begun, bytes):
            self._over(done, begun)
        elif isinstance(begun, ProxyError):
            self._over(done, signing_failure(begun))
        else:
            self._threads.run(begun, partial(self._over, done))

    def _over(self, done: Done, outcome: bytes | ProxyError) -> None:
        self.in_hand -= 1
        if isinstance(outcome, bytes):
            self._silent_since = monotonic()
        if not self.in_hand:
            self._idle_since = monotonic()
        while self._line and self.in_hand < self._lanes.threads:
            signer, message, next_done, came = self._line.popleft()
            if monotonic() - came <= self._lanes.patience:
                self._begin(signer, message, next_done)
            else:
                self._loop.call_soon(next_done, KeyUnusable("signing_busy", _LATE))
        done(outcome)

    def close(self) -> None:
        """What is in hand is for its signer to end; what stands in line fails."""
        while self._line:
            self._loop.call_soon(self._line.popleft()[2], KeyUnusable("signing_failed", _STOPPING))
        self._threads.close()


class Sealing:
    """Threads for keys whose sign() must not run on the loop; none is started before it is needed."""

    def __init__(self, connections: int) -> None:
        """connections: that a bank may have."""
        self._connections = connections
        self._sources: dict[Lanes, _Threads | _Turns] = {}
        self._last: tuple[Lanes | None, Any] = (None, None)

    def submit(self, signer: Signer, message: bytes, done: Done) -> None:
        """done: called on the event loop with the signature or the failure, never before this returns."""
        lanes: Lanes = getattr(signer, "lanes", _LOCAL)
        known, source = self._last          # what is equal takes its time to be told
        if known is not lanes:
            source = self._source(signer, lanes)
            self._last = lanes, source
        source.submit(signer, message, done)

    def _source(self, signer: Signer, lanes: Lanes) -> _Threads | _Turns:
        source = self._sources.get(lanes)
        if source is None:
            loop = asyncio.get_running_loop()
            source = _Turns(lanes, loop, self._connections) if hasattr(signer, "begin") else _Threads(lanes, loop)
            self._sources[lanes] = source
        return source

    def close(self) -> None:
        for source in self._sources.values():
            source.close()


def signing_failure(error: BaseException) -> ProxyError:
    """A key's failure as the caller sees it: as it is where it has a status; of a foreign exception only the type."""
    if isinstance(error, ProxyError) and error.problem.status:
        return error
    return KeyUnusable("signing_failed", error.code if isinstance(error, ProxyError) else type(error).__name__)

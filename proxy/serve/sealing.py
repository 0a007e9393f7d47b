"""Keeps slow keys off the event loop: an RSA-2048 operation is short enough to stay, anything longer is not.

The threads are our own: an executor's future between two threads and the loop's future around it cost a signature that
waits for Vault a third of its processor time, and the interpreter would wait for an executor's threads at its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Final

from proxy.errors import KeyUnusable, ProxyError
from proxy.keys.source import Lanes, Signer

_LOCAL: Final = Lanes("sign", 2, 1 << 20)
"""For keys in this process: more threads than cores help nobody, and requests in hand are bounded elsewhere."""

Done = Callable[[bytes | ProxyError], None]
_Work = tuple[Signer, bytes, Done, float]
"""Last: when it came, monotonic."""


class _Threads:
    """One source's threads.  All but `_work` runs on the event loop.  count: signatures in hand or in line."""

    def __init__(self, lanes: Lanes, loop: asyncio.AbstractEventLoop) -> None:
        self._lanes = lanes
        self._loop = loop
        self._line: SimpleQueue[_Work | None] = SimpleQueue()
        self._started = 0
        self.count = 0

    def submit(self, work: _Work) -> None:
        if self.count >= self._lanes.threads + self._lanes.waiting:
            self._loop.call_soon(work[2], KeyUnusable("signing_busy"))
            return
        self.count += 1
        if self.count > self._started and self._started < self._lanes.threads:
            self._started += 1
            Thread(target=self._work, name=f"{self._lanes.name} {self._started}", daemon=True).start()
        self._line.put(work)

    def close(self) -> None:
        """What is in hand is told to nobody any more; what stands in line fails."""
        try:
            while True:
                work = self._line.get_nowait()
                if work is not None:
                    self._loop.call_soon(self._deliver, work[2], KeyUnusable("signing_failed", "the proxy is stopping"))
        except Empty:
            pass
        for _ in range(self._started):
            self._line.put(None)

    def _work(self) -> None:
        while (work := self._line.get()) is not None:
            signer, message, done, came = work
            outcome: bytes | ProxyError
            try:
                outcome = (signer.sign(message) if monotonic() - came <= self._lanes.patience
                           else KeyUnusable("signing_busy", "it has waited too long for its turn"))
            except BaseException as error:  # noqa: BLE001 - whatever a source does, somebody waits for the outcome
                outcome = signing_failure(error)
            try:
                self._loop.call_soon_threadsafe(self._deliver, done, outcome)
            except RuntimeError:
                return                  # the loop is closed: nobody waits any more

    def _deliver(self, done: Done, outcome: bytes | ProxyError) -> None:
        self.count -= 1
        done(outcome)


class Sealing:
    """Threads for keys whose sign() must not run on the loop; none is started before the first such signature."""

    def __init__(self) -> None:
        self._threads: dict[Lanes, _Threads] = {}

    def submit(self, signer: Signer, message: bytes, done: Done) -> None:
        """done: called on the event loop with the signature or the failure, never before this returns."""
        lanes: Lanes = getattr(signer, "lanes", _LOCAL)
        threads = self._threads.get(lanes)
        if threads is None:
            threads = self._threads[lanes] = _Threads(lanes, asyncio.get_running_loop())
        threads.submit((signer, message, done, monotonic()))

    def close(self) -> None:
        for threads in self._threads.values():
            threads.close()


def signing_failure(error: BaseException) -> ProxyError:
    """A key's failure as the caller sees it: as it is where it has a status; of a foreign exception only the type."""
    if isinstance(error, ProxyError) and error.problem.status:
        return error
    return KeyUnusable("signing_failed", error.code if isinstance(error, ProxyError) else type(error).__name__)

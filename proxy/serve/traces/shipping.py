"""The thread that sends spans: a collector that is slow, gone or mad costs spans, and never a call.

Finished calls wait in a queue with a bound.  The thread takes them every few seconds, or when there is a batch of them;
one batch has one deadline, that of the exporter.  What has no room and what the collector does not take is counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from proxy.serve.traces.finished import Finished

log = logging.getLogger(__name__)

BATCH: Final = 256
"""Calls that are sent at once."""
Send = Callable[[Sequence[Finished]], bool]
"""Blocks until the collector has taken the spans of these calls (True), or until the deadline."""


class Shipping:
    """Made on the event loop; close() when it ends.  spans: how many, by what became of them."""

    def __init__(self, send: Send, end: Callable[[], None], *, interval: float, queue: int) -> None:
        """end: called in the thread when nothing more will be sent.  interval: seconds.  queue: calls that may wait."""
        self.spans: dict[tuple[str, ...], float] = {("exported",): 0, ("failed",): 0, ("no_room",): 0}
        self._send = send
        self._end = end
        self._interval = interval
        self._room = queue
        self._waiting: deque[Finished] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._failing = False
        self._thread = threading.Thread(target=self._work, name="traces", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def keep(self, call: Finished) -> None:
        """On the event loop."""
        if len(self._waiting) >= self._room:
            self.spans["no_room",] += call.spans
            return
        self._waiting.append(call)
        if len(self._waiting) >= BATCH:
            self._wake.set()

    async def close(self, limit: float) -> None:
        """Sends what waits, for at most so many seconds; the thread is a daemon and keeps no process."""
        self._closing = True
        self._wake.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await self._ended.wait()
        if not self._ended.is_set():
            log.warning("the collector has not taken the last spans in time: those of %d calls and more are lost",
                        len(self._waiting))
            self._waiting.clear()

    # --- the thread

    def _work(self) -> None:
        while not self._closing or self._waiting:
            self._wake.wait(self._interval)
            self._wake.clear()
            while batch := self._batch():
                self._ship(batch)
        self._end()
        with contextlib.suppress(RuntimeError):     # the loop has not waited for it
            self._loop.call_soon_threadsafe(self._ended.set)

    def _batch(self) -> list[Finished]:
        batch: list[Finished] = []
        with contextlib.suppress(IndexError):
            while len(batch) < BATCH:
                batch.append(self._waiting.popleft())
        return batch

    def _ship(self, batch: list[Finished]) -> None:
        try:
            taken = self._send(batch)
        except Exception as error:      # noqa: BLE001 - whatever the exporter raises, the next batch has its turn
            log.debug("the exporter of spans failed (%s)", type(error).__name__)
            taken = False
        self.spans["exported" if taken else "failed",] += sum(call.spans for call in batch)
        if taken == self._failing:
            self._failing = not taken
            if taken:
                log.info("the collector takes spans again")
            else:
                log.warning("the collector does not take spans; until it does they are dropped and counted "
                            "(signing_proxy_spans_total); check traces.endpoint, headers_file and the collector's log")

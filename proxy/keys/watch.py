"""Reloads a keyring when its files change, without anybody having to ask."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

from proxy.keys.aside import aside
from proxy.keys.keyring import Keyring, ReloadOutcome

log = logging.getLogger(__name__)


class Watch:
    """Owns one polling task.

    clock: aware now.  on_failure: called on the event loop with what killed the task, once; a Watch that died stays
    dead until start() is called again.  on_outcome: after every attempt, for metrics.  sleep: seconds.
    """

    def __init__(
        self,
        keyring: Keyring,
        *,
        clock: Callable[[], datetime],
        on_failure: Callable[[BaseException], None],
        on_outcome: Callable[[ReloadOutcome], None] = lambda outcome: None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._keyring = keyring
        self._clock = clock
        self._on_failure = on_failure
        self._on_outcome = on_outcome
        self._sleep = sleep
        self._task: asyncio.Task[None] | None = None
        self._told: tuple[str, str] | None = None

    @property
    def running(self) -> bool:
        return self._task is not None and not self._task.done()

    def start(self, interval_s: float) -> None:
        """Begins to poll every interval_s seconds (> 0).  Raises RuntimeError when it polls already."""
        if interval_s <= 0:
            raise ValueError("the interval must be positive")
        if self.running:
            raise RuntimeError("this watch is running already")
        self._task = asyncio.create_task(self._poll(interval_s), name=f"watch keyring {self._keyring.name}")
        self._task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Returns when the task has ended; may be called again, and before start."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait([self._task])

    async def tick(self) -> None:
        """One look at the files, and a reload when it is due.  A failed reload is tried again at the next tick."""
        if not await aside(self._keyring.reload_due, f"watch {self._keyring.name}"):
            return
        outcome = await self._keyring.reload(self._clock())
        self._tell(outcome)
        self._on_outcome(outcome)

    async def _poll(self, interval_s: float) -> None:
        while True:
            await self._sleep(interval_s)
            await self.tick()

    def _tell(self, outcome: ReloadOutcome) -> None:
        """One log line for each new state, not for each tick."""
        name, error = self._keyring.name, outcome.error
        if error is None:
            self._told = None
            log.info("keyring %s: reloaded, revision %d", name, outcome.revision)
        elif self._told != (error.code, error.sentence):
            self._told = (error.code, error.sentence)
            what = "the old key stays" if self._keyring.current is not None else "it cannot be used"
            log.warning("keyring %s: reload failed, %s (%s): %s", name, what, error.code, error.sentence)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception() or RuntimeError("the watch ended by itself")
        # Only the type: the text of a foreign exception may hold anything.
        log.error("keyring %s: the watch died of %s", self._keyring.name, type(error).__name__)
        self._on_failure(error)

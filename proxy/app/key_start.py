"""Loads the keys at the start in a thread of its own, so that probes are answered and signals heard while Vault is
awaited."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from threading import Event, Thread

from proxy.app.compose import load_keys
from proxy.app.ending import Ending
from proxy.keys.slots import Slots

log = logging.getLogger(__name__)


class KeyStart:
    """waiting: what the start waits for, for the probes; "" while it does not wait."""

    def __init__(self, rings: Mapping[str, Slots], wait_s: float) -> None:
        """wait_s: how long a Vault that cannot serve yet is waited for."""
        self._rings = {name: slots for name, slots in rings.items() if slots.current is None}
        self._wait_s = wait_s
        self._stopped = Event()
        self.waiting = ""

    async def load_unless(self, ending: Ending) -> bool:
        """-> False: the end was asked for first, and the process ends without keys.  Raises KeyUnusable."""
        loading, ended = asyncio.ensure_future(self.load()), asyncio.ensure_future(ending.wait())
        try:
            await asyncio.wait((loading, ended), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (loading, ended):
                task.cancel()
            await asyncio.wait((loading, ended))
        if ending.asked:
            log.info("stopping before the keys are there")
            return False
        loading.result()
        return True

    async def load(self) -> None:
        """Raises KeyUnusable.  Cancelled, it leaves the thread behind, which is a daemon and ends by itself."""
        if not self._rings:
            return
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def finish(error: BaseException | None) -> None:
            if done.done():
                return
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

        def work() -> None:
            error: BaseException | None = None
            try:
                load_keys(self._rings, wait_s=self._wait_s, sleep=self._stopped.wait, waiting=self._tell)
            except BaseException as caught:  # noqa: BLE001 - whatever a source does, somebody waits for the outcome
                error = caught
            with suppress(RuntimeError):        # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(finish, error)

        Thread(target=work, name="keys", daemon=True).start()
        try:
            await done
        finally:
            self._stopped.set()
            self.waiting = ""

    def _tell(self, sentence: str) -> None:
        self.waiting = sentence

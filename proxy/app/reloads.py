"""What is read again while the proxy runs: keys, credentials, tokens, listeners' certificates.

Whatever cannot be read keeps what it had.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from proxy.app.listeners import Doors
from proxy.app.token_files import TokenFile
from proxy.errors import KeyUnusable
from proxy.keys.keyring import Keyring, ReloadOutcome
from proxy.keys.slots import Slots
from proxy.keys.watch import Watch
from proxy.serve.telemetry import Telemetry

log = logging.getLogger(__name__)


class Reloads:
    """died: called with what killed the watch over a keyring."""

    def __init__(self, rings: Mapping[str, Slots], doors: Doors, telemetry: Telemetry,
                 died: Callable[[BaseException], None], tokens: Iterable[TokenFile]) -> None:
        self._rings = rings
        self._doors = doors
        self._telemetry = telemetry
        self._tokens = tuple(tokens)
        self._watches = [Watch(ring, clock=_now, on_failure=died, on_outcome=self._outcome(name))
                         for name, slots in rings.items() for ring in slots.rings()]

    def begin(self, interval: float, spawn: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        """Looks at everything every `interval` seconds.  spawn: starts a task and owns it."""
        spawn(self._watch_doors(interval))
        for tokens in self._tokens:
            spawn(tokens.watch(interval))
        for watch in self._watches:
            watch.start(interval)

    async def everything(self) -> None:
        """Now, as on SIGHUP."""
        for tokens in self._tokens:
            await tokens.reload()
        await self._reload_doors()
        for name, slots in self._rings.items():
            for ring in slots.rings():
                await self._reload(name, ring, serves=ring is slots.signing)

    async def _reload(self, application: str, ring: Keyring, *, serves: bool) -> None:
        outcome = await ring.reload(_now())
        self._outcome(application)(outcome)
        if outcome.error is None:
            log.info("application %s: reloaded, revision %d", ring.name, outcome.revision)
        else:
            what = "the old key stays" if ring.current is not None else "it cannot be used"
            log.log(logging.ERROR if serves else logging.WARNING, "application %s: reload failed, %s (%s): %s",
                    ring.name, what, outcome.error.code, outcome.error.sentence)

    async def stop(self) -> None:
        for watch in self._watches:
            await watch.stop()

    async def _watch_doors(self, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            await self._reload_doors()

    async def _reload_doors(self) -> None:
        try:
            await asyncio.to_thread(self._doors.reload)
        except KeyUnusable as error:
            log.warning("listeners: reload failed, the old certificates stay (%s): %s", error.code, error)

    def _outcome(self, name: str) -> Callable[[ReloadOutcome], None]:
        return lambda outcome: self._telemetry.reloads.add((name, "ok" if outcome.ok else "failed"))


def _now() -> datetime:
    return datetime.now(UTC)

"""What is read again while the proxy runs: keys, credentials, tokens, listeners' certificates.

Whatever cannot be read keeps what it had.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from proxy.app.listeners import Doors
from proxy.app.token_files import TokenFile
from proxy.errors import KeyUnusable
from proxy.keys.aside import Lane
from proxy.keys.keyring import LONGEST_READ_S, Keyring, ReloadOutcome
from proxy.keys.slots import Slots
from proxy.keys.watch import Watch
from proxy.serve.telemetry import Telemetry

log = logging.getLogger(__name__)

Verdict = Literal["reloaded", "unchanged", "kept-old", "unusable"]


@dataclass(slots=True)
class Reloaded:
    """What one reload has brought.  applications: name -> slot -> row; tokens and listeners: a row each.

    A row has "outcome", a Verdict: unusable is a next key that there never was.  Beside the last two stand "code" and
    "sentence".
    """

    applications: dict[str, dict[str, dict[str, object]]] = field(default_factory=dict)
    tokens: list[dict[str, object]] = field(default_factory=list)
    listeners: dict[str, object] = field(default_factory=dict)

    @property
    def failed(self) -> list[str]:
        """The places of the rows with a code."""
        rows = [(f"application {name}, {slot}", row) for name, slots in self.applications.items()
                for slot, row in slots.items()]
        rows += [(str(row["name"]), row) for row in self.tokens]
        return [place for place, row in (*rows, ("listeners", self.listeners)) if "code" in row]

    def document(self) -> dict[str, object]:
        """For whoever asked."""
        return {"failed": self.failed, "applications": self.applications, "tokens": self.tokens,
                "listeners": self.listeners}


class Reloads:
    """died: called with what killed the watch over a keyring."""

    def __init__(self, rings: Mapping[str, Slots], doors: Doors, telemetry: Telemetry,
                 died: Callable[[BaseException], None], tokens: Iterable[TokenFile]) -> None:
        self._rings = rings
        self._doors = doors
        self._telemetry = telemetry
        self._tokens = tuple(tokens)
        self._turn = asyncio.Lock()
        self._next: asyncio.Task[Reloaded] | None = None
        self._under_way: set[asyncio.Task[Reloaded]] = set()
        self._lane = Lane("read listeners' certificates", LONGEST_READ_S)
        self._watches = [Watch(ring, clock=_now, on_failure=died, on_outcome=self._outcome(name))
                         for name, slots in rings.items() for ring in slots.rings()]

    def begin(self, interval: float, spawn: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        """Looks at everything every `interval` seconds.  spawn: starts a task and owns it."""
        spawn(self._watch_doors(interval))
        for tokens in self._tokens:
            spawn(tokens.watch(interval))
        for watch in self._watches:
            watch.start(interval)

    async def everything(self) -> Reloaded:
        """As on SIGHUP: at once, or after the one that is under way, together with all who ask meanwhile.

        asyncio.CancelledError when the proxy ends before it is over.
        """
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._in_turn())
            self._under_way.add(self._next)
            self._next.add_done_callback(self._under_way.discard)
        return await asyncio.shield(self._next)

    async def _in_turn(self) -> Reloaded:
        async with self._turn:
            self._next = None
            return await self._everything()

    async def _everything(self) -> Reloaded:
        """A place that hangs holds up none of another kind."""
        found = Reloaded()
        await asyncio.gather(self._every_token(found), self._every_door(found), self._every_ring(found))
        return found

    async def _every_token(self, found: Reloaded) -> None:
        for tokens in self._tokens:
            before = [token.reveal() for token in tokens.current]
            error = await tokens.reload()
            row = _row(error, changed=before != [token.reveal() for token in tokens.current])
            found.tokens.append({"name": tokens.what, **row})

    async def _every_door(self, found: Reloaded) -> None:
        changed, error = await self._reload_doors()
        found.listeners = _row(error or self._doors.trouble, changed=changed)

    async def _every_ring(self, found: Reloaded) -> None:
        for name, slots in self._rings.items():
            found.applications[name] = {
                slots.slot(ring): await self._reload(name, ring, serves=ring is slots.signing)
                for ring in slots.rings()}

    async def _reload(self, application: str, ring: Keyring, *, serves: bool) -> dict[str, object]:
        outcome = await ring.reload(_now())
        self._outcome(application)(outcome)
        if outcome.error is None:
            log.info("application %s: reloaded, revision %d", ring.name, outcome.revision)
            return {"outcome": "reloaded" if outcome.changed else "unchanged", "revision": outcome.revision}
        kept = ring.current is not None
        log.log(logging.ERROR if serves else logging.WARNING, "application %s: reload failed, %s (%s): %s",
                ring.name, "the old key stays" if kept else "it cannot be used", outcome.error.code,
                outcome.error.sentence)
        return {"outcome": "kept-old" if kept else "unusable", "revision": outcome.revision,
                "code": outcome.error.code, "sentence": outcome.error.sentence}

    async def stop(self) -> None:
        for task in list(self._under_way):
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        for watch in self._watches:
            await watch.stop()

    async def _watch_doors(self, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            await self._reload_doors()

    async def _reload_doors(self) -> tuple[bool, KeyUnusable | None]:
        """-> whether they changed, and why nobody knows."""
        try:
            changed = await self._lane.do(self._doors.reload)
        except KeyUnusable as unusable:
            error = unusable
        except TimeoutError:
            error = KeyUnusable("key_unreadable", f"reading did not end within {LONGEST_READ_S:g} seconds")
        else:
            self._doors.part()
            return changed, None
        log.warning("listeners: reload failed, the old certificates stay (%s): %s", error.code, error)
        return False, error

    def _outcome(self, name: str) -> Callable[[ReloadOutcome], None]:
        return lambda outcome: self._telemetry.reloads.add((name, "ok" if outcome.ok else "failed"))


def _row(error: KeyUnusable | None, *, changed: bool) -> dict[str, object]:
    verdict: Verdict = "kept-old" if error is not None else "reloaded" if changed else "unchanged"
    return {"outcome": verdict, **({"code": error.code, "sentence": str(error)} if error is not None else {})}


def _now() -> datetime:
    return datetime.now(UTC)

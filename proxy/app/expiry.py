"""A process that runs for months must say that a certificate is about to expire, and not only at its start."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime

from proxy.keys.authority import Authority
from proxy.keys.slots import Slots

log = logging.getLogger(__name__)

EVERY = 3600.0
"""Seconds between two looks."""
STEPS = (0, 7, 14, 30)
"""Days before the end at which it is said, each once for a certificate."""


class Expiry:
    """What has been said, by name: the end that was meant, and the step."""

    def __init__(self, rings: Mapping[str, Slots], authority: Authority | None) -> None:
        self._rings = rings
        self._authority = authority
        self._said: dict[str, tuple[datetime, int]] = {}

    async def watch(self) -> None:
        """For ever.  What holds at the start has been said then, as a warning about the key."""
        self.look(datetime.now(UTC), aloud=False)
        while True:
            await asyncio.sleep(EVERY)
            self.look(datetime.now(UTC))

    def look(self, now: datetime, *, aloud: bool = True) -> None:
        """now: aware.  aloud: False only remembers."""
        for name, ring in self._rings.items():
            identity = ring.current
            facts = identity.key.certificate if identity is not None and identity.key is not None else None
            if facts is not None:
                self._look_at(aloud, f"application {name}: the certificate", facts.not_after, now,
                              "order a new one, and put it at the bank before that day")
        if self._authority is not None:
            self._look_at(aloud, "certificate authority: it", self._authority.not_after, now,
                          "make a new one with 'signing-proxy ca init --force', and hand it to the clients")

    def _look_at(self, aloud: bool, what: str, end: datetime, now: datetime, advice: str) -> None:
        left = (end - now).total_seconds() / 86400
        step = next((days for days in STEPS if left <= days), None)
        if step is None or self._said.get(what) == (end, step):
            return
        self._said[what] = end, step
        when = f"expires in {int(left)} days, on {end.date()}" if left > 0 else f"has expired on {end.date()}"
        if aloud:
            log.warning("%s %s; %s", what, when, advice)

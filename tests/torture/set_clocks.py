"""A process whose clock can be set while it runs, with certificates that are in date whenever that is.

libfaketime shows it another wall clock and leaves the steady one alone, as the real thing does.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from proxy.emulator import Authority, Pair
from proxy.emulator.authority import Validity
from tests.e2e.standing import Files

ALWAYS = Validity(datetime(2010, 1, 1, tzinfo=UTC), datetime(2045, 1, 1, tzinfo=UTC))
NEAR_S = 3.0
"""Seconds by which a moment may be missed: a call is on its way for a while, and a Date has whole ones."""


def library() -> str:
    """libfaketime, "" where it is not installed."""
    return next((str(path) for path in Path("/usr").glob("lib/*/faketime/libfaketimeMT.so.1")), "")


class _Lasting(Authority):
    """Its certificates are in date at every moment that is tried."""

    def __init__(self) -> None:
        super().__init__(ALWAYS)

    def server(self, *given: Any, **more: Any) -> Pair:
        return super().server(*given, **{"validity": ALWAYS, **more})

    def seal(self, *given: Any, **more: Any) -> Pair:
        return super().seal(*given, **{"validity": ALWAYS, **more})


def files(directory: Path) -> Files:
    (directory / "files").mkdir()
    return Files.make(directory / "files", _Lasting())


@dataclass(slots=True)
class Setting:
    """Somebody who sets the clock of a child.  history: (true time, seconds that it is off from then on)."""

    path: Path
    history: list[tuple[float, float]] = field(default_factory=list)

    def to(self, seconds: float) -> None:
        new = self.path.with_suffix(".new")
        new.write_text(f"{seconds:+.3f}\n")
        self.history.append((time.time(), seconds))
        new.replace(self.path)

    def variables(self, **more: str) -> dict[str, str]:
        """Without FORCE_MONOTONIC_FIX=0 Debian's library turns each wait for Python's lock into a busy one."""
        return {"LD_PRELOAD": library(), "FAKETIME_TIMESTAMP_FILE": str(self.path), "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_FORCE_MONOTONIC_FIX": "0", "NO_FAKE_STAT": "1", **more}

    def off(self, at: float) -> set[float]:
        """By how much it may have been off when a request was signed that came at this true time."""
        later = [seconds for moment, seconds in self.history if at - NEAR_S < moment < at + NEAR_S]
        before = [seconds for moment, seconds in self.history if moment <= at - NEAR_S]
        return {*later, *before[-1:]}

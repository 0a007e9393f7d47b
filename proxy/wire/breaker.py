"""A bank that is down is not asked again and again: after some failures in a row, calls are refused before anything is
sent, with the time after which it is worth trying again.

    closed   every call passes; so many failures in a row without one answer open it
    open     nothing passes until the wait is over
    trying   one call passes for each wait; its answer closes the breaker, its failure doubles the wait

Any answer of the bank, also a refusal, shows that it is there: a caller's 4xx never counts as a failure.
"""

from __future__ import annotations

import math
from typing import Annotated

import msgspec
from msgspec import Meta

from proxy.wire.limits import Seconds


class BreakerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When calls to a bank that does not answer are refused at once."""

    failures: Annotated[int, Meta(ge=0, description=(
        "Calls and connection attempts in a row that fail before calls are refused; 0 switches this off."))] = 10
    wait: Annotated[Seconds, Meta(description="Seconds until one call is let through to try.")] = 5.0
    longest_wait: Annotated[Seconds, Meta(description="To what the wait doubles while the bank stays down.")] = 60.0


class Breaker:
    """One bank's.  Times are seconds of one monotonic clock."""

    __slots__ = ("_settings", "_trying", "_until", "_wait", "failures", "open")

    def __init__(self, settings: BreakerSettings) -> None:
        self._settings = settings
        self._until = 0.0
        self._wait = 0.0
        self.failures = 0
        self.open = self._trying = False

    def admits(self, now: float) -> bool:
        """Whether this call may be tried; while open, one in each wait is."""
        if not self.open:
            return True
        if now < self._until:
            return False
        self._until, self._trying = now + self._wait, True
        return True

    def retry_after(self, now: float) -> int:
        """Whole seconds, at least one."""
        return max(1, math.ceil(self._until - now))

    def failed(self, now: float) -> bool:
        """The bank did not answer. -> whether that has opened it just now"""
        self.failures += 1
        if self.open:
            if self._trying:            # else: a call from before
                self._trying = False
                self._wait = max(self._settings.wait, min(2 * self._wait, self._settings.longest_wait))
                self._until = now + self._wait
            return False
        if not self._settings.failures or self.failures < self._settings.failures:
            return False
        self.open, self._wait = True, self._settings.wait
        self._until = now + self._wait
        return True

    def answered(self) -> None:
        """It did, whatever it said."""
        self.failures = 0
        self.open = self._trying = False

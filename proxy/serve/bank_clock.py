"""The clock of one bank beside ours: what its answers tell of it, who is warned, and which date its calls carry.

Nothing but the signed date ever follows a bank's clock, and that only within a bound, by setting, and for the bank that
has told it over TLS itself.  Deadlines, expiry of certificates and tokens, and the log keep our own time.
"""

from __future__ import annotations

import logging
import time
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from proxy.core.message import Response
from proxy.core.skew import Alarm, Skew, corrected, is_fresh
from proxy.serve.clock import Clock, imf_fixdate, parse_imf_fixdate

log = logging.getLogger(__name__)

_STEADY: Final = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))


class DateCorrection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far the signed date follows the bank's clock."""

    largest: Annotated[float, Meta(gt=5, le=3600, description=(
        "Seconds by which the signed date differs from this machine's clock at most; where the bank's clock is further "
        "away, its calls carry this machine's date."))] = 300.0


def steady() -> float:
    """Seconds of a clock that nobody sets; where the system has one, it also counts while the machine sleeps."""
    return time.clock_gettime(_STEADY) if _STEADY is not None else time.monotonic()


class BankClock(Clock):
    """Of one upstream.  Calls carry the date of our clock."""

    __slots__ = ("_alarm", "_last", "_skew", "upstream")

    def __init__(self, upstream: str) -> None:
        super().__init__()
        self.upstream = upstream
        self._skew = Skew()
        self._alarm = Alarm()
        self._last = b""

    def heard(self, date: bytes, response: Response, took: float) -> None:
        """An answer has come, took seconds after its request went.  A Date that was heard already adds nothing: it is
        another answer of the same second, or has been kept by somebody."""
        if date == self._last or not is_fresh(response.fields):
            return
        seconds = parse_imf_fixdate(date)
        if seconds is not None:
            self._last = date
            came = steady()
            self._skew.heard(seconds, came - took, came)

    @property
    def ahead(self) -> float | None:
        """Seconds that our clock is ahead of the bank's now; None: nothing is known."""
        lead = self._skew.lead
        return time.time() - steady() - lead if lead is not None else None

    @property
    def correction(self) -> float:
        """Seconds by which the signed date differs from our clock now."""
        return 0.0

    def look(self) -> None:
        """Says it, once, when the clocks have come apart or are well again; called a few times a second."""
        if self._skew.lead is None:
            return
        self._skew.forget(steady())
        ahead = self.ahead
        if ahead is None or not self._skew.sure or not self._alarm.turned(ahead):
            return
        if self._alarm.raised:
            log.warning("our clock is %.0f s %s that of %s; %s", abs(ahead), "ahead of" if ahead > 0 else "behind",
                        self.upstream, self._consequence(ahead))
        else:
            log.warning("our clock agrees with that of %s again, to %.0f s", self.upstream, abs(ahead))

    def _consequence(self, ahead: float) -> str:
        return ("the date is signed, and the bank may refuse it: let the clock be set by NTP "
                "(docs/runbook.md#signingproxyclockskew)")


class CorrectedClock(BankClock):
    """Calls carry the date of the bank's clock, as far as that is known and near."""

    __slots__ = ("_largest",)

    def __init__(self, upstream: str, settings: DateCorrection) -> None:
        super().__init__(upstream)
        self._largest = settings.largest

    def date(self) -> bytes:
        second = int(self._moment(time.time()))
        if second != self._second:
            self._second, self._date = second, imf_fixdate(second)
        return self._date

    def _moment(self, ours: float) -> float:
        lead = self._skew.lead
        if lead is None or not self._skew.sure:
            return ours
        return corrected(ours, steady() + lead, self._largest)

    @property
    def correction(self) -> float:
        ours = time.time()
        return self._moment(ours) - ours

    def _consequence(self, ahead: float) -> str:
        if abs(ahead) <= self._largest:
            return "the date that is signed follows the bank's (date_correction); let the clock be set by NTP"
        return f"that is more than date_correction.largest, so nothing is corrected; {super()._consequence(ahead)}"


class BankClocks(dict[str, BankClock]):
    """By upstream."""

    def ahead(self) -> list[tuple[str, float]]:
        """(upstream, seconds) of those that were heard."""
        return [(upstream, ahead) for upstream, clock in self.items() if (ahead := clock.ahead) is not None]

    def look(self) -> None:
        for clock in self.values():
            clock.look()

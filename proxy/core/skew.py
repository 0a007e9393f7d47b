"""How far a bank's clock is from ours, by the `Date` of its answers (RFC 9110 section 6.6.1).

    sent ───────────────── came      two readings of a steady clock, which nobody sets
            D <= theirs < D + 1      the bank's clock at some moment between them, in whole seconds

One answer tells it to half of the time it took and half a second.  The bank is compared with the steady clock, so that
what was heard stays true when somebody sets ours.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from proxy.core.message import Field

SLOWEST: Final = 5.0
"""Seconds.  A slower answer is ignored: of this one the middle is 3 s off at worst, a tenth of what is warned of."""
KEPT: Final = 5
ENOUGH: Final = 3
"""Answers of which the median counts: a single odd one is then neither the first nor the last word."""
LASTS: Final = 3600.0
"""Seconds.  An ordinary quartz is off by a fifth of a second by then."""
FAR: Final = 30.0
"""Seconds from which on it is warned of.  Banks' windows are of one to five minutes."""
NEAR: Final = 25.0
"""Seconds below which it is well again; less than FAR by more than one answer may be off, or it would be said often."""
NOTICED: Final = 5.0
"""Seconds.  Less is within what measuring leaves open, and no reason to sign another date."""

_CACHES: Final = (b"x-cache", b"x-cache-status", b"cf-cache-status", b"cache-status")


def is_fresh(fields: Iterable[Field]) -> bool:
    """Whether the Date is the one of this answer: there is one, and no cache says that it had kept the answer.

    `Age` means that the origin has not made or validated it for this request (RFC 9111 section 5.1); `Via` alone says
    nothing about a cache.
    """
    dates = 0
    for name, _, value in fields:
        if name == b"date":
            dates += 1
        elif name == b"age" or (name in _CACHES and b"hit" in value.lower()):
            return False
    return dates == 1


def corrected(ours: float, theirs: float, largest: float) -> float:
    """The moment to sign: the bank's where the clocks differ noticeably and by no more than largest, else ours."""
    return theirs if NOTICED < abs(ours - theirs) <= largest else ours


class Skew:
    """One bank's clock beside a steady one.  lead: seconds from the steady clock's reading to the bank's; None: nothing
    was heard.  sure: enough was heard to act on it."""

    __slots__ = ("_heard", "lead", "sure")

    def __init__(self) -> None:
        self._heard: deque[tuple[float, float]] = deque(maxlen=KEPT)
        self.lead: float | None = None
        self.sure = False

    def heard(self, date: int, sent: float, came: float) -> None:
        """A fresh answer.  date: its Date, seconds since the epoch.  sent, came: of the steady clock."""
        if 0 <= came - sent <= SLOWEST:
            self._heard.append((came, date + 0.5 - (sent + came) / 2))
            self.forget(came)

    def forget(self, now: float) -> None:
        """What was heard too long ago.  now: of the steady clock."""
        while self._heard and now - self._heard[0][0] > LASTS:
            self._heard.popleft()
        leads = sorted(lead for _, lead in self._heard)
        self.lead = leads[(len(leads) - 1) // 2] if leads else None
        self.sure = len(self._heard) >= ENOUGH


class Alarm:
    """raised: it was said that the clocks are far apart, and not yet that they are well again."""

    __slots__ = ("raised",)

    def __init__(self) -> None:
        self.raised = False

    def turned(self, ahead: float) -> bool:
        """Whether something is to be said; raised is then what."""
        if abs(ahead) > FAR if not self.raised else abs(ahead) < NEAR:
            self.raised = not self.raised
            return True
        return False

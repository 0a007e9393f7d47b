"""How long a connection may have been idle to carry a call that must not be sent twice: what the bank has shown.

A payment written to a connection that the bank is just closing fails with "maybe", and nobody may send it again.  So
such a call takes a used connection only if that has been idle for less than
  - half of the longest time for which this bank has kept an idle connection open: a bank about which nothing is known
    yet gets its payments on fresh connections,
  - half of the time after which it has closed one, which fades, as a bank that restarts closes some of any age,
  - two seconds.
"""

from __future__ import annotations

UNSAFE_IDLE = 2.0
_UNDER_WAY = 0.02
"""Seconds for which a close may be under way; a limit below that is none."""
_FADES = 10.0
"""Seconds in which what a close has taught doubles: a bank that keeps closing early teaches it again and again, and one
that cut a connection by accident should not cost every payment a handshake for long."""


class Patience:
    """Times are seconds of one monotonic clock."""

    __slots__ = ("_closed_at", "_closed_half", "_kept_half")

    def __init__(self) -> None:
        self._kept_half = 0.0
        self._closed_half = UNSAFE_IDLE
        self._closed_at = 0.0

    def limit(self, now: float) -> float:
        """Connections idle for less than this may be used; 0: none that has carried a request before."""
        limit = min(self._kept_half, UNSAFE_IDLE)
        if self._closed_half < UNSAFE_IDLE:
            limit = min(limit, self._after_close(now))
        return limit if limit > _UNDER_WAY else 0.0

    def _after_close(self, now: float) -> float:
        faded: float = self._closed_half * 2.0 ** min((now - self._closed_at) / _FADES, 64.0)
        if faded >= UNSAFE_IDLE:
            self._closed_half = UNSAFE_IDLE
        return faded

    def kept(self, idle: float) -> None:
        """A connection has been idle for so long and is still open."""
        self._kept_half = max(self._kept_half, idle / 2)

    def closed(self, idle: float, now: float) -> None:
        """The bank ended one that had been idle for so long, without having said that it would."""
        half = max(idle / 2, _UNDER_WAY / 16)
        if half < self._after_close(now):
            self._closed_half, self._closed_at = half, now

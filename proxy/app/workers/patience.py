"""When a worker that has ended by itself is started again, and when there is no point in it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds.  first, most: pauses, twice as long each time.  quick: a life that is shorter is a quick crash.
    crashes: so many of them in a row end everything."""

    first: float = 0.2
    most: float = 5.0
    quick: float = 10.0
    crashes: int = 5


class Tries:
    """Of one seat."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._in_a_row = 0

    def ended(self, lived: float) -> float:
        """-> the pause.  lived: seconds."""
        self._in_a_row = self._in_a_row + 1 if lived < self._patience.quick else 1
        return min(self._patience.first * 2.0 ** min(self._in_a_row - 1, 30), self._patience.most)

    @property
    def hopeless(self) -> bool:
        return self._in_a_row >= self._patience.crashes

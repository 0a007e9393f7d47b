"""What a report is made of: lines with a figure each, some with a limit and its verdict."""

from __future__ import annotations

from dataclasses import dataclass, field

from .samples import spread


@dataclass(frozen=True, slots=True)
class Line:
    """One figure.  A line with a limit and no values could not be measured.  at_least: the limit is a lower one."""

    label: str
    values: list[float]
    limit: float | None = None
    digits: int = 0
    at_least: bool = False

    @property
    def verdict(self) -> str:
        if self.limit is None:
            return ""
        if not self.values:
            return "not measured"
        median = spread(self.values)[0]
        return "met" if (median >= self.limit if self.at_least else median <= self.limit) else "missed"

    def cells(self) -> tuple[str, str, str, str]:
        measured = "-"
        if self.values:
            median, low, high = (f"{value:.{self.digits}f}" for value in spread(self.values))
            measured = median if len(self.values) == 1 else f"{median} ({low}–{high})"
        return self.label, measured, self._bound(), self.verdict

    def _bound(self) -> str:
        return "" if self.limit is None else f"{'>=' if self.at_least else '<='} {self.limit:g}"


@dataclass(slots=True)
class Table:
    title: str
    lines: list[Line] = field(default_factory=list)

"""What a part of the torture measured, beside its limit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """limit: as it is printed, e.g. "0" or "<= 0.01 %".  note: what is behind the number, for the reader.

    met: None where it could not be tried here; the note then says what to install.
    """

    promise: str
    what: str
    measured: str
    limit: str
    met: bool | None
    note: str = ""


def none_of(promise: str, what: str, bad: int, of: int, note: str = "") -> Figure:
    """A figure that must be zero; it is not met either when nothing was tried."""
    return Figure(promise, what, f"{bad} of {of:,}", "0", bad == 0 and of > 0, note)


def untried(promise: str, what: str, missing: str) -> Figure:
    return Figure(promise, what, "not tried", "", None, missing)


def at_most(promise: str, what: str, value: float, limit: float, unit: str = "", note: str = "") -> Figure:
    return Figure(promise, what, f"{value:.4g}{unit}", f"<= {limit:g}{unit}", value <= limit, note)


def at_least(promise: str, what: str, value: float, limit: float, unit: str = "", note: str = "") -> Figure:
    return Figure(promise, what, f"{value:,.6g}{unit}", f">= {limit:g}{unit}", value >= limit, note)


_MET = {True: "yes", False: "**no**", None: "**not tried**"}


def table(figures: Iterable[Figure]) -> str:
    """GitHub's Markdown, so that docs/reliability.md takes it as it is."""
    rows = [("promise", "what", "measured", "limit", "met", "")]
    rows += [(one.promise, one.what, one.measured, one.limit, _MET[one.met], one.note.replace("|", "\\|"))
             for one in figures]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines)


def scaled(count: int, size: float, least: int = 1, clamp: Callable[[int, int], int] = max) -> int:
    """count at size 1.0."""
    return clamp(least, round(count * size))

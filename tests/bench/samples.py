"""Every number of a run, one list per figure, peer and variant, in the order of the rounds."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass, field

DIRECT = "direct to upstream"
RSA, RSA_OF_RIVAL = "RSA operation alone, our library", "RSA operation alone, nginx's library"


@dataclass(frozen=True, slots=True)
class Key:
    """variant: such as "GET RSA-2048"; "" where there is none."""

    figure: str
    who: str
    variant: str = ""


@dataclass(slots=True)
class Samples:
    values: dict[Key, list[float]] = field(default_factory=lambda: defaultdict(list))
    problems: list[str] = field(default_factory=list)

    def add(self, figure: str, who: str, variant: str, value: float) -> None:
        self.values[Key(figure, who, variant)].append(value)

    def of(self, figure: str, who: str, variant: str = "") -> list[float]:
        return self.values.get(Key(figure, who, variant), [])

    def problem(self, sentence: str) -> None:
        if sentence not in self.problems:
            self.problems.append(sentence)


def plain(method: str) -> str:
    return f"{method}, unsigned"


def signed(method: str, bits: int) -> str:
    return f"{method} RSA-{bits}"


def ratio(above: list[float], below: list[float]) -> list[float]:
    """Round by round: what the two shared, such as a busy machine, cancels out."""
    return [a / b for a, b in zip(above, below, strict=False) if b > 0]


def difference(left: list[float], right: list[float]) -> list[float]:
    return [a - b for a, b in zip(left, right, strict=False)]


def spread(values: list[float]) -> tuple[float, float, float]:
    return statistics.median(values), min(values), max(values)

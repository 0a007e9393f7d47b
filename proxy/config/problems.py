"""A configuration's problems are collected, so that one run shows all of them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,64}")

_FEW = 8
MOST = 100
"""Problems that are told; a file with more is another file than the one that was meant."""


class Enough(Exception):
    """MOST problems have been found, and the rest is not looked for."""


class Problems:
    """Pairs of (place, sentence).  A problem that only follows from a place known to be bad is not added.

    Whatever adds one raises Enough when there are too many.
    """

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []
        self._bad: set[str] = set()

    def bad(self, path: str, sentence: str) -> None:
        """There is no value at path to judge further."""
        self._bad.add(path)
        self._keep(path, sentence)

    def spoil(self, path: str) -> None:
        """What was meant for path stands elsewhere, as a problem already told."""
        self._bad.add(path)

    def add(self, path: str, sentence: str, *needs: str) -> None:
        """needs: other places whose values the sentence relies on."""
        if not any(self._is_bad(place) for place in (path, *needs)):
            self._keep(path, sentence)

    def _keep(self, path: str, sentence: str) -> None:
        if len(self.found) == MOST:
            self.found.append(("", "There are more problems than these. Correct them first."))
            raise Enough
        self.found.append((path, sentence))

    def _is_bad(self, path: str) -> bool:
        return any(bad in ("", path) or path.startswith((f"{bad}.", f"{bad}[")) for bad in self._bad)


def below(path: str, key: str) -> str:
    """The place of a key."""
    return f"{path}.{shown(key)}" if path else shown(key)


def shown(word: str) -> str:
    """A word of the operator's; one that is not plain is quoted, shortened, escaped."""
    return word if _PLAIN.fullmatch(word) else ascii(word[:64])


def choices(words: Iterable[str]) -> str:
    """'a, b or c'."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def closest(word: str, known: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(word, list(known), n=1)), None)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """What to write instead of an unknown word."""
    names = list(known)
    close = closest(word, names)
    if close is not None:
        return f"Did you mean {shown(close)}?"
    if len(names) > _FEW:
        return "Remove it, or look it up in docs/configuration.md."
    return f"Write {choices(map(shown, names))}." if names else "Remove it."

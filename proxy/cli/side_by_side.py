"""Two signing strings, line beside line, with every byte visible."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

_LONGEST = 2000
"""Characters of a line up to which all differences are marked, else the first one alone."""

_CELLS = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}


@dataclass(frozen=True, slots=True)
class Row:
    """The same line of both, with escapes for what nobody sees; "" where one has none.  marks: '^' at differences."""

    signed: str
    right: str
    marks: str = ""


def beside(signed: str, right: str) -> list[Row]:
    """All lines of both strings, those that belong together in one row."""
    return list(_rows(_lines(signed), _lines(right)))


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _rows(left: list[str], right: list[str]) -> Iterator[Row]:
    names = [_name(line) for line in left], [_name(line) for line in right]
    matcher = SequenceMatcher(None, *names, autojunk=False)
    for what, start, end, other_start, other_end in matcher.get_opcodes():
        ones, others = left[start:end], right[other_start:other_end]
        if what in ("equal", "replace"):
            for index in range(max(len(ones), len(others))):
                yield _row(ones[index] if index < len(ones) else "", others[index] if index < len(others) else "")
        else:
            yield from (_row(line, "") for line in ones)
            yield from (_row("", line) for line in others)


def _name(line: str) -> str:
    return re.split(r"[:=\s]", line.lower().lstrip(" \"'"), maxsplit=1)[0]


def _row(signed: str, right: str) -> Row:
    left, other = _cells(signed), _cells(right)
    if not signed or not right or signed == right:
        return Row("".join(left), "".join(other))
    return Row("".join(left), "".join(other), _marks(left, other))


def _cells(line: str) -> list[str]:
    """One piece of text for each character."""
    return [_CELLS.get(character) or (character if character.isprintable() else f"\\x{ord(character):02x}")
            for character in line]


def _marks(left: list[str], right: list[str]) -> str:
    """Below the right line, where it differs; below its end, where something was left out."""
    if max(len(left), len(right)) > _LONGEST:
        first = next((index for index, (one, other) in enumerate(zip(left, right, strict=False)) if one != other),
                     min(len(left), len(right)))
        return " " * len("".join(right[:first])) + "^"
    marked: set[int] = set()
    for what, _, _, start, end in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if what != "equal":
            marked.update(range(start, max(end, start + 1)))
    cells = [*right, " "] if len(right) in marked else right
    return "".join(("^" if index in marked else " ") * len(cell) for index, cell in enumerate(cells)).rstrip()

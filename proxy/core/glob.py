"""Paths with stars, matched in time that is linear in the path: who sends it chooses its length and what it repeats.

A regular expression with several repeats in one segment takes the square of a segment's length, or the cube, and the
event loop stands still meanwhile.  Here each piece of text between two stars is looked for once, from the left: the
first place where it stands is as good as any later one of the same segment.
"""

from __future__ import annotations

from typing import Final

_STAR: Final = b"*"
_SLASH: Final = b"/"


class Glob:
    """"*" stands for one or more bytes within a segment; "**", of which there is one at most, for any bytes at all."""

    __slots__ = ("_end", "_start")

    def __init__(self, pattern: bytes) -> None:
        before, deep, behind = pattern.partition(b"**")
        self._start = before.split(_STAR)
        self._end = [piece[::-1] for piece in reversed(behind.split(_STAR))] if deep else None

    def fits(self, path: bytes) -> bool:
        if self._end is None:
            return _whole(self._start, path)
        start = _beginning(self._start, path)
        return start >= 0 and 0 <= _beginning(self._end, path[::-1]) <= len(path) - start


def _beginning(pieces: list[bytes], path: bytes) -> int:
    """Where the shortest beginning of path ends that fits; -1 for none."""
    if not path.startswith(pieces[0]):
        return -1
    end = len(pieces[0])
    for piece in pieces[1:]:
        found = path.find(piece, end + 1)
        if found < 0 or path.find(_SLASH, end, found) >= 0:
            return -1
        end = found + len(piece)
    return end


def _whole(pieces: list[bytes], path: bytes) -> bool:
    *first, last = pieces
    if not first:
        return path == last
    start, end = _beginning(first, path), len(path) - len(last)
    return 0 <= start < end and path.endswith(last) and path.find(_SLASH, start, end) < 0

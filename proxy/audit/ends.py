"""A trail goes on where its newest file ends, which may be in the middle of a line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from proxy.audit import chain
from proxy.audit.chain import START, Head

WINDOW = 1 << 20
"""Bytes at the end of a file in which its last whole line must be."""


_BEGINNING = b'{"seq":'


class End(NamedTuple):
    """How a file ends.  head: its last line, START when it has none.  rest: what stands behind the last line break.

    pieces: what stands behind the head and is no line, which a process left that died or could not write on.
    """

    head: Head
    pieces: list[bytes]
    rest: bytes

    def after(self, earlier: End) -> End:
        """This file's end when it has no line of its own and goes on from an earlier file."""
        if self.head != START:
            return self
        return End(earlier.head, [*earlier.pieces, *self.pieces], self.rest)


NOTHING = End(START, [], b"")


def end_of(path: Path) -> End | None:
    """None: it is not the file of a trail, or cannot be read."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - WINDOW))
            *lines, rest = file.read().split(b"\n")
    except OSError:
        return None
    behind = [rest] if rest else []
    link = chain.read(rest)
    while link is None and lines:
        behind.insert(0, lines.pop())
        link = chain.read(behind[0])
    if link is not None:                    # at the very end a line counts without its line break
        return End(link.head, behind[1:], rest)
    ours = size <= WINDOW and all(piece[:7] == _BEGINNING[:len(piece)] for piece in behind)
    return End(START, behind, rest) if ours else None

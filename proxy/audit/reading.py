"""Reads the files of a trail, compressed ones too, in the order of the chain and never as a whole."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple, cast

from proxy.audit import chain
from proxy.errors import ProxyError

LONGEST = 1 << 16
"""Bytes of a line; what is longer is none of ours and is read in pieces."""
_ROTATED = re.compile(r"\.\d{12,18}-\d{12,18}(?:\.gz)?")


class Line(NamedTuple):
    """number: of the line in its file, from 1.  text: without its line break.  whole: whether it had one."""

    file: Path
    number: int
    text: bytes
    whole: bool


def find(files: Iterable[Path]) -> list[Path]:
    """The files as named, and beside each the rotated ones of the same trail.  Raises ProxyError: audit_unreadable."""
    found: dict[Path, None] = {}
    for file in files:
        found.update(dict.fromkeys((file, *_rotated(file))))
    return in_order(found)


def _rotated(file: Path) -> list[Path]:
    try:
        beside = sorted(file.parent.iterdir())
    except OSError as error:
        raise _unreadable(file, error) from None
    return [path for path in beside
            if path.name.startswith(file.name) and _ROTATED.fullmatch(path.name.removeprefix(file.name))]


def in_order(files: Iterable[Path]) -> list[Path]:
    """By the number of the first line that is one; a file without any line is left out."""
    begins = []
    for file in files:
        first = next((link.head.seq for line in lines(file) if (link := chain.read(line.text)) is not None), None)
        if first is not None or _has_content(file):
            begins.append((first or 0, file))
    return [file for _, file in sorted(begins)]


def _has_content(file: Path) -> bool:
    return next(lines(file), None) is not None


def lines(file: Path) -> Iterator[Line]:
    """Raises ProxyError: audit_unreadable."""
    try:
        with _opened(file) as stream:
            number = 0
            while text := stream.readline(LONGEST):
                number += 1
                yield Line(file, number, text.removesuffix(b"\n"), text.endswith(b"\n"))
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(file, error) from None


def _opened(file: Path) -> IO[bytes]:
    if file.suffix == ".gz":
        return cast(IO[bytes], gzip.open(file))
    return file.open("rb")


def _unreadable(file: Path, error: Exception) -> ProxyError:
    why = (error.strerror or "").lower() if isinstance(error, OSError) else ""
    return ProxyError("audit_unreadable", f"{file}, {why or 'it is no whole gzip file'}")

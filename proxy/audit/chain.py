"""How a line is bound to the one before it: by its number, and by the SHA-256 of that line's bytes.

    {"seq":2,"prev":"<hex SHA-256 of line 1, without its line break>", ...}
The first line's prev is 64 zeros.  Pure.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any, Final, NamedTuple

import msgspec

_LINK: Final = re.compile(rb'\{"seq":([1-9][0-9]{0,17}),"prev":"([0-9a-f]{64})",')
_HEAD: Final = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})")


class Head(NamedTuple):
    """The last line that counts.  hash: hex SHA-256 over its bytes without the line break."""

    seq: int
    hash: str

    def __str__(self) -> str:
        """As people keep it, and as --anchor takes it."""
        return f"{self.seq}:{self.hash}"


START: Final = Head(0, "0" * 64)


class Link(NamedTuple):
    """A line as it stands in a file.  before: what it says comes before it.  fields: the rest of it."""

    before: Head
    head: Head
    fields: dict[str, Any]


def bind(head: Head, fields: bytes) -> tuple[Head, bytes]:
    """The next line, with its line break, and the head that it makes.  fields: a JSON object that is not empty."""
    line = b'{"seq":%d,"prev":"%b",%b' % (head.seq + 1, head.hash.encode(), fields[1:])
    return Head(head.seq + 1, sha256(line).hexdigest()), line + b"\n"


def read(line: bytes) -> Link | None:
    """line: without its line break.  None: it is no line of a trail."""
    found = _LINK.match(line)
    if found is None:
        return None
    try:
        fields = msgspec.json.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    seq = int(found[1])
    if not isinstance(fields, dict) or fields.pop("seq") != seq or fields.pop("prev") != found[2].decode():
        return None
    return Link(Head(seq - 1, found[2].decode()), Head(seq, sha256(line).hexdigest()), fields)


def read_head(text: str) -> Head | None:
    """What str(head) made."""
    found = _HEAD.fullmatch(text.strip())
    return Head(int(found[1]), found[2]) if found is not None else None

"""W3C Trace Context: which trace a caller's request belongs to (https://www.w3.org/TR/trace-context/)."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_NEVER: Final = "ff"
_FIRST: Final = "00"
SAMPLED: Final = 1
RANDOM: Final = 2
"""Bits of the flags."""


class Parent(NamedTuple):
    """The caller's span.  Ids are lower-case hexadecimal, of 32 and 16 digits."""

    trace_id: str
    span_id: str
    flags: int


def parse(traceparent: str) -> Parent | None:
    """None for what is none (section 3.2): then its trace begins here."""
    match = _TRACEPARENT.fullmatch(traceparent)
    if match is None:
        return None
    version, trace_id, span_id, flags, rest = match.groups()
    if version == _NEVER or (version == _FIRST and rest is not None):
        return None
    if not int(trace_id, 16) or not int(span_id, 16):
        return None
    return Parent(trace_id, span_id, int(flags, 16))


def traceparent(trace_id: str, span_id: str, flags: int) -> str:
    return f"{_FIRST}-{trace_id}-{span_id}-{flags:02x}"

"""Dates as HTTP writes them (RFC 9110 section 5.6.7), in English whatever the locale."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta

_DAYS = (b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun")
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
_EPOCH = datetime(1970, 1, 1)
_DATE = re.compile(rb"[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT")


def imf_fixdate(seconds: int) -> bytes:
    """seconds: since the epoch, as POSIX counts them.  (gmtime adds leap seconds where TZ is one of "right/".)"""
    at = _EPOCH + timedelta(seconds=seconds)
    return b"%b, %02d %b %04d %02d:%02d:%02d GMT" % (
        _DAYS[at.weekday()], at.day, _MONTHS[at.month - 1], at.year, at.hour, at.minute, at.second)


def parse_imf_fixdate(value: bytes) -> int | None:
    """Seconds since the epoch, or None when value is no IMF-fixdate."""
    match = _DATE.fullmatch(value)
    if match is None or match[2] not in _MONTHS:
        return None
    day, year, hour, minute, second = (int(match[i]) for i in (1, 3, 4, 5, 6))
    leap = second == 60             # POSIX counts it as the second after it
    try:
        at = datetime(year, _MONTHS.index(match[2]) + 1, day, hour, minute, second - leap)
    except ValueError:
        return None
    return (at - _EPOCH) // timedelta(seconds=1) + leap


class Clock:
    """The wall clock, formatted at most once a second."""

    __slots__ = ("_date", "_second")

    def __init__(self) -> None:
        self._second = -1
        self._date = b""

    def date(self) -> bytes:
        second = int(time.time())
        if second != self._second:
            self._second, self._date = second, imf_fixdate(second)
        return self._date

"""Dates are English and GMT whatever the machine thinks."""

from __future__ import annotations

import locale
import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.serve import clock
from proxy.serve.clock import Clock, imf_fixdate, parse_imf_fixdate

SECONDS = st.integers(min_value=0, max_value=253402300799)      # to the end of the year 9999


def test_the_documentations_moment():
    assert imf_fixdate(1691994345) == b"Mon, 14 Aug 2023 06:25:45 GMT"


@given(SECONDS)
def test_it_is_what_the_standard_library_writes_and_reads_back(seconds):
    assert imf_fixdate(seconds) == formatdate(seconds, usegmt=True).encode()
    assert parse_imf_fixdate(imf_fixdate(seconds)) == seconds


@pytest.mark.parametrize("value", [
    b"", b"Mon, 14 Aug 2023 06:25:45 EEST", b"Monday, 14-Aug-23 06:25:45 GMT", b"Mon Aug 14 06:25:45 2023",
    b"Mon, 14 Aug 2023 24:25:45 GMT", b"Mon, 14 Aug 2023 06:60:45 GMT", b"Mon, 14 Aug 2023 06:25:61 GMT",
    b"Wed, 29 Feb 2023 06:25:45 GMT", b"Mon, 14 Elo 2023 06:25:45 GMT", b"Mon, 1 Aug 2023 06:25:45 GMT",
    b" Mon, 14 Aug 2023 06:25:45 GMT"])
def test_other_dates_are_none(value):
    assert parse_imf_fixdate(value) is None


@pytest.mark.parametrize(("seconds", "date"), [
    (1709164800, b"Thu, 29 Feb 2024 00:00:00 GMT"), (4107542399, b"Sun, 28 Feb 2100 23:59:59 GMT"),
    (4107542400, b"Mon, 01 Mar 2100 00:00:00 GMT"), (1483228799, b"Sat, 31 Dec 2016 23:59:59 GMT"),
    (1483228800, b"Sun, 01 Jan 2017 00:00:00 GMT"), (2**31, b"Tue, 19 Jan 2038 03:14:08 GMT")])
def test_leap_days_leap_seconds_and_the_end_of_32_bits(seconds, date):
    assert imf_fixdate(seconds) == date
    assert parse_imf_fixdate(date) == seconds


def test_a_leap_second_of_the_banks_is_the_second_after_it():
    assert parse_imf_fixdate(b"Sat, 31 Dec 2016 23:59:60 GMT") == 1483228800


def test_neither_locale_nor_time_zone_matter(monkeypatch):
    before = imf_fixdate(1691994345)
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    saved = locale.setlocale(locale.LC_ALL)
    try:
        for name in ("fi_FI.UTF-8", "de_DE.UTF-8", "C.UTF-8"):
            try:
                locale.setlocale(locale.LC_ALL, name)
            except locale.Error:
                continue
            assert imf_fixdate(1691994345) == before
    finally:
        locale.setlocale(locale.LC_ALL, saved)
        monkeypatch.undo()
        time.tzset()


def test_the_date_moves_with_the_second(monkeypatch):
    now = 1691994345.0
    monkeypatch.setattr(clock.time, "time", lambda: now)
    ours = Clock()
    assert ours.date() == b"Mon, 14 Aug 2023 06:25:45 GMT"
    now = 1691994345.999
    assert ours.date() is ours.date()
    now = 1691994346.0
    assert ours.date() == b"Mon, 14 Aug 2023 06:25:46 GMT"
    now = 1691994344.0      # set back
    assert ours.date() == b"Mon, 14 Aug 2023 06:25:44 GMT"

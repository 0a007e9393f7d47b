"""What the dates of a bank's answers say about its clock, however slow, stale or odd they are."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.skew import (
    ENOUGH,
    FAR,
    KEPT,
    LASTS,
    NEAR,
    NOTICED,
    SLOWEST,
    Alarm,
    Skew,
    corrected,
    is_fresh,
)

LEADS = st.floats(min_value=-1e9, max_value=2e9).map(lambda seconds: round(seconds, 3))
READINGS = st.floats(min_value=0, max_value=1e7).map(lambda seconds: round(seconds, 3))
TOOK = st.floats(min_value=0, max_value=SLOWEST)
PARTS = st.floats(min_value=0, max_value=1)
ODD = st.integers(min_value=-10**10, max_value=10**10)


def dated(lead: float, sent: float, took: float, part: float) -> int:
    """The Date of a bank whose clock is lead ahead of the steady one, looked at after this part of the round trip."""
    return math.floor(lead + sent + took * part)


@given(LEADS, READINGS, st.lists(st.tuples(TOOK, PARTS), min_size=1, max_size=3 * KEPT))
def test_the_estimate_is_never_further_off_than_half_the_slowest_answer_and_half_a_second(lead, now, answers):
    skew = Skew()
    for took, part in answers:
        skew.heard(dated(lead, now, took, part), now, now + took)
        now += took
    assert abs(skew.lead - lead) <= SLOWEST / 2 + 0.5 + 1e-3
    assert skew.sure == (len(answers) >= ENOUGH)


@given(LEADS, READINGS, ODD, st.integers(min_value=0, max_value=KEPT))
def test_one_odd_answer_neither_warns_nor_corrects(lead, now, odd, place):
    skew = Skew()
    for number in range(KEPT + 1):
        date = odd if number == place else dated(lead, now, 0.1, 0.5)
        skew.heard(date, now, now + 0.1)
        if skew.sure:
            assert abs(skew.lead - lead) <= 1
        now += 1


@given(LEADS, LEADS, READINGS)
def test_a_bank_that_sets_its_clock_is_followed(before, after, now):
    skew = Skew()
    for lead in (before,) * KEPT + (after,) * ENOUGH:
        skew.heard(dated(lead, now, 0, 0), now, now)
        now += 1
    assert abs(skew.lead - after) <= 1


@given(st.one_of(st.floats(min_value=SLOWEST, exclude_min=True, max_value=1e6),
                 st.floats(max_value=0, exclude_max=True, min_value=-1e6)))
def test_slow_answers_and_impossible_ones_say_nothing(took):
    skew = Skew()
    skew.heard(1_700_000_000, 0, took)
    assert skew.lead is None


def test_what_was_heard_long_ago_says_nothing():
    skew = Skew()
    for now in (0.0, 1.0, 2.0, 3000.0):
        skew.heard(1_700_000_000, now, now)
    assert skew.sure
    skew.forget(LASTS + 2.5)
    assert not skew.sure
    assert skew.lead is not None
    skew.forget(3000 + LASTS + 0.5)
    assert skew.lead is None


@given(st.floats(min_value=-1e9, max_value=2e9), st.floats(min_value=-1e9, max_value=2e9),
       st.floats(min_value=NOTICED, max_value=3600))
def test_no_bank_moves_the_signed_moment_further_than_the_bound(ours, theirs, largest):
    moment = corrected(ours, theirs, largest)
    assert abs(moment - ours) <= largest
    assert moment in (ours, theirs)
    if abs(ours - theirs) > largest or abs(ours - theirs) <= NOTICED:
        assert moment == ours


DATE = (b"date", b"Date", b"Mon, 14 Aug 2023 06:25:45 GMT")


@pytest.mark.parametrize(("fields", "fresh"), [
    ([DATE], True),
    ([], False),
    ([DATE, DATE], False),
    ([DATE, (b"age", b"Age", b"0")], False),
    ([DATE, (b"age", b"Age", b"")], False),
    ([DATE, (b"x-cache", b"X-Cache", b"Hit from cloudfront")], False),
    ([(b"x-cache", b"X-Cache", b"MISS, HIT"), DATE], False),
    ([DATE, (b"x-cache", b"X-Cache", b"Miss from cloudfront")], True),
    ([DATE, (b"cf-cache-status", b"CF-Cache-Status", b"HIT")], False),
    ([DATE, (b"cache-status", b"Cache-Status", b"ExampleCache; hit")], False),
    ([DATE, (b"cache-status", b"Cache-Status", b"ExampleCache; fwd=uri-miss")], True),
    ([DATE, (b"via", b"Via", b"1.1 AQAAAHB5")], True),
])
def test_what_a_cache_had_kept_is_not_fresh(fields, fresh):
    assert is_fresh(fields) is fresh


@given(st.lists(st.floats(min_value=-1000, max_value=1000), max_size=50))
def test_each_crossing_is_said_once_and_so_is_the_return(seen):
    alarm = Alarm()
    far = False
    for ahead in seen:
        turned = alarm.turned(ahead)
        expected = abs(ahead) > FAR if not far else abs(ahead) >= NEAR
        assert turned == (expected != far)
        far = alarm.raised
        assert far == expected

"""A bank's clock beside ours: what is measured, said and signed, while somebody sets either of them."""

from __future__ import annotations

import logging

import pytest

from proxy.core.message import Response
from proxy.serve import bank_clock
from proxy.serve.bank_clock import BankClock, BankClocks, CorrectedClock, DateCorrection
from proxy.serve.clock import imf_fixdate, parse_imf_fixdate

START = 1_691_994_345.0
BANK = "open.nordea.com:443"


class World:
    """true: what time it is.  set_by: how far somebody has set our clock.  Nobody sets the steady one."""

    def __init__(self) -> None:
        self.true, self.set_by, self.bank_ahead = START, 0.0, 0.0

    def answer(self, clock: BankClock, *fields: tuple[bytes, bytes], took: float = 0.2, date: bytes = b"") -> None:
        """One answer a second."""
        self.true += max(1.0, took)
        date = date or imf_fixdate(int(self.true - took / 2 + self.bank_ahead))
        lines = [(b"date", b"Date", date), *((name.lower(), name, value) for name, value in fields)]
        clock.heard(date, Response(200, b"200 OK", lines, minor=1, length=0, options=frozenset(), close=False), took)
        clock.look()

    def signed(self, clock: BankClock) -> float:
        """Seconds that the signed date is ahead of the true time, to a second."""
        return parse_imf_fixdate(clock.date()) - self.true


@pytest.fixture
def world(monkeypatch):
    world = World()
    monkeypatch.setattr("proxy.serve.clock.time.time", lambda: world.true + world.set_by)
    monkeypatch.setattr(bank_clock, "steady", lambda: world.true - START)
    return world


@pytest.fixture
def said(caplog):
    """What was logged; call it."""
    caplog.set_level(logging.WARNING, logger="proxy")
    return lambda: caplog.messages


def clock_of(largest: float | None = None) -> BankClock:
    return BankClock(BANK) if largest is None else CorrectedClock(BANK, DateCorrection(largest=largest))


def test_measured_from_the_first_answer_and_told_from_the_third(world, said):
    clock, world.bank_ahead = clock_of(), -41
    assert clock.ahead is None
    world.answer(clock)
    assert clock.ahead == pytest.approx(41, abs=1)
    world.answer(clock)
    assert not said()
    world.answer(clock)
    for _ in range(10):
        world.answer(clock)
    (line,) = said()
    assert line.startswith(f"our clock is 41 s ahead of that of {BANK}; the date is signed")


def test_it_is_said_once_when_all_is_well_again_also_without_a_call(world, said):
    clock, world.set_by = clock_of(), -3600
    for _ in range(3):
        world.answer(clock)
    assert "3600 s behind" in said()[0]
    world.set_by = -27
    clock.look()
    assert len(said()) == 1
    world.set_by = 0
    clock.look()
    clock.look()
    assert len(said()) == 2
    assert said()[1].startswith(f"our clock agrees with that of {BANK} again")


@pytest.mark.parametrize("answer", [
    {"took": 5.5}, {"fields": ((b"Age", b"7"),)}, {"fields": ((b"X-Cache", b"HIT"),)},
    {"date": b"yesterday"}, {"date": b"Mon, 14 Aug 2023 26:25:61 GMT GMT"}, {"fields": ((b"Date", b"x"),)}])
def test_what_says_nothing_is_not_heard(world, answer):
    clock, world.bank_ahead = clock_of(300), 100
    for _ in range(5):
        world.answer(clock, *answer.get("fields", ()), took=answer.get("took", 0.2), date=answer.get("date", b""))
    assert clock.ahead is None
    assert clock.correction == 0


def test_an_answer_that_somebody_has_kept_is_heard_once(world):
    clock, kept = clock_of(), imf_fixdate(int(START))
    for _ in range(100):
        world.answer(clock, date=kept)
    assert clock.ahead == pytest.approx(0, abs=2)       # and not the age of what was kept


@pytest.mark.parametrize("wrong", [-299, -60, -6, 6, 60, 299])
def test_the_signed_date_follows_the_bank_where_that_is_set(world, wrong):
    plain, clock, world.set_by = clock_of(), clock_of(300), wrong
    world.answer(clock)
    world.answer(clock)
    assert world.signed(clock) == pytest.approx(wrong, abs=1)       # two answers are not enough
    world.answer(clock)
    assert world.signed(clock) == pytest.approx(0, abs=1.1)
    assert clock.correction == pytest.approx(-wrong, abs=1)
    for _ in range(3):
        world.answer(plain)
    assert world.signed(plain) == pytest.approx(wrong, abs=1)
    assert plain.correction == 0


@pytest.mark.parametrize("ahead", [-10**9, -7200, -301.5, 301.5, 7200, 10**9])
def test_a_bank_that_is_far_away_moves_nothing(world, said, ahead):
    clock, world.bank_ahead = clock_of(300), ahead
    for _ in range(5):
        world.answer(clock)
    assert world.signed(clock) == pytest.approx(0, abs=1)
    assert "more than date_correction.largest" in said()[0]


def test_a_bank_that_is_nearly_right_moves_nothing(world):
    clock, world.bank_ahead = clock_of(300), 3.9
    for _ in range(5):
        world.answer(clock)
    assert clock.correction == 0


def test_when_our_clock_is_set_the_signed_date_stays_right_at_once(world):
    clock = clock_of(300)
    for _ in range(3):
        world.answer(clock)
    for world.set_by in (200.0, -200.0, 0.0, 90.0):
        assert world.signed(clock) == pytest.approx(0, abs=1.1)
    world.set_by = 7200.0
    assert world.signed(clock) == pytest.approx(7200, abs=1)        # beyond the bound it is ours


def test_what_was_heard_an_hour_ago_corrects_nothing(world):
    clock, world.set_by = clock_of(300), 100
    for _ in range(3):
        world.answer(clock)
    world.true += 3700
    clock.look()
    assert clock.ahead is None
    assert world.signed(clock) == pytest.approx(100, abs=1)


def test_one_bank_says_nothing_about_another(world):
    clocks = BankClocks({name: CorrectedClock(name, DateCorrection()) for name in ("a:443", "b:443")})
    world.bank_ahead = 60
    for _ in range(3):
        world.answer(clocks["a:443"])
    clocks.look()
    assert clocks["b:443"].correction == 0
    assert [name for name, _ in clocks.ahead()] == ["a:443"]


def test_the_steady_clock_only_goes_forward():
    assert bank_clock.steady() <= bank_clock.steady()

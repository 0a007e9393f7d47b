"""The clock: what a bank's answers tell of it, and that nothing but the signed date ever hangs on it."""

from __future__ import annotations

import logging
import re
import time

import pytest

from proxy.emulator.verify import Policy
from proxy.serve.bank_clock import DateCorrection
from proxy.serve.clock import parse_imf_fixdate
from tests.e2e.line import get, request

_DATE = re.compile(rb"(?im)^x-nordea-originating-date: (.*?)\r$")
ASKED = get("/personal/v5/accounts")


class BankTime:
    """A bank's clock, ahead seconds from ours; each request of it comes a second later than the one before."""

    def __init__(self, ahead: float) -> None:
        self.ahead, self._passed = ahead, 0
        self._time = time.time

    def __call__(self) -> float:
        return self._time() + self.ahead + self._passed

    async def ask(self, proxy, raw: bytes = ASKED):
        self._passed += 1
        return await proxy.ask(raw)


def signed(received) -> int:
    return parse_imf_fixdate(_DATE.search(received.head)[1])


@pytest.fixture
def said(caplog):
    """Warnings about clocks; call it."""
    caplog.set_level(logging.WARNING, logger="proxy")
    return lambda: [message for message in caplog.messages if message.startswith("our clock")]


def look(proxy) -> None:
    """As the next tick does."""
    proxy.running.clocks.look()


async def status(proxy) -> dict:
    return (await proxy.admin("/status")).json["upstreams"][str(proxy.pool.origin)]


@pytest.mark.parametrize(("ahead", "word"), [(100, "behind"), (-100, "ahead of")])
async def test_a_wrong_clock_is_measured_said_once_and_told(start_bank, start_proxy, said, ahead, word):
    clock = BankTime(ahead)
    bank = await start_bank(clock=clock, policy=Policy(date_window=60))
    proxy = await start_proxy(bank)
    assert (await status(proxy))["clock_ahead_s"] is None
    answers = [await clock.ask(proxy) for _ in range(6)]
    look(proxy)
    assert {answer.status for answer in answers} == {401}       # nothing is corrected unless that is asked for
    assert bank.executions.total == 0
    (line,) = said()
    assert re.match(rf"our clock is (9|10)\d s {word} ", line)
    upstream = str(proxy.pool.origin)
    assert await proxy.metric("signing_proxy_clock_skew_seconds", upstream=upstream) == pytest.approx(-ahead, abs=8)
    assert await proxy.metric("signing_proxy_clock_correction_seconds", upstream=upstream) == 0
    told = await status(proxy)
    assert told["clock_ahead_s"] == pytest.approx(-ahead, abs=8)
    assert told["clock_correction_s"] == 0
    clock.ahead = 0
    for _ in range(3):
        await clock.ask(proxy)
    look(proxy)
    assert len(said()) == 2
    assert said()[1].startswith("our clock agrees")


@pytest.mark.parametrize("ahead", [100, -100])
async def test_the_correction_lets_the_bank_accept(start_bank, start_proxy, said, ahead):
    clock = BankTime(ahead)
    bank = await start_bank(clock=clock, policy=Policy(date_window=30))
    proxy = await start_proxy(bank, date_correction=DateCorrection())
    answers = [(await clock.ask(proxy)).status for _ in range(6)]
    assert answers == [401, 401, 401, 200, 200, 200]
    look(proxy)
    (line,) = said()
    assert "follows the bank's" in line
    assert (await status(proxy))["clock_correction_s"] == pytest.approx(ahead, abs=8)
    assert (await proxy.admin("/readyz")).status == 200


async def test_a_date_that_is_refused_although_it_was_the_banks_is_not_blamed_on_our_clock(start_bank, start_proxy):
    clock = BankTime(100)
    bank = await start_bank(clock=clock, policy=Policy(date_window=-1))     # refuses any
    proxy = await start_proxy(bank, date_correction=DateCorrection())
    causes = []
    for number in range(5):
        await (clock.ask(proxy) if number < 3 else proxy.ask(ASKED))
        clock.ahead -= number == 2      # back to the answer in the middle, which is the estimate
        (told,) = (await proxy.admin("/status")).json["diagnoses"].values()
        causes.append(told["causes"][0]["cause"])
    assert causes == ["clock_behind"] * 3 + ["date_refused"] * 2


@pytest.mark.parametrize("ahead", [301, -400, 86400 * 60])
async def test_no_bank_can_have_just_any_date_signed(start_bank, start_proxy, said, ahead):
    clock = BankTime(ahead)
    bank = await start_bank(clock=clock, policy=Policy(date_window=None))
    proxy = await start_proxy(bank, date_correction=DateCorrection(largest=250.0))
    for _ in range(6):
        assert (await clock.ask(proxy)).status == 200
    look(proxy)
    assert "more than date_correction.largest" in said()[0]
    assert max(abs(signed(received) - received.time + ahead) for received in bank.received) < 30


async def test_one_odd_date_changes_nothing(start_bank, start_proxy, said):
    clock = BankTime(0)
    bank = await start_bank(clock=clock)
    proxy = await start_proxy(bank, date_correction=DateCorrection())
    for _ in range(3):
        await clock.ask(proxy)
    clock.ahead = 200
    assert (await clock.ask(proxy)).status == 200       # one odd answer
    clock.ahead = 0
    await clock.ask(proxy)
    look(proxy)
    assert said() == []
    assert (await status(proxy))["clock_correction_s"] == 0


async def test_each_attempt_is_signed_with_the_date_it_leaves_at(bank, proxy, monkeypatch):
    """A safe call on a connection that has died: the second attempt is another message with another date."""
    await proxy.ask(ASKED)
    now = [time.time()]

    def ten_seconds_later() -> float:
        now[0] += 10
        return now[0]

    monkeypatch.setattr("proxy.serve.clock.time.time", ten_seconds_later)
    before = len(bank.received)
    bank.faults.add("reset_after")
    assert (await proxy.ask(ASKED)).status == 200
    first, second = list(bank.received)[before:]
    assert second.verdict.accepted
    assert signed(second) > signed(first)
    assert first.head != second.head


async def test_a_clock_that_is_set_while_calls_run_changes_the_signed_date_alone(start_bank, start_proxy, monkeypatch,
                                                                                said):
    """By hours, both ways, between the calls of one caller: no connection, deadline or breaker notices."""
    bank = await start_bank(policy=Policy(date_window=None))
    proxy = await start_proxy(bank, timeouts={"upstream_idle": 600.0})
    true, jump = time.time, [0.0]
    monkeypatch.setattr("time.time", lambda: true() + jump[0])
    async with proxy.connect() as line:
        for number, jump[0] in enumerate((0, 7200, -7200, 86400, -86400 * 40, 0, 3600, 0)):
            assert (await line.ask(get(f"/echo/jump/{number}"))).status == 200
            received = bank.received[-1]
            assert signed(received) - true() == pytest.approx(jump[0], abs=30)
    assert bank.executions.total == 8
    assert bank.connections == 1
    assert not proxy.pool.breaker.open
    assert proxy.pool.breaker.failures == 0
    assert len(proxy.lines.records) == 8
    assert all(record.timings.total < 30 for record in proxy.lines.records)
    assert (await proxy.ask(request("GET", "/livez"), listener="admin")).status == 200

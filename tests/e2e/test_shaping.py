"""With shaping, calls wait their turn under the bank's burst limit instead of meeting its 429."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from proxy.serve.shaping import ShapingSettings
from tests.e2e.line import eventually, get, reset

ONE_OF_30 = 0.034
"""The emulator says X-BurstLimit-Limit: name=burst-limit-1,130;name=auth-v5-api-burstlimit,30;"""


@pytest.fixture
def shaped(bank, start_proxy):
    async def start(**settings):
        proxy = await start_proxy(bank, shaping=ShapingSettings(share=ONE_OF_30, **settings))
        assert (await proxy.ask(get("/echo"))).status == 200        # from which it learns
        return proxy

    return start


async def test_a_call_that_would_wait_too_long_is_told_that_it_is_us(bank, shaped):
    proxy = await shaped(window=60.0, longest_wait=1.0)
    assert (await proxy.ask(get("/echo"))).status == 200
    answer = await proxy.ask(get("/echo"))
    assert answer.problem == (429, "rate_limited_here", "no")
    assert 2 <= int(answer["Retry-After"]) <= 60
    assert (await proxy.ask(get("/personal/v5/accounts"))).status == 200        # about which nothing is known yet
    assert bank.received.total == 3
    assert await proxy.metric("signing_proxy_shaped_total", application="shop", outcome="refused") == 1


async def test_calls_wait_for_their_turn(bank, shaped):
    proxy = await shaped(window=0.3, longest_wait=30.0)
    answers = await asyncio.gather(*(proxy.ask(get("/echo")) for _ in range(4)))
    assert [answer.status for answer in answers] == [200] * 4
    times = [one.time for one in bank.received][1:]
    assert all(later - earlier > 0.15 for earlier, later in pairwise(times))
    assert await proxy.metric("signing_proxy_shaped_total", application="shop", outcome="delayed") >= 1
    assert await proxy.metric("signing_proxy_requests_in_flight") == 0


async def test_a_caller_that_leaves_while_it_waits_has_nothing_signed(bank, shaped):
    proxy = await shaped(window=60.0, longest_wait=120.0)
    assert (await proxy.ask(get("/echo"))).status == 200
    async with proxy.connect() as line:
        await line.send(get("/echo"))
        await eventually(lambda: proxy.running.gateway.in_flight == 1)
        reset(line)
        record = await proxy.lines.last(3)
    assert (record.outcome, record.sent, record.attempts) == ("client_gone", "no", 0)
    assert bank.received.total == 2
    assert await proxy.metric("signing_proxy_requests_in_flight") == 0


async def test_a_caller_that_half_closes_while_it_waits_is_told_so(bank, shaped):
    proxy = await shaped(window=60.0, longest_wait=120.0)
    assert (await proxy.ask(get("/echo"))).status == 200
    async with proxy.connect() as line:
        await line.send(get("/echo"))
        await eventually(lambda: proxy.running.gateway.in_flight == 1)
        line.writer.write_eof()
        assert (await line.answer()).problem == (400, "caller_closed", "no")
    assert bank.received.total == 2


async def test_a_fault_of_ours_after_the_wait_is_answered(bank, shaped, monkeypatch):
    proxy = await shaped(window=0.3, longest_wait=30.0)

    def broken(*_: object) -> None:
        raise LookupError("CANARY")

    assert (await proxy.ask(get("/echo"))).status == 200
    monkeypatch.setattr(proxy.pool, "submit", broken)
    answer = await proxy.ask(get("/echo"))
    assert answer.problem == (500, "internal_error", "no")
    assert await proxy.metric("signing_proxy_requests_in_flight") == 0

"""A bank that is down is not asked again and again: 503, nothing sent, and when to come back."""

from __future__ import annotations

import pytest

from proxy.wire.breaker import BreakerSettings
from tests.e2e.line import get, post

THREE = BreakerSettings(failures=3, wait=5.0)


@pytest.fixture
async def proxy(bank, start_proxy):
    return await start_proxy(bank, breaker=THREE)


async def down(bank, proxy) -> None:
    await bank.stop()
    for _ in range(2):                      # each call tries twice to connect
        assert (await proxy.ask(post("/echo"))).status == 502


async def test_calls_are_refused_at_once_and_the_bank_is_tried_again_after_the_wait(bank, proxy):
    await down(bank, proxy)
    answer = await proxy.ask(post("/echo"))
    assert answer.problem == (503, "breaker_open", "no")
    assert 1 <= int(answer["Retry-After"]) <= 5
    assert await proxy.metric("signing_proxy_breaker_open", upstream=str(proxy.pool.origin)) == 1
    assert (await proxy.admin("/status")).json["upstreams"][str(proxy.pool.origin)]["breaker"] == "open"
    await bank.start()
    assert (await proxy.ask(post("/echo"))).status == 503
    assert bank.received.total == 0
    proxy.later(6.0)
    assert (await proxy.ask(post("/echo"))).status == 200
    assert (await proxy.ask(post("/echo"))).status == 200
    assert await proxy.metric("signing_proxy_breaker_open", upstream=str(proxy.pool.origin)) == 0
    assert await proxy.metric("signing_proxy_upstream_connections_total", upstream=str(proxy.pool.origin),
                              event="breaker_opened") == 1


async def test_payments_that_were_cut_count_too(bank, proxy):
    bank.faults.add("close_after", times=3)
    for _ in range(3):
        assert (await proxy.ask(post("/echo"))).problem == (502, "upstream_closed", "maybe")
    assert (await proxy.ask(post("/echo"))).problem == (503, "breaker_open", "no")
    assert bank.executions.total == 3


@pytest.mark.parametrize("kind", ["unavailable", "too_many", "gateway_error"])
async def test_a_bank_that_answers_is_there_whatever_it_says(bank, proxy, kind):
    bank.faults.add(kind, times=20)
    for _ in range(20):
        assert (await proxy.ask(get("/echo"))).status in (429, 500, 503)
    assert bank.received.total == 20


async def test_what_the_caller_does_wrong_never_opens_it(bank, proxy):
    for _ in range(20):
        assert (await proxy.ask(get("//bad"))).status == 400
        assert (await proxy.ask(get("/no-such-path"))).status == 404
    assert (await proxy.ask(get("/echo"))).status == 200

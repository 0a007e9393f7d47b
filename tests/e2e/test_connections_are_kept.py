"""A connection to the bank is used again while it is young, alive and clean."""

from __future__ import annotations

import asyncio

from tests.e2e.line import eventually, get, post


async def test_one_connection_carries_call_after_call(bank, proxy):
    async with proxy.connect() as line:
        for number in range(20):
            assert (await line.ask(post(f"/echo/{number}") if number % 2 else get(f"/echo/{number}"))).status == 200
    assert bank.connections == 1
    upstream = str(proxy.pool.origin)
    assert await proxy.metric("signing_proxy_upstream_connections_total", upstream=upstream, event="opened") == 1
    assert await proxy.metric("signing_proxy_upstream_connections_total", upstream=upstream, event="reused") == 19


async def test_calls_at_the_same_time_share_no_connection(bank, proxy):
    bank.faults.add("stall", times=5)
    calls = [asyncio.create_task(proxy.ask(get(f"/echo/{number}"))) for number in range(5)]
    await bank.until(lambda: bank.faults.taken == 5)
    assert len({received.connection for received in bank.received}) == 5
    bank.faults.release()
    for number, call in enumerate(calls):
        assert (await call).json["target"] == f"/echo/{number}"


async def test_there_are_never_more_than_the_limit(bank, start_proxy):
    proxy = await start_proxy(bank, limits={"upstream_connections": 3})
    answers = await asyncio.gather(*(proxy.ask(get(f"/echo/{number}")) for number in range(30)))
    assert [answer.json["target"] for answer in answers] == [f"/echo/{number}" for number in range(30)]
    assert bank.connections <= 3


async def test_an_old_connection_is_retired(bank, start_proxy):
    proxy = await start_proxy(bank, timeouts={"upstream_age": 100.0, "upstream_idle": 1000.0})
    async with proxy.connect() as line:
        assert (await line.ask(get("/echo"))).status == 200
        proxy.later(99)
        assert (await line.ask(get("/echo"))).status == 200
        assert bank.connections == 1
        proxy.later(2)
        assert (await line.ask(get("/echo"))).status == 200     # the last one on it: it retires after its answer
        await bank.until(lambda: bank.open_connections == 0)
        assert (await line.ask(get("/echo"))).status == 200
    assert bank.connections == 2


async def test_an_idle_connection_is_closed_in_time(bank, start_proxy):
    proxy = await start_proxy(bank, timeouts={"upstream_idle": 50.0})
    assert (await proxy.ask(get("/echo"))).status == 200
    assert proxy.pool.counts[:2] == (1, 1)
    proxy.later(51)
    await bank.until(lambda: bank.open_connections == 0)
    await eventually(lambda: proxy.pool.counts[0] == 0)


async def test_a_connection_that_the_bank_has_closed_is_not_used(bank, proxy):
    async with proxy.connect() as line:
        assert (await line.ask(post("/echo"))).status == 200
        assert bank.close_idle() == 1
        await eventually(lambda: proxy.pool.counts[0] == 0)
        assert (await line.ask(post("/echo"))).status == 200
    assert bank.executions.total == 2


async def test_a_bank_that_announces_the_end_is_believed(bank, proxy):
    bank.faults.add("close_announced")
    async with proxy.connect() as line:
        answer = await line.ask(post("/echo"))
        assert answer.status == 200
        assert "Connection" not in answer       # the caller's connection is another one
        assert (await line.ask(post("/echo"))).status == 200
    assert bank.connections == 2

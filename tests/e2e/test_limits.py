"""What happens when each limit is reached: a code, nothing signed, and room again as soon as somebody is done."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from proxy.wire.room import GRACE
from tests.e2e.line import BEARER, Line, eventually, get, post, request
from tests.e2e.standing import BANK_NAME
from tests.e2e.tunnels import Inside, connect, trusting


async def test_too_many_requests_in_hand(bank, start_proxy):
    proxy = await start_proxy(bank, limits={"in_flight": 2})
    bank.faults.add("stall", times=2)
    held = [asyncio.create_task(proxy.ask(get(f"/echo/{number}"))) for number in range(2)]
    await bank.until(lambda: bank.faults.taken == 2)
    async with proxy.connect() as line:
        answer = await line.ask(post("/echo/third"))
        assert answer.problem == (503, "overloaded", "no")
        assert answer["Retry-After"] == "1"
        bank.faults.release()
        assert [(await one).status for one in held] == [200, 200]
        assert (await line.ask(post("/echo/third"))).status == 200
    assert bank.executions.total == 3


async def test_bodies_that_come_later_do_not_slip_past_the_limit(bank, start_proxy):
    """Two heads are let in while there is room for one; only one of the two bodies finds it."""
    proxy = await start_proxy(bank, limits={"in_flight": 1})
    bank.faults.add("stall")
    async with proxy.connect() as first, proxy.connect() as second:
        for number, line in enumerate((first, second)):
            await line.send(post(f"/echo/{number}", b"", "Content-Length: 2") + b"{")
        await eventually(lambda: proxy.running.server.buffered == 2)
        await first.send(b"}")
        await bank.until(lambda: bank.faults.taken == 1)
        assert (await second.ask(b"}")).problem == (503, "overloaded", "no")
        bank.faults.release()
        assert (await first.answer()).status == 200
    assert bank.executions.total == 1
    assert proxy.running.gateway.in_flight == 0


async def test_too_many_connections(bank, start_proxy):
    proxy = await start_proxy(bank, limits={"connections": 3})
    async with AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(proxy.connect()) for _ in range(3)]
        await eventually(lambda: len(proxy.running.server.connections) == 3)
        async with proxy.connect() as one_more:
            answer = await one_more.ask(get("/echo"))
            assert answer.problem == (503, "overloaded", "no")
            assert answer["Retry-After"] == "1"
            assert await one_more.rest() == b""
        assert (await lines[0].ask(get("/echo"))).status == 200
        assert (await proxy.admin("/livez")).status == 200      # the admin port has room of its own
        lines[1].writer.close()
        await eventually(lambda: len(proxy.running.server.connections) < 3)
        assert (await proxy.ask(get("/echo"))).status == 200


async def test_too_many_bytes_held(bank, start_proxy):
    proxy = await start_proxy(bank, limits={"buffered": 10_000})
    async with proxy.connect() as first, proxy.connect() as second:
        await first.send(post("/echo", b"", "Content-Length: 9000") + bytes(8000))
        await eventually(lambda: proxy.running.server.buffered >= 8000)
        answer = await second.ask(post("/echo", bytes(5000)))
        assert answer.problem == (503, "overloaded", "no")
        assert (await first.ask(bytes(1000))).status == 200
    await eventually(lambda: proxy.running.server.buffered == 0)
    assert (await proxy.ask(post("/echo", bytes(5000)))).status == 200


async def test_a_set_limit_for_bodies(bank, start_proxy):
    proxy = await start_proxy(bank, limits={"body": 2000})
    assert (await proxy.ask(post("/echo", bytes(2000)))).status == 200
    answer = await proxy.ask(post("/echo", bytes(2001)))
    assert answer.problem == (413, "body_too_large", "no")
    assert "2000" in answer.json["detail"]


async def test_a_set_limit_for_heads(bank, start_proxy):
    """Exactly the limit passes."""
    proxy = await start_proxy(bank, limits={"head": 2048})
    bare = len(request("GET", "/echo", BEARER, "X: "))
    assert (await proxy.ask(get("/echo", "X: " + "x" * (2048 - bare)))).status == 200
    answer = await proxy.ask(get("/echo", "X: " + "x" * (2049 - bare)))
    assert answer.problem == (431, "headers_too_large", "no")


async def test_an_endless_head_is_not_waited_for(proxy):
    async with proxy.connect() as line:
        answer = await line.ask(b"GET /" + b"a" * 40_000)
        assert answer.problem == (431, "headers_too_large", "no")


async def test_a_handshake_that_does_not_end_leaves_for_one_that_comes(bank, intercepting):
    proxy = await intercepting(limits={"connections": 1})
    async with proxy.connect() as slow:
        assert (await slow.ask(connect(f"{BANK_NAME}:443"), bodiless=True)).status == 200
        await slow.send(b"\x16\x03\x01\x02\x00")
        proxy.later(GRACE + 0.5)
        assert (await proxy.ask(get("/echo"))).status == 200
        assert await slow.rest() == b""
    assert await proxy.metric("signing_proxy_connections_shed_total", kind="handshake") == 1
    assert await proxy.metric("signing_proxy_client_tls_handshakes_total", listener="main", outcome="no_room") == 1


async def test_a_tunnel_has_the_place_of_its_connect(bank, intercepting):
    """Also while somebody who was refused has not gone yet."""
    proxy = await intercepting(limits={"connections": 1})
    async with proxy.connect() as outside:
        await proxy.until_connections(1)
        inside = Inside(outside, trusting(proxy), BANK_NAME)
        async with proxy.connect() as refused:
            assert (await refused.answer()).problem == (503, "overloaded", "no")
            assert (await outside.ask(connect(f"{BANK_NAME}:443"), bodiless=True)).status == 200
            await inside.shake()
            assert (await Line(inside.plain, inside).ask(get("/echo", host=BANK_NAME))).status == 200
        await inside.close()


async def test_too_many_fields(proxy):
    """Each takes forty times its bytes in memory."""
    assert (await proxy.ask(get("/echo", *["X: y"] * 253))).status == 200
    answer = await proxy.ask(get("/echo", *["X: y"] * 255))
    assert answer.problem == (431, "headers_too_large", "no")


async def test_the_sum_of_what_callers_can_make_it_hold(bank, start_proxy):
    proxy = await start_proxy(bank, limits={
        "buffered": 1 << 20, "in_flight": 2, "head": 1024, "connections": 3, "upstream_connections": 5, "tunnels": 7})
    told = (await proxy.admin("/status")).json["memory_budget_bytes"]
    assert told == 3 * (1 << 20) + 4 * 2 * 1024 + 1024 * (192 * 3 + 512 * 5 + 192 * 7)

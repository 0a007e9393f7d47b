"""Every wait has an end of its own, and the caller learns whether the bank may have acted."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack

import pytest

from tests.e2e.line import Cut, connected, get, post
from tests.e2e.peers import deaf_listener, silent_peer

SHORT = 0.3


@pytest.fixture
async def full_port():
    """A listening port whose queue is full: further connections get no answer at all."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


async def test_a_port_that_does_not_answer(start_proxy, full_port):
    proxy = await start_proxy(f"https://127.0.0.1:{full_port}", timeouts={"connect": SHORT})
    answer = await proxy.ask(post("/personal/v4/payments/domestic"))
    assert answer.problem == (504, "upstream_connect_timeout", "no")


async def test_a_peer_that_never_shakes_hands(start_proxy):
    async with silent_peer() as peer:
        proxy = await start_proxy(f"https://127.0.0.1:{peer.port}", timeouts={"connect": SHORT})
        answer = await proxy.ask(post("/personal/v4/payments/domestic"))
        assert answer.problem == (504, "upstream_connect_timeout", "no")
        assert peer.accepted == 2       # one retry, because nothing had been sent
        await peer.until_all_gone()


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_bank_that_takes_the_request_and_says_nothing(bank, start_proxy, method):
    proxy = await start_proxy(bank, timeouts={"first_byte": SHORT})
    bank.faults.add("stall")
    answer = await proxy.ask(get("/echo") if method == "GET" else post("/echo"))
    assert answer.problem == (504, "upstream_timeout", "maybe")
    assert bank.executions.total == 1
    bank.faults.release()


async def test_a_bank_that_does_not_take_the_request(files, start_proxy):
    async with deaf_listener(files) as port:
        proxy = await start_proxy(f"https://127.0.0.1:{port}", timeouts={"write": SHORT, "first_byte": 20.0},
                                  limits={"body": 32 << 20})
        answer = await proxy.ask(post("/echo", bytes(24 << 20)))
        assert answer.problem == (504, "upstream_write_timeout", "maybe")


async def test_a_bank_that_stops_in_the_middle_of_its_answer(bank, start_proxy):
    proxy = await start_proxy(bank, timeouts={"between_bytes": SHORT})
    bank.faults.add("drip", after=2000, seconds=60)      # the head whole, then nothing
    with pytest.raises(Cut):
        await proxy.ask(get("/bytes/5000"))
    assert (await proxy.lines.last()).outcome == "cut"
    assert proxy.lines.records[-1].code == "upstream_timeout"


async def test_a_call_that_takes_too_long_altogether(bank, start_proxy):
    """Each byte comes in time, the whole does not."""
    proxy = await start_proxy(bank, timeouts={"deadline": 0.6, "between_bytes": 20.0})
    bank.faults.add("drip", after=2000, seconds=0.05)
    with pytest.raises(Cut) as cut:
        await proxy.ask(get("/bytes/500000"))
    assert cut.value.partial.startswith(b"HTTP/1.1 200")
    assert (await proxy.lines.last()).code == "upstream_timeout"


async def test_a_call_that_waits_for_a_connection_too_long(bank, start_proxy):
    proxy = await start_proxy(bank, timeouts={"queue": SHORT}, limits={"upstream_connections": 1})
    bank.faults.add("stall")
    first = asyncio.create_task(proxy.ask(get("/echo/first")))
    await bank.until(lambda: bank.faults.taken == 1)
    answer = await proxy.ask(post("/echo/second"))
    assert answer.problem == (503, "pool_timeout", "no")
    assert answer["Retry-After"]
    bank.faults.release()
    assert (await first).status == 200
    assert bank.executions.total == 1


async def test_a_caller_that_does_not_finish_its_request(bank, start_proxy):
    proxy = await start_proxy(bank, timeouts={"read": SHORT})
    async with proxy.connect() as line:
        answer = await line.ask(post("/echo", b"", "Content-Length: 10") + b"123")
        assert answer.problem == (408, "request_timeout", "no")
        assert await line.rest() == b""
    assert bank.received.total == 0


async def test_a_caller_that_says_nothing_is_hung_up_on_without_a_word(bank, start_proxy):
    proxy = await start_proxy(bank, timeouts={"read": SHORT, "idle": SHORT})
    async with connected(proxy.port()) as line:
        assert await line.rest() == b""
    async with connected(proxy.port()) as line:
        assert (await line.ask(get("/echo"))).status == 200
        assert await line.rest() == b""


async def test_after_every_timeout_the_next_request_works(bank, start_proxy):
    proxy = await start_proxy(bank, timeouts={"first_byte": SHORT})
    async with proxy.connect() as line:
        bank.faults.add("stall")
        assert (await line.ask(post("/echo"))).problem == (504, "upstream_timeout", "maybe")
        assert (await line.ask(post("/echo"))).status == 200
    bank.faults.release()

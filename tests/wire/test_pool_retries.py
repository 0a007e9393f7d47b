"""What is sent again, what never is, and that `sent` is the truth: the bank's own ears are the witness."""

from __future__ import annotations

import asyncio
import socket

import pytest

from proxy.errors import KeyUnusable
from tests.wire.bank import Call, Fixed, pool_to
from tests.wire.test_pool_reuse import UNSAFE, first

SAFE = (b"GET", b"HEAD")


@pytest.mark.parametrize("method", SAFE)
async def test_a_safe_call_on_a_stale_connection_goes_out_once_more_sealed_anew(pool, bank, method):
    stale = await first(pool, bank)
    call = Call(pool, method).submit()
    assert (await stale.request()).startswith(method + b" /1 ")
    stale.cut()
    fresh = await bank.line()
    assert (await fresh.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")).startswith(method + b" /2 ")
    assert await call.outcome() == (200, b"")
    assert pool._watch == ["opened", "reused", "retried", "opened"]


async def test_it_does_not_take_another_idle_connection_for_that(pool, bank):
    calls = [Call(pool).submit() for _ in range(3)]
    lines = [await bank.line() for _ in calls]
    for line in lines:
        await line.answer()
    for call in calls:
        await call.outcome()
    call = Call(pool).submit()
    heard = [asyncio.ensure_future(line.request()) for line in lines]
    (stale,), others = await asyncio.wait(heard, return_when=asyncio.FIRST_COMPLETED)
    lines[heard.index(stale)].cut()
    await (await bank.line()).answer()
    assert await call.outcome() == (200, b"ok")
    for other in others:
        other.cancel()
    await asyncio.wait(others)


async def test_a_second_death_is_the_end(pool, bank):
    stale = await first(pool, bank)
    call = Call(pool).submit()
    await stale.request()
    stale.cut()
    fresh = await bank.line()
    await fresh.request()
    fresh.cut()
    assert await call.outcome() == ("upstream_closed", "maybe")
    assert call.seals == 2
    assert len(bank.lines) == 2


@pytest.mark.parametrize("method", UNSAFE)
@pytest.mark.parametrize("orderly", [True, False])
async def test_an_unsafe_call_is_never_sent_twice(pool, bank, method, orderly):
    stale = await first(pool, bank)
    call = Call(pool, method, body=b"{}").submit()
    assert (await stale.request()).startswith(method + b" /1 ")
    if orderly:
        stale.writer.close()
    else:
        stale.cut()
    assert await call.outcome() == ("upstream_closed", "maybe")
    assert (call.seals, len(bank.lines)) == (1, 1)
    assert "retried" not in pool._watch


@pytest.mark.parametrize("method", [*SAFE, *UNSAFE])
async def test_nothing_is_sent_twice_when_a_fresh_connection_dies(pool, bank, method):
    call = Call(pool, method).submit()
    line = await bank.line()
    await line.request()
    line.cut()
    assert await call.outcome() == ("upstream_closed", "maybe")
    assert (call.seals, len(bank.lines)) == (1, 1)


@pytest.mark.parametrize("beginning", [b"H", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n",
                                       b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no"])
async def test_a_safe_call_whose_answer_has_begun_is_not_sent_again(pool, bank, beginning):
    stale = await first(pool, bank)
    call = Call(pool).submit()
    await stale.answer(beginning)
    stale.writer.close()
    assert await call.outcome() == ("upstream_closed", "maybe")
    assert (call.seals, len(bank.lines)) == (1, 1)


@pytest.mark.parametrize("method", [b"GET", b"POST"])
async def test_a_connection_that_dies_before_a_byte_is_written(pool, bank, method):
    """The key is still at work; nothing has left, so even a payment may take another connection, once."""
    stale = await first(pool, bank)
    call = Call(pool, method, late=True).submit()
    old = call.ticket.channel
    stale.cut()
    fresh = await bank.line()
    while call.seals < 2:
        call.sealing.clear()
        await call.sealing.wait()
    call.ticket.deliver(old, b"POST /stale HTTP/1.1\r\n\r\n")
    call.ticket.deliver(call.ticket.channel, call.bytes())
    assert (await fresh.answer()).startswith(method + b" /2 ")
    assert await call.outcome() == (200, b"ok")
    assert await stale.end() == b""


async def test_a_connection_that_dies_twice_before_a_byte_is_written(pool, bank):
    call = Call(pool, b"POST", late=True).submit()
    (await bank.line()).cut()
    (await bank.line()).cut()
    assert await call.outcome() == ("upstream_closed", "no")


@pytest.mark.parametrize("method", [b"GET", b"POST"])
async def test_a_refused_connect_is_tried_once_more(bank, client_context, method):
    refusing = [(socket.AF_INET, "127.0.0.2", bank.port)]
    resolver = Fixed(refusing, [(socket.AF_INET, "127.0.0.1", bank.port)])
    async with pool_to(bank.origin, client_context, resolver=resolver) as pool:
        call = Call(pool, method).submit()
        await (await bank.line()).answer()
        assert await call.outcome() == (200, b"ok")
        assert (call.seals, pool._watch) == (1, ["connect_failed", "retried", "opened"])


@pytest.mark.parametrize("method", [b"GET", b"POST"])
async def test_a_connect_that_is_refused_twice(bank, client_context, method):
    async with pool_to(bank.origin, client_context, resolver=Fixed([(socket.AF_INET, "127.0.0.2", 1)])) as pool:
        call = Call(pool, method).submit()
        assert await call.outcome() == ("upstream_connect", "no")
        assert (call.seals, pool._watch) == (0, ["connect_failed", "retried", "connect_failed"])


async def test_after_a_retry_whose_connect_fails_it_may_have_been_sent(bank, client_context):
    resolver = Fixed([(socket.AF_INET, "127.0.0.1", bank.port)], [(socket.AF_INET, "127.0.0.2", 1)])
    async with pool_to(bank.origin, client_context, resolver=resolver) as pool:
        stale = await first(pool, bank)
        call = Call(pool).submit()
        await stale.request()
        stale.cut()
        assert await call.outcome() == ("upstream_connect", "maybe")


async def test_each_of_several_calls_learns_of_a_bank_that_is_down(bank, client_context):
    async with pool_to(bank.origin, client_context, resolver=Fixed([(socket.AF_INET, "127.0.0.2", 1)])) as pool:
        calls = [Call(pool, method).submit() for method in (b"GET", b"POST", b"PUT")]
        assert [await call.outcome() for call in calls] == [("upstream_connect", "no")] * 3


async def test_a_seal_that_fails_leaves_the_connection_to_the_next(pool, bank):
    line = await first(pool, bank)
    call = Call(pool, b"POST", seal=KeyUnusable("signing_failed")).submit()
    assert await call.outcome() == ("signing_failed", "no")
    again = Call(pool).submit()
    assert (await line.answer()).startswith(b"GET /1 ")
    assert await again.outcome() == (200, b"ok")


async def test_a_late_seal_that_fails(pool, bank):
    call = Call(pool, b"POST", late=True).submit()
    line = await bank.line()
    await call.sealing.wait()
    call.ticket.deliver(call.ticket.channel, KeyUnusable("signing_failed"))
    assert await call.outcome() == ("signing_failed", "no")
    again = Call(pool).submit()
    await line.answer()
    assert await again.outcome() == (200, b"ok")

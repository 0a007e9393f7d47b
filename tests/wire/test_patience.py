"""A call that must not be sent twice takes a used connection only where the bank has shown that it keeps it open."""

from __future__ import annotations

import asyncio

import pytest

from proxy.wire.patience import UNSAFE_IDLE, Patience
from tests.wire.bank import Call, pool_to
from tests.wire.test_pool_reuse import ask, first


@pytest.fixture
async def stranger(bank, client_context):
    """A pool to a bank about which nothing is known yet."""
    async with pool_to(bank.origin, client_context, kept=0.0) as pool:
        yield pool


async def test_an_unknown_bank_gets_its_payments_on_fresh_connections(stranger, bank):
    await first(stranger, bank)
    second = Call(stranger, b"POST").submit()
    await (await bank.line()).answer()
    assert await second.outcome() == (200, b"ok")
    assert stranger._watch == ["opened", "opened"]


async def test_a_connection_that_stayed_open_shows_that_others_will(stranger, bank):
    line = await first(stranger, bank)
    stranger.ahead += 3.0
    stranger.tick()
    await ask(stranger, line)
    assert stranger._watch == ["opened", "reused"]
    stranger.ahead += 1.4
    await ask(stranger, line, b"POST")
    assert stranger._watch == ["opened", "reused", "reused"]
    stranger.ahead += 1.6                                   # more than half of three seconds
    fresh = Call(stranger, b"POST").submit()
    await (await bank.line()).answer()
    assert await fresh.outcome() == (200, b"ok")


async def test_a_close_after_a_second_halves_the_limit_below_it(pool, bank):
    line = await first(pool, bank)
    pool.ahead += 1.0
    line.cut()
    while pool.counts[0]:
        await asyncio.sleep(0)
    line = await first(pool, bank)
    pool.ahead += 0.4
    await ask(pool, line, b"POST")
    assert pool._watch == ["opened", "opened", "reused"]
    pool.ahead += 0.6
    fresh = Call(pool, b"POST").submit()
    await (await bank.line()).answer()
    assert await fresh.outcome() == (200, b"ok")


async def test_a_payment_lost_to_a_close_is_the_last_on_a_used_connection(pool, bank):
    line = await first(pool, bank)
    payment = Call(pool, b"POST").submit()
    await line.request()
    line.cut()
    assert await payment.outcome() == ("upstream_closed", "maybe")
    await first(pool, bank)
    fresh = Call(pool, b"POST").submit()
    await (await bank.line()).answer()
    assert await fresh.outcome() == (200, b"ok")


def test_the_figures():
    patience = Patience()
    assert patience.limit(0.0) == 0.0
    patience.kept(0.03)
    assert patience.limit(0.0) == 0.0                       # a close may be under way for as long
    patience.kept(1.0)
    patience.kept(0.5)
    assert patience.limit(0.0) == 0.5
    patience.kept(100.0)
    assert patience.limit(0.0) == UNSAFE_IDLE
    patience.closed(60.0, 0.0)
    assert patience.limit(0.0) == UNSAFE_IDLE
    patience.closed(1.0, 0.0)
    assert [patience.limit(at) for at in (0.0, 10.0, 20.0)] == [0.5, 1.0, 2.0]
    patience.closed(0.0, 200.0)
    assert patience.limit(200.0) == 0.0
    assert patience.limit(200.0 + 11 * 10.0) == UNSAFE_IDLE
    patience.closed(1.0, 1000.0)
    assert patience.limit(1e9) == UNSAFE_IDLE


async def test_a_caller_that_leaves_makes_no_connection_younger(pool, bank):
    await first(pool, bank)
    pool.ahead += 3.0
    gone = Call(pool, late=True).submit()
    assert gone.ticket.cancel()
    payment = Call(pool, b"POST").submit()
    await (await bank.line()).answer()
    assert await payment.outcome() == (200, b"ok")
    assert pool._watch == ["opened", "reused", "opened"]
    assert pool.counts[1] == 2, "the old one is for others"


async def test_nor_for_a_payment_that_waits_for_it(bank, client_context):
    async with pool_to(bank.origin, client_context, limits={"upstream_connections": 1}) as pool:
        line = await first(pool, bank)
        pool.ahead += 3.0
        gone = Call(pool, late=True).submit()
        payment = Call(pool, b"POST").submit()
        assert gone.ticket.cancel()
        assert await line.end() == b""
        line.writer.close()
        await (await bank.line()).answer()
        assert await payment.outcome() == (200, b"ok")


async def test_a_connection_that_never_carried_a_request_shows_nothing(stranger, bank):
    """Many servers wait longer for a first request than for the next one."""
    unused = Call(stranger, late=True).submit()
    await bank.line()
    await unused.sealing.wait()
    assert unused.ticket.cancel()
    stranger.ahead += 3.9
    stranger.tick()
    assert stranger.counts[1] == 1
    assert stranger.patience.limit(stranger.now()) == 0.0

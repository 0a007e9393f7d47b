"""Queues, budgets and addresses: what a pool and a dialer must still do when everything else goes wrong."""

from __future__ import annotations

import asyncio
import socket

import pytest

from proxy.errors import KeyUnusable
from proxy.wire import dial
from proxy.wire.dial import Dialer, Egress, Origin
from tests.wire.bank import Call, Fixed, pool_to
from tests.wire.test_pool_reuse import UNSAFE, first
from tests.wire.test_tls import End

ONE = {"upstream_connections": 1}


async def test_a_retry_that_cannot_be_sealed_may_have_been_sent(pool, bank):
    """The first attempt has left on a connection that died; that the second never did does not take it back."""
    stale = await first(pool, bank)
    call = Call(pool).submit()
    await stale.request()
    call.raise_ = KeyUnusable("signing_failed")
    stale.cut()
    assert await call.outcome() == ("signing_failed", "maybe")
    assert call.seals == 2


async def test_a_late_seal_of_a_retry_that_fails_may_have_been_sent(pool, bank):
    stale = await first(pool, bank)
    call = Call(pool).submit()
    await stale.request()
    call.late = True
    call.sealing.clear()
    stale.cut()
    await call.sealing.wait()
    call.ticket.deliver(call.ticket.channel, KeyUnusable("signing_failed"))
    assert await call.outcome() == ("signing_failed", "maybe")


async def test_a_seal_for_a_connection_that_is_closing_finds_another(pool, bank):
    """A write on it would vanish without a word."""
    stale = await first(pool, bank)
    call = Call(pool, b"POST", late=True).submit()
    channel = call.ticket.channel
    channel.transport.abort()
    call.sealing.clear()
    call.ticket.deliver(channel, call.bytes())
    assert not call.ticket.written
    fresh = await bank.line()
    await call.sealing.wait()
    call.ticket.deliver(call.ticket.channel, call.bytes())
    assert (await fresh.answer()).startswith(b"POST /2 ")
    assert await call.outcome() == (200, b"ok")
    assert await stale.end() == b""


@pytest.mark.parametrize("fault", [KeyUnusable("signing_failed"), RuntimeError("a fault of ours")])
async def test_many_calls_in_line_that_cannot_be_sealed(bank, client_context, fault):
    """Each withdrawn call frees the connection for the next one: not on the stack of the one before."""
    async with pool_to(bank.origin, client_context, limits=ONE) as pool:
        busy = Call(pool).submit()
        line = await bank.line()
        calls = [Call(pool, b"POST", seal=fault).submit() for _ in range(500)]
        last = Call(pool).submit()
        assert pool.counts[2] == 501
        await line.answer()
        assert await busy.outcome() == (200, b"ok")
        code = "signing_failed" if isinstance(fault, KeyUnusable) else "internal_error"
        assert {await call.outcome() for call in calls} == {(code, "no")}
        assert [call.failure.detail for call in calls if "Recursion" in call.failure.detail] == []
        await line.answer()
        assert await last.outcome() == (200, b"ok")
        assert len(bank.lines) == 1


async def test_a_call_that_wants_a_fresh_connection_gets_one_as_soon_as_another_is_free(bank, client_context):
    """The only connection is taken by another call meanwhile, and kept for later; no clock has to move."""
    async with pool_to(bank.origin, client_context, limits=ONE) as pool:
        stale = await first(pool, bank)
        retried = Call(pool).submit()
        await stale.request()
        ahead = Call(pool, b"POST").submit()        # before the retry in the queue
        stale.cut()
        line = await bank.line()
        await line.answer()
        assert await ahead.outcome() == (200, b"ok")
        fresh = await bank.line()
        assert (await fresh.answer()).startswith(b"GET /2 ")
        assert await retried.outcome() == (200, b"ok")
        assert await line.end() == b""
        assert len(bank.lines) == 3


@pytest.mark.parametrize("method", [b"GET", *UNSAFE])
async def test_a_withdrawn_call_whose_connection_dies_at_once_is_told_once(pool, bank, method):
    stale = await first(pool, bank)
    call = Call(pool, method, seal=KeyUnusable("signing_failed")).submit()
    (channel,) = pool._live
    stale.cut()
    channel.transport.abort()
    assert await call.outcome() == ("signing_failed", "no")
    after = Call(pool, method).submit()
    line = await bank.line()
    await line.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert await after.outcome() == (200, b"")
    assert call.seals == 1


@pytest.mark.parametrize(("host", "authority"), [
    ("2001:db8::1", b"[2001:db8::1]:443"), ("::1", b"[::1]:443"), ("bank.test", b"bank.test:443"),
    ("192.0.2.1", b"192.0.2.1:443")])
def test_an_egress_proxy_is_asked_for_an_address_in_brackets(host, authority):
    raw = Egress("proxy.test", 3128).request(Origin(host, 443, "bank.test"))
    assert raw == b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (authority, authority)


async def test_an_address_that_swallows_everything_leaves_time_for_the_next(bank, client_context, monkeypatch):
    real, asked, now = dial.connect, [], asyncio.Event()

    async def swallowing(family, address, port):
        asked.append(address)
        if address == "192.0.2.1":
            await now.wait()
        return await real(family, address, port)

    async def budget(seconds: float) -> str:
        """-> what came of it: "up", or the code.  A budget that the machine was too slow for is doubled."""
        end = End()
        try:
            await dialer.open(bank.origin, end, seconds)
        except dial.UpstreamFailed as failure:
            return failure.code
        end.transport.close()
        await end.lost
        return "up"

    monkeypatch.setattr(dial, "connect", swallowing)
    black_hole, good = (socket.AF_INET, "192.0.2.1", bank.port), (socket.AF_INET, "127.0.0.1", bank.port)
    dialer = Dialer(client_context, Fixed([black_hole, good]))
    seconds, outcome = 0.1, ""
    while outcome != "up" and seconds < 60:
        outcome, seconds = await budget(seconds), seconds * 2
    assert outcome == "up"
    assert asked[:2] == ["192.0.2.1", "127.0.0.1"]

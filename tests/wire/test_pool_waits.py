"""Every wait for a bank has an end with a truthful word about it, and a caller may leave at any moment."""

from __future__ import annotations

import asyncio

from proxy.wire.limits import Timeouts
from tests.wire.bank import Call, pool_to
from tests.wire.test_pool_reuse import first


class TestACallerThatLeaves:
    async def test_before_anything_was_written(self, pool, bank):
        line = await first(pool, bank)
        call = Call(pool, b"POST", late=True).submit()
        channel = call.ticket.channel
        assert call.ticket.cancel()
        call.ticket.deliver(channel, call.bytes())
        again = Call(pool).submit()
        assert (await line.answer()).startswith(b"GET")
        assert await again.outcome() == (200, b"ok")
        assert call.events == []

    async def test_while_it_waits_for_a_connection(self, pool, bank):
        call = Call(pool, b"POST").submit()
        assert call.ticket.cancel()
        other = Call(pool).submit()
        await (await bank.line()).answer()
        assert await other.outcome() == (200, b"ok")
        assert (call.seals, call.events) == (0, [])

    async def test_after_the_request_has_left(self, pool, bank):
        call = Call(pool, b"POST").submit()
        line = await bank.line()
        await line.request()
        assert not call.ticket.cancel()
        line.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        assert await call.outcome() == (200, b"ok")

    async def test_and_does_not_want_the_rest(self, pool, bank):
        call = Call(pool).submit()
        line = await bank.line()
        await line.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nbegin")
        await call.has_head.wait()
        call.ticket.give_up()
        assert await line.end() == b""
        assert call.events[-1] != "failed"
        assert pool.counts[1] == 0


def late(pool, seconds: float) -> None:
    """Every deadline up to then is enforced, in steps as a clock would."""
    pool.ahead += seconds
    pool.tick()
    pool.tick()


class TestDeadlines:
    async def test_no_answer(self, pool, bank):
        call = Call(pool, b"POST").submit()
        await (await bank.line()).request()
        late(pool, Timeouts().write + 0.1)
        assert not call.done.done()
        late(pool, Timeouts().first_byte)
        assert await call.outcome() == ("upstream_timeout", "maybe")

    async def test_the_whole_call(self, pool, bank):
        call = Call(pool).submit(within=5.0)
        await (await bank.line()).request()
        late(pool, 5.1)
        assert await call.outcome() == ("upstream_timeout", "maybe")

    async def test_an_answer_that_stops(self, pool, bank):
        call = Call(pool).submit()
        await (await bank.line()).answer(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nbegin")
        await call.has_head.wait()
        late(pool, Timeouts().between_bytes + 0.1)
        assert await call.outcome() == ("upstream_timeout", "maybe")

    async def test_a_bank_that_does_not_take_the_request(self, pool, bank):
        call = Call(pool, b"POST", body=bytes(32 << 20)).submit()
        line = await bank.line()
        line.writer.transport.pause_reading()
        await call.sealing.wait()
        late(pool, Timeouts().write + 0.1)
        assert await call.outcome() == ("upstream_write_timeout", "maybe")

    async def test_no_connection_becomes_free(self, bank, client_context):
        async with pool_to(bank.origin, client_context, limits={"upstream_connections": 1}) as pool:
            busy, waiting = Call(pool).submit(), Call(pool, b"POST").submit()
            line = await bank.line()
            await line.request()
            late(pool, Timeouts().queue + 0.1)
            assert await waiting.outcome() == ("pool_timeout", "no")
            assert not busy.done.done()

    async def test_a_key_that_takes_too_long(self, pool, bank):
        call = Call(pool, b"POST", late=True).submit(within=5.0)
        await bank.line()
        await call.sealing.wait()
        late(pool, 5.1)
        code, sent = await call.outcome()
        assert (code, sent) == ("signing_failed", "no")


async def test_a_caller_that_reads_slowly_pauses_the_bank(pool, bank):
    size = 8 << 20
    call = Call(pool).submit()
    line = await bank.line()
    await line.answer(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
    await call.has_head.wait()
    call.ticket.pause()
    late(pool, Timeouts().between_bytes + 1)
    assert not call.done.done(), "the caller's stall is not the bank's"
    line.writer.write(bytes(size))
    for _ in range(20):
        await asyncio.sleep(0)
    assert call.payload == b""
    call.ticket.resume()
    status, body = await call.outcome()
    assert (status, len(body)) == (200, size)


async def test_a_caller_that_reads_to_its_deadline_is_no_failure_of_the_bank(pool, bank):
    call = Call(pool).submit()
    line = await bank.line()
    await line.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nbegin")
    await call.has_head.wait()
    call.ticket.pause()
    late(pool, 101.0)
    assert await call.outcome() == ("upstream_timeout", "maybe")
    assert pool.breaker.failures == 0

"""Which connection a call takes, and when one is never used again."""

from __future__ import annotations

import pytest

from tests.wire.bank import OK, Call, pool_to
from tests.wire.corpus_answers import MALFORMED

UNSAFE = (b"POST", b"PUT", b"PATCH", b"DELETE")


async def ask(pool, line, method=b"GET", raw=OK, **how):
    """One call answered on this connection of the bank."""
    call = Call(pool, method, **how).submit()
    await line.answer(raw)
    return await call.outcome()


async def first(pool, bank, method=b"GET", raw=OK):
    """-> the bank's side of a connection that has answered once."""
    call = Call(pool, method).submit()
    line = await bank.line()
    await line.answer(raw)
    await call.outcome()
    return line


@pytest.mark.parametrize("method", [b"GET", b"HEAD", *UNSAFE])
async def test_a_connection_just_used_is_taken_by_any_call(pool, bank, method):
    line = await first(pool, bank)
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    assert await ask(pool, line, method, raw) == (200, b"")
    assert pool._watch == ["opened", "reused"]


@pytest.mark.parametrize(("idle", "reused"), [(1.9, True), (2.1, False)])
@pytest.mark.parametrize("method", UNSAFE)
async def test_an_unsafe_call_wants_a_fresh_connection_or_one_idle_for_less_than_two_seconds(pool, bank, method, idle,
                                                                                             reused):
    line = await first(pool, bank)
    pool.ahead += idle
    call = Call(pool, method).submit()
    second = line if reused else await bank.line()
    await second.answer()
    assert await call.outcome() == (200, b"ok")
    assert pool._watch == ["opened", "reused" if reused else "opened"]


async def test_a_safe_call_takes_any_idle_connection(pool, bank):
    line = await first(pool, bank)
    pool.ahead += 3.9
    assert await ask(pool, line) == (200, b"ok")


async def test_an_idle_connection_is_retired(pool, bank):
    line = await first(pool, bank)
    pool.ahead += 3.9
    pool.tick()
    assert pool.counts[1] == 1
    pool.ahead += 0.2
    pool.tick()
    assert pool.counts[1] == 0
    assert await line.end() == b""


async def test_an_old_connection_is_retired_after_its_answer(pool, bank):
    line = await first(pool, bank)
    for _ in range(99):
        pool.ahead += 3.0
        assert await ask(pool, line) == (200, b"ok")
    pool.ahead += 3.5
    assert await ask(pool, line) == (200, b"ok")
    assert await line.end() == b""
    assert pool._watch.count("opened") == 1
    call = Call(pool).submit()
    await (await bank.line()).answer()
    assert await call.outcome() == (200, b"ok")


@pytest.mark.parametrize("raw", [
    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    OK + b"more",
    OK + OK,
    OK + b"\r\n",
], ids=["close", "HTTP/1.0", "bytes behind it", "a second answer", "an empty line behind it"])
async def test_what_is_not_clean_is_not_used_again(pool, bank, raw):
    line = await first(pool, bank, raw=raw)
    assert pool.counts[1] == 0
    assert await line.end() == b""
    assert await ask(pool, await _next(pool, bank)) == (200, b"ok")


async def _next(pool, bank):
    """A fresh connection, opened by a call of its own."""
    return await first(pool, bank)


async def test_bytes_nobody_asked_for_end_an_idle_connection(pool, bank):
    line = await first(pool, bank)
    line.writer.write(OK)
    assert await line.end() == b""
    assert pool.counts[:2] == (0, 0)


@pytest.mark.parametrize("name", [name for name in MALFORMED if not name.startswith("chunk")])
async def test_a_malformed_answer_is_named_and_its_connection_dropped(pool, bank, name):
    call = Call(pool, b"POST").submit()
    line = await bank.line()
    await line.answer(MALFORMED[name])
    assert await call.outcome() == ("upstream_malformed", "maybe")
    assert call.events == ["failed"]
    assert await line.end() == b""
    assert pool.counts[:2] == (0, 0)


async def test_a_chunk_that_is_malformed_fails_behind_the_head(pool, bank):
    call = Call(pool).submit()
    await (await bank.line()).answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nnonsense\r\n")
    assert await call.outcome() == ("upstream_malformed", "maybe")
    assert call.events[0] == "head"


async def test_an_answer_until_the_orderly_close_is_whole(pool, bank):
    call = Call(pool).submit()
    line = await bank.line()
    await line.answer(b"HTTP/1.1 200 OK\r\n\r\nall of it")
    line.writer.close()
    assert await call.outcome() == (200, b"all of it")
    assert pool.counts[1] == 0


async def test_an_answer_until_a_cut_is_not(pool, bank):
    call = Call(pool).submit()
    line = await bank.line()
    await line.answer(b"HTTP/1.1 200 OK\r\n\r\nhalf of")
    await call.has_head.wait()
    line.cut()
    assert await call.outcome() == ("upstream_closed", "maybe")


async def test_an_answer_before_the_whole_request_is_taken(pool, bank):
    call = Call(pool, b"POST", body=bytes(8 << 20)).submit()
    line = await bank.line()
    await line.reader.readexactly(10)
    line.writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
    assert await call.outcome() == (413, b"")
    assert pool.counts[1] == 0


async def test_calls_wait_for_room(bank, client_context):
    async with pool_to(bank.origin, client_context, limits={"upstream_connections": 1}) as pool:
        calls = [Call(pool, method).submit() for method in (b"GET", b"POST", b"GET")]
        line = await bank.line()
        assert pool.counts == (1, 0, 2)
        seen = [(await line.answer()).split()[0] for _ in calls]
        assert [await call.outcome() for call in calls] == [(200, b"ok")] * 3
        assert seen == [b"GET", b"POST", b"GET"]
        assert pool._watch == ["opened"]


async def test_an_idle_connection_that_is_too_old_makes_room_for_a_fresh_one(bank, client_context):
    async with pool_to(bank.origin, client_context, limits={"upstream_connections": 1}) as pool:
        old = await first(pool, bank)
        pool.ahead += 3.0
        call = Call(pool, b"POST").submit()
        assert await old.end() == b""
        old.writer.close()
        await (await bank.line()).answer()
        assert await call.outcome() == (200, b"ok")

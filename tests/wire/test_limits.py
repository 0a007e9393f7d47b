"""Every bound of an accepted connection has its answer, the answer arrives, and nothing behind it is interpreted."""

from __future__ import annotations

import asyncio

import pytest

from proxy.wire.limits import Timeouts
from tests.wire.corpus_malformed import MALFORMED
from tests.wire.door import get, open_door, post


@pytest.fixture
async def door():
    async with open_door({"head": 2048, "body": 4096}) as door:
        yield door


@pytest.fixture
async def caller(door):
    return await door.call()


async def refused(caller, raw: bytes, status: int, code: bytes) -> None:
    answer = await caller.ask(raw)
    assert (answer[0], answer[1][b"Connection"], answer[2]) == (status, b"close", code)
    assert await caller.rest() == b""


@pytest.mark.parametrize(("raw", "status", "code"), [
    (get(b"/" + b"a" * 3000), 431, b"headers_too_large"),
    (get(b"/", b"X: " + b"y" * 3000), 431, b"headers_too_large"),
    (b"GET /" + b"a" * 3000, 431, b"headers_too_large"),
    (post(b"/", bytes(4097)), 413, b"body_too_large"),
    (post(b"/", b"")[:-4].replace(b": 0", b": 999999999999"), 413, b"body_too_large"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1001\r\n", 413, b"body_too_large"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n", 400, b"malformed_request"),
    (b"GET / HTTP/1.1\nHost: a\n\n", 400, b"malformed_request"),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, b"malformed_request"),
    (post(b"/", b"x", b"Expect: nothing"), 417, b"expectation_failed"),
], ids=["target", "field", "no end", "body", "huge length", "chunk", "chunk size", "LF alone", "TLS", "Expect"])
async def test_what_is_refused(caller, raw, status, code):
    await refused(caller, raw.replace(b": 999999999999", b": 999999999999\r\n\r\n"), status, code)


async def test_exactly_the_body_limit(caller):
    assert (await caller.ask(post(b"/", bytes(4096))))[0] == 200


@pytest.mark.parametrize("name", [name for name, (raw, _) in MALFORMED.items() if len(raw) < 2000])
async def test_nothing_is_interpreted_behind_an_error(door, caller, name):
    raw, code = MALFORMED[name]
    await refused(caller, raw + get(b"/smuggled") * 3, 417 if code == "expectation_failed" else 400, code.encode())
    assert door.app.heard == [("refuse", code)]


async def test_nothing_is_interpreted_behind_an_error_that_comes_later(door, caller):
    caller.say(b"GET / HTTP/1.1\nHost")
    assert (await caller.answer())[0] == 400
    caller.say(b": a\r\n\r\n" + get(b"/smuggled"))
    caller.writer.write_eof()
    assert await caller.rest() == b""
    assert door.app.heard == [("refuse", "malformed_request")]


async def test_requests_before_an_error_are_answered(door, caller):
    caller.say(get(b"/1") + get(b"/2") + b"nonsense\r\n\r\n" + get(b"/3"))
    assert [(await caller.answer())[0] for _ in range(3)] == [200, 200, 400]
    assert await caller.rest() == b""
    assert door.app.heard == [("handle", b"/1"), ("handle", b"/2"), ("refuse", "malformed_request")]


@pytest.mark.parametrize("head", [
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n", b"nonsense\r\n\r\n",
    b"POST /deny HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2000000\r\n\r\n"])
async def test_an_error_reaches_a_caller_that_goes_on_sending_two_megabytes(door, caller, head):
    caller.say(head)
    for _ in range(20):
        caller.say(bytes(100_000))
        await caller.writer.drain()
    status, fields, _ = await caller.answer()
    assert status in (400, 403, 413)
    assert fields[b"Connection"] == b"close"
    assert await caller.rest() == b""
    assert len(door.app.heard) == 1


class TestTime:
    async def test_a_request_that_does_not_end(self, door, caller):
        caller.say(get(b"/")[:-2])
        await _pending(door)
        door.ahead(Timeouts().read - 1)
        assert door.app.heard == []
        door.ahead(1.1)
        assert (await caller.answer())[::2] == (408, b"request_timeout")
        assert await caller.rest() == b""

    async def test_a_drip_does_not_move_the_deadline(self, door, caller):
        for byte in b"GET / HT":
            caller.say(bytes((byte,)))
            await _pending(door)
            door.ahead(Timeouts().read / 8 + 0.1)
        assert (await caller.answer())[0] == 408

    async def test_a_body_that_does_not_come(self, door, caller):
        caller.say(post(b"/", b"hello")[:-1])
        await _pending(door)
        door.ahead(Timeouts().read + 0.1)
        assert (await caller.answer())[0] == 408

    async def test_an_idle_connection_ends_without_a_word(self, door, caller):
        await caller.ask(get(b"/"))
        door.ahead(Timeouts().idle - 1)
        assert (await caller.ask(get(b"/")))[0] == 200
        door.ahead(Timeouts().idle + 0.1)
        assert await caller.rest() == b""

    async def test_a_caller_that_never_says_anything(self, door, caller):
        await _connections(door, 1)
        door.ahead(Timeouts().read + 0.1)
        assert await caller.rest() == b""

    async def test_a_request_in_hand_has_no_deadline_here(self, door, caller):
        caller.say(get(b"/later"))
        await door.app.hears("handle", b"/later")
        door.ahead(10_000)
        door.app.finish(*door.app.held[0])
        assert (await caller.answer())[0] == 200

    async def test_a_caller_that_goes_on_sending_for_ever_is_cut(self, door, caller):
        caller.say(b"nonsense\r\n\r\n")
        assert (await caller.answer())[0] == 400
        door.ahead(1.1)
        door.ahead(5.1)
        await _connections(door, 0)


async def _pending(door) -> None:
    """Until the server holds a part of a request."""
    while not any(connection._reader.pending for connection in door.server.connections):
        await asyncio.sleep(0)


async def _connections(door, count: int) -> None:
    while len(door.server.connections) != count:
        await asyncio.sleep(0)


async def test_one_connection_too_many():
    async with open_door({"connections": 2}) as door:
        first, second = await door.call(), await door.call()
        await _connections(door, 2)
        third = await door.call()
        assert (await third.answer())[::2] == (503, b"overloaded")
        third.writer.close()
        assert (await first.ask(get(b"/")))[0] == 200
        second.reset()
        while len(door.server.connections) > 1:
            await asyncio.sleep(0)
        assert (await (await door.call()).ask(get(b"/")))[0] == 200


async def test_more_bytes_than_the_budget():
    async with open_door({"buffered": 10_000}) as door:
        one, two = await door.call(), await door.call()
        one.say(post(b"/", bytes(9000))[:-1])
        await _pending(door)
        while door.server.buffered < 8000:
            await asyncio.sleep(0)
        two.say(post(b"/", bytes(9000))[:-1])
        assert (await two.answer())[::2] == (503, b"overloaded")
        assert (await one.ask(b"\0"))[0] == 200
        assert await two.rest() == b""
        assert door.server.buffered == 0

"""What a caller hears on its connection: answers in order, 100 only when admitted, an end when one is due."""

from __future__ import annotations

import asyncio

import pytest

from tests.wire.door import get, open_door, post


@pytest.fixture
async def door():
    async with open_door() as door:
        yield door


@pytest.fixture
async def caller(door):
    return await door.call()


async def test_one_after_another(caller):
    for number in range(3):
        assert (await caller.ask(post(b"/%d" % number, b"x")))[2] == b"POST /%d x" % number


async def test_a_pipeline_is_answered_in_order(caller):
    caller.say(b"".join(get(b"/%d" % number) for number in range(200)))
    for number in range(200):
        assert (await caller.answer())[2] == b"GET /%d " % number


async def test_the_next_in_a_pipeline_waits_until_the_answer_is_out(door, caller):
    caller.say(get(b"/later/1") + get(b"/2") + post(b"/3", b"x"))
    await door.app.hears("handle", b"/later/1")
    assert door.app.heard == [("handle", b"/later/1")]
    door.app.finish(*door.app.held[0])
    assert [(await caller.answer())[2] for _ in range(3)] == [b"GET /later/1 ", b"GET /2 ", b"POST /3 x"]


async def test_more_requests_while_one_is_in_hand(door, caller):
    caller.say(get(b"/later/1"))
    await door.app.hears("handle", b"/later/1")
    caller.say(post(b"/2", bytes(600_000)))
    caller.say(get(b"/3"))
    door.app.finish(*door.app.held[0])
    assert [len((await caller.answer())[2]) for _ in range(3)] == [13, 8 + 600_000, 7]


class TestExpect:
    HEAD = b"POST %b HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"

    async def test_100_when_admitted(self, caller):
        caller.say(self.HEAD % b"/a")
        assert await caller.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert (await caller.ask(b"hello"))[2] == b"POST /a hello"

    async def test_the_final_status_when_not(self, door, caller):
        status, fields, _ = await caller.ask(self.HEAD % b"/deny")
        assert (status, fields[b"Connection"]) == (403, b"close")
        caller.say(b"hello" + get(b"/smuggled"))
        assert await caller.rest() == b""
        assert door.app.heard == [("refuse", "route_denied")]

    async def test_417_for_anything_else(self, caller):
        assert (await caller.ask(post(b"/a", b"hello", b"Expect: 200-ok")))[0] == 417
        assert await caller.rest() == b""

    async def test_no_100_when_the_body_is_there(self, caller):
        assert (await caller.ask(self.HEAD % b"/a" + b"hello"))[0] == 200

    async def test_no_100_without_a_body(self, caller):
        assert (await caller.ask(get(b"/a", b"Expect: 100-continue")))[0] == 200

    async def test_no_100_for_http_1_0(self, caller):
        raw = self.HEAD.replace(b"HTTP/1.1", b"HTTP/1.0") % b"/a"
        caller.say(raw)
        assert (await caller.ask(b"hello"))[2] == b"POST /a hello"

    async def test_100_before_chunks(self, caller):
        caller.say(b"POST /c HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert (await caller.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        assert (await caller.ask(b"5\r\nhello\r\n0\r\n\r\n"))[2] == b"POST /c hello"


async def test_what_is_not_admitted_is_read_and_answered_and_the_connection_goes_on(door, caller):
    status, fields, body = await caller.ask(post(b"/deny", b"x" * 5000))
    assert (status, body, b"Connection" in fields) == (403, b"route_denied", False)
    assert (await caller.ask(get(b"/next")))[0] == 200
    assert door.app.heard == [("refuse", "route_denied"), ("handle", b"/next")]


@pytest.mark.parametrize("raw", [get(b"/a", b"Connection: close"), get(b"/a", version=b"1.0"),
                                 get(b"/a", b"Connection: keep-alive", version=b"1.0")])
async def test_when_the_connection_ends_after_the_answer(caller, raw):
    status, fields, _ = await caller.ask(raw + get(b"/never"))
    assert (status, fields[b"Connection"]) == (200, b"close")
    assert await caller.rest() == b""


async def test_an_http_1_0_caller_gets_a_stream_that_ends_by_close(door, caller):
    caller.say(get(b"/later", version=b"1.0"))
    await door.app.hears("handle", b"/later")
    ((connection, _),) = door.app.held
    _stream(connection)
    assert await caller.rest() == b"HTTP/1.1 200 OK\r\nX: y\r\nConnection: close\r\n\r\nhello world"


async def test_an_http_1_1_caller_gets_chunks(door, caller):
    caller.say(get(b"/later"))
    await door.app.hears("handle", b"/later")
    _stream(door.app.held[0][0])
    expected = b"HTTP/1.1 200 OK\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
    assert await caller.reader.readexactly(len(expected)) == expected
    assert (await caller.ask(get(b"/next")))[0] == 200


def _stream(connection) -> None:
    connection.start(b"200 OK", b"X: y\r\n", unframed=True)
    connection.body(b"hello")
    connection.flush()
    assert connection.sent
    connection.body(b" world")
    connection.finish()


async def test_head_gets_no_body(caller):
    caller.say(get(b"/a").replace(b"GET", b"HEAD"))
    assert (await caller.answer(body=False))[1][b"Content-Length"] == b"8"
    assert (await caller.ask(get(b"/b")))[2] == b"GET /b "


class TestHalfClose:
    async def test_the_answer_comes_nevertheless(self, door, caller):
        caller.say(get(b"/later"))
        caller.writer.write_eof()
        await door.app.hears("handle", b"/later")
        door.app.finish(*door.app.held[0])
        assert (await caller.answer())[0] == 200
        assert await caller.rest() == b""

    @pytest.mark.parametrize("kind", ["/", "/later", "/deny"])
    async def test_a_whole_pipeline_is_answered(self, door, kind):
        caller = await door.call()
        caller.say(get(kind.encode() + b"1") + get(kind.encode() + b"2") + get(kind.encode() + b"3"))
        caller.writer.write_eof()
        if kind == "/later":
            for number in (1, 2, 3):
                await door.app.hears("handle", b"/later%d" % number)
                door.app.finish(*door.app.held[-1])
        answers = await caller.rest()
        assert answers.count(b"HTTP/1.1 ") == 3

    @pytest.mark.parametrize("raw", [b"", b"GET / HT", post(b"/a", b"hello")[:-1]])
    async def test_in_the_middle_of_a_request_it_is_the_end(self, door, raw):
        caller = await door.call()
        caller.say(raw)
        caller.writer.write_eof()
        assert await caller.rest() == b""
        assert door.app.heard == []

    async def test_in_the_middle_of_the_second_request(self, door, caller):
        caller.say(get(b"/a") + b"GET /b HT")
        caller.writer.write_eof()
        assert (await caller.answer())[2] == b"GET /a "
        assert b"200" not in await caller.rest()
        assert door.app.heard == [("handle", b"/a")]


async def test_a_caller_that_leaves_is_told_to_the_application_once(door, caller):
    caller.say(get(b"/later"))
    await door.app.hears("handle", b"/later")
    caller.reset()
    await door.app.hears("gone")
    door.app.finish(*door.app.held[0])
    assert door.app.heard.count(("gone",)) == 1
    assert door.server.connections == set()


async def test_draining(door, caller):
    assert b"Connection" not in (await caller.ask(get(b"/a")))[1]
    door.server.draining = True
    assert (await caller.ask(get(b"/b")))[1][b"Connection"] == b"close"
    assert await caller.rest() == b""


async def test_closing_the_idle_leaves_the_busy(door):
    idle, busy, begun = [await door.call() for _ in range(3)]
    await idle.ask(get(b"/a"))
    busy.say(get(b"/later"))
    await begun.ask(get(b"/b"))
    begun.say(b"GET /c")
    await door.app.hears("handle", b"/later")
    while not any(c.state.name == "READING" and not c.idle for c in door.server.connections):
        await asyncio.sleep(0)
    door.server.close_idle()
    assert len(door.server.connections) == 3        # a request may be on its way
    door.server.close_idle()
    assert await idle.rest() == b""
    door.app.finish(*door.app.held[0])
    assert (await busy.answer())[0] == 200
    assert (await begun.ask(b" HTTP/1.1\r\nHost: a\r\n\r\n"))[0] == 200


async def test_a_cut_is_not_an_orderly_end(door, caller):
    caller.say(get(b"/later", version=b"1.0"))
    await door.app.hears("handle", b"/later")
    connection = door.app.held[0][0]
    connection.start(b"200 OK", b"", unframed=True)
    connection.body(b"half")
    connection.flush()
    connection.abort()
    with pytest.raises(ConnectionResetError):
        await caller.rest()

"""When all places are taken, whoever has waited for longest with nothing sent leaves for whoever comes; nobody else."""

from __future__ import annotations

import asyncio

import pytest

from proxy.wire.room import GRACE
from tests.wire.door import get, open_door, post

SLOW = GRACE + 0.1


async def taken(door, count: int) -> None:
    while len(door.server.connections) != count:
        await asyncio.sleep(0)


async def held(door, count: int) -> None:
    while door.server.buffered != count:
        await asyncio.sleep(0)


async def waits(door, kind: str):
    """A caller of this kind, just beginning to wait."""
    before, buffered = len(door.server.connections), door.server.buffered
    caller = await door.call()
    await taken(door, before + 1)
    if kind == "idle":
        assert (await caller.ask(get(b"/")))[0] == 200
    elif kind != "silent":
        raw = get(b"/")[:-2] if kind == "head" else post(b"/", b"hello")[:-1]
        caller.say(raw)
        await held(door, buffered + (len(raw) if kind == "head" else 4))
    return caller


@pytest.fixture
async def door():
    async with open_door({"connections": 2}) as door:
        yield door


@pytest.mark.parametrize(("kind", "end"), [("silent", None), ("idle", None), ("head", b"overloaded"),
                                           ("body", b"overloaded")])
async def test_a_slow_caller_leaves_for_one_that_comes(door, kind, end):
    slow = await waits(door, kind)
    door.ahead(SLOW)
    other = await waits(door, "idle")
    assert (await (await door.call()).ask(get(b"/")))[0] == 200
    if end is not None:
        assert (await slow.answer())[::2] == (503, end)
    assert await slow.rest() == b""
    assert (await other.ask(get(b"/")))[0] == 200
    assert +door.server.room.left == {"request" if end else kind: 1}


async def test_a_second_is_everybodys(door):
    for _ in range(2):
        await waits(door, "head")
    door.ahead(GRACE - 0.1)
    assert (await (await door.call()).answer())[::2] == (503, b"overloaded")
    assert not +door.server.room.left


async def test_who_has_waited_longest_leaves_first_and_who_has_called_before_last():
    async with open_door({"connections": 4}) as door:
        callers = {}
        for kind in ("idle", "body", "silent", "head"):
            callers[kind] = await waits(door, kind)
            door.ahead(0.1)
        door.ahead(SLOW)
        for kind in ("body", "silent", "head", "idle"):
            gone, there = callers.pop(kind), len(door.server.connections)
            assert (await (await door.call()).ask(get(b"/")))[0] == 200
            rest = await gone.rest()
            assert rest.startswith(b"HTTP/1.1 503 ") if kind in ("body", "head") else rest == b""
            gone.reset()
            await taken(door, there)
        assert +door.server.room.left == {"request": 2, "silent": 1, "idle": 1}


async def test_what_is_in_hand_is_never_ended(door):
    busy = [await door.call() for _ in range(2)]
    for number, caller in enumerate(busy):
        caller.say(get(b"/later%d" % number))
        await door.app.hears("handle", b"/later%d" % number)
    door.ahead(1000)
    assert (await (await door.call()).answer())[::2] == (503, b"overloaded")
    for connection, request in door.app.held:
        door.app.finish(connection, request)
    assert [(await caller.answer())[0] for caller in busy] == [200, 200]


async def test_an_answer_that_is_not_read_is_not_cut_for_others(door):
    reader = await door.call(limit=1024)
    reader.writer.transport.pause_reading()
    size = 16 << 20
    reader.say(get(b"/later"))
    await door.app.hears("handle", b"/later")
    connection, _ = door.app.held[0]
    connection.start(b"200 OK", b"Content-Length: %d\r\n" % size, unframed=False)
    connection.body(bytes(size))
    connection.finish()
    door.ahead(SLOW)
    await waits(door, "silent")
    assert (await (await door.call()).answer())[::2] == (503, b"overloaded")
    reader.writer.transport.resume_reading()
    assert len((await reader.answer())[2]) == size


async def test_a_request_that_has_arrived_is_answered(door):
    """The loop has not read it yet, and a close would reset it."""
    caller = await waits(door, "idle")
    door.ahead(SLOW)
    caller.say(get(b"/just-now"))
    assert door.server.room.make("full") is None
    assert (await caller.answer())[0] == 200


async def test_who_was_refused_takes_no_place(door):
    _, second = await waits(door, "idle"), await waits(door, "idle")
    refused = await door.call()
    assert (await refused.answer())[0] == 503       # and goes on lingering
    second.reset()
    await taken(door, 2)
    assert (await (await door.call()).ask(get(b"/")))[0] == 200


async def test_memory_is_given_back_by_the_slow_request_that_holds_most():
    async with open_door({"buffered": 10_000}) as door:
        small, large = await door.call(), await door.call()
        small.say(post(b"/", bytes(3000))[:-1])
        await held(door, 2999)
        large.say(post(b"/", bytes(6000))[:-1])
        await held(door, 8998)
        door.ahead(SLOW)
        assert (await (await door.call()).ask(post(b"/", bytes(5000))))[0] == 200
        assert (await large.answer())[::2] == (503, b"overloaded")
        assert (await small.ask(b"\0"))[0] == 200
        assert await large.rest() == b""
        assert door.server.buffered == 0


async def test_memory_is_refused_to_the_slow_request_that_holds_most_itself():
    async with open_door({"buffered": 10_000}) as door:
        small, large = await door.call(), await door.call()
        small.say(post(b"/", bytes(3000))[:-1])
        await held(door, 2999)
        large.say(post(b"/", bytes(9000))[:-2000])
        await held(door, 9999)
        door.ahead(SLOW)
        large.say(bytes(1000))
        assert (await large.answer())[::2] == (503, b"overloaded")
        assert (await small.ask(b"\0"))[0] == 200

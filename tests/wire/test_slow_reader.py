"""A caller that takes its answer slowly holds little, loses nothing, and is cut when it takes nothing at all."""

from __future__ import annotations

import asyncio
import socket

import pytest

from proxy.wire.limits import Timeouts
from tests.wire.door import Caller, get, open_door, post


@pytest.fixture
async def door():
    async with open_door() as door:
        yield door


class TestASlowReader:
    """The caller's receive buffer is small, so that a large answer stays with the server."""

    SIZE = 8 << 20

    async def _begin(self, door):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, (door.address, door.port))
        caller = await _over(door, sock)
        caller.writer.transport.pause_reading()
        caller.say(get(b"/later"))
        await door.app.hears("handle", b"/later")
        connection = door.app.held[0][0]
        connection.start(b"200 OK", b"Content-Length: %d\r\n" % self.SIZE, unframed=False)
        connection.body(bytes(self.SIZE))
        connection.flush()
        return caller, connection

    async def test_the_bank_is_paused_and_resumed(self, door):
        caller, connection = await self._begin(door)
        await door.app.hears("pause")
        assert ("resume",) not in door.app.heard
        caller.writer.transport.resume_reading()
        answer = await caller.answer()
        await door.app.hears("resume")
        connection.finish()
        assert len(answer[2]) == self.SIZE
        assert (await caller.ask(get(b"/next")))[0] == 200

    async def test_the_next_answer_waits_until_this_one_is_out(self, door):
        caller, connection = await self._begin(door)
        connection.finish()
        caller.say(get(b"/1") + get(b"/2"))
        while not connection._reader.pending:
            await asyncio.sleep(0)
        assert door.app.heard[-1] == ("pause",)
        caller.writer.transport.resume_reading()
        assert len((await caller.answer())[2]) == self.SIZE
        assert [(await caller.answer())[2] for _ in range(2)] == [b"GET /1 ", b"GET /2 "]

    async def test_one_that_takes_nothing_is_cut(self, door):
        caller, _ = await self._begin(door)
        door.ahead(Timeouts().client_write + 0.1)
        await door.app.hears("gone")
        caller.writer.transport.resume_reading()
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await caller.answer()

    async def test_one_that_half_closed_gets_the_answers_it_asked_for(self, door):
        caller, connection = await self._begin(door)
        connection.finish()
        caller.say(get(b"/1") + get(b"/2"))
        caller.writer.write_eof()
        while not connection._reader.pending:
            await asyncio.sleep(0)
        caller.writer.transport.resume_reading()
        assert len((await caller.answer())[2]) == self.SIZE
        assert (await caller.rest()).count(b"HTTP/1.1 200") == 2

    @pytest.mark.parametrize("answered", [True, False], ids=["after its answer", "during its answer"])
    async def test_one_that_sends_past_the_budget_is_never_read_from_the_middle(self, answered):
        """Bytes that were dropped leave a hole: whatever follows the hole is no request."""
        async with open_door({"buffered": 10_000}) as door:
            caller, connection = await self._begin(door)
            if answered:
                connection.finish()
            body = b"x" * 12_000 + get(b"/smuggled", b"Connection: close")
            whole = post(b"/held", body, b"Connection: close")
            cut = whole.index(b"GET /smuggled")
            caller.say(whole[:cut])
            await _stops_taking(connection)
            caller.say(whole[cut:])
            caller.writer.transport.resume_reading()
            assert len((await caller.answer())[2]) == self.SIZE
            if not answered:
                connection.finish()
            last = await caller.rest()
            assert last.count(b"HTTP/1.1 ") <= 1
            assert not [said for said in door.app.heard if said[-1] == b"/smuggled"]


async def _over(door, sock):
    caller = Caller(*await asyncio.open_connection(sock=sock))
    door.callers.append(caller)
    return caller


async def _stops_taking(connection) -> None:
    while not connection._tap.paused and connection.state.name != "LINGER":
        await asyncio.sleep(0)

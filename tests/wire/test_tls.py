"""TLS over MemoryBIO loses no byte, and an orderly end is never confused with a cut."""

from __future__ import annotations

import asyncio
import random
import ssl
from contextlib import asynccontextmanager

import pytest

from proxy.wire.tls import Tls

MEGABYTES = random.Random(1).randbytes(5 << 20)


class End(asyncio.Protocol):
    """One end of a conversation.  events: in order, data summed up."""

    def __init__(self, *, first: bytes = b"", pause_every: int = 0) -> None:
        self.first, self.pause_every = first, pause_every
        self.events, self.received = [], bytearray()
        self.lost = asyncio.get_running_loop().create_future()
        self.changed = asyncio.Event()
        self.may_write = asyncio.Event()
        self.may_write.set()
        self.pauses = 0

    def connection_made(self, transport) -> None:
        self.transport = transport
        self.events.append("made")
        if self.first:
            transport.write(self.first)

    def data_received(self, data) -> None:
        assert not (self.pause_every and self.transport._paused), "data while paused"
        before = len(self.received)
        self.received += data
        if self.events[-1] != "data":
            self.events.append("data")
        self.changed.set()
        if self.pause_every and before // self.pause_every != len(self.received) // self.pause_every:
            self.pauses += 1
            self.transport.pause_reading()
            asyncio.get_running_loop().call_soon(self.transport.resume_reading)

    def eof_received(self):
        self.events.append("eof")
        self.changed.set()

    def connection_lost(self, exc) -> None:
        self.events.append("lost")
        self.may_write.set()
        self.changed.set()
        self.lost.set_result(exc)

    def pause_writing(self) -> None:
        self.may_write.clear()

    def resume_writing(self) -> None:
        self.may_write.set()

    async def has(self, size: int) -> bytes:
        while len(self.received) < size and not self.lost.done():
            self.changed.clear()
            await self.changed.wait()
        return bytes(self.received)

    async def say(self, data: bytes) -> None:
        for at in range(0, len(data), 100_000):
            await self.may_write.wait()
            self.transport.write(data[at:at + 100_000])


@asynccontextmanager
async def listening(factory):
    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()
    finally:
        server.close()


@asynccontextmanager
async def conversation(server_context, client_context, bank: End, caller: End):
    """Both ends with their handshakes done: -> the two Tls."""
    accepted = asyncio.get_running_loop().create_future()

    def accept():
        tls = Tls(server_context, bank)
        accepted.set_result(tls)
        return tls

    async with listening(accept) as (address, port):
        tls = Tls(client_context, caller, server_hostname="bank.test")
        await asyncio.get_running_loop().create_connection(lambda: tls, address, port)
        bank_tls = await accepted
        await tls.ready
        await bank_tls.ready
        try:
            yield bank_tls, tls
        finally:
            for one in (tls, bank_tls):
                one.abort()
            await bank.lost
            await caller.lost


@pytest.fixture
def both(server_context, client_context):
    return lambda bank, caller: conversation(server_context, client_context, bank, caller)


async def test_five_megabytes_each_way_with_pauses(both):
    bank, caller = End(pause_every=300_000), End(pause_every=500_000)
    async with both(bank, caller):
        await asyncio.gather(bank.say(MEGABYTES), caller.say(MEGABYTES))
        assert await bank.has(len(MEGABYTES)) == MEGABYTES
        assert await caller.has(len(MEGABYTES)) == MEGABYTES
        assert min(bank.pauses, caller.pauses) >= 10


async def test_an_orderly_end(both):
    bank, caller = End(first=b"answer"), End()
    async with both(bank, caller):
        bank.transport.close()
        assert await caller.lost is None
        assert (caller.events, caller.received) == (["made", "data", "eof", "lost"], b"answer")
        await bank.lost
        assert bank.events == ["made", "lost"]


async def test_a_ragged_cut_is_no_orderly_end(both):
    bank, caller = End(first=b"answ"), End()
    async with both(bank, caller) as (bank_tls, _):
        await caller.has(4)
        bank_tls._below.close()
        await caller.lost
        assert caller.events == ["made", "data", "lost"]


async def test_a_reset_is_no_orderly_end(both):
    bank, caller = End(), End()
    async with both(bank, caller) as (bank_tls, _):
        bank_tls.abort()
        await caller.lost
        assert caller.events == ["made", "lost"]


@pytest.mark.parametrize(("orderly", "events"),
                         [(True, ["made", "data", "eof", "lost"]), (False, ["made", "data", "lost"])])
async def test_what_came_before_the_end_survives_a_pause(both, orderly, events):
    bank, caller = End(), End()
    async with both(bank, caller) as (bank_tls, tls):
        tls.pause_reading()
        sent = MEGABYTES[:150_000]
        bank.transport.write(sent)
        (bank_tls if orderly else bank_tls._below).close()
        await bank.lost
        assert not caller.received
        tls.resume_reading()
        await caller.lost
        assert caller.received == sent
        assert caller.events == events


async def test_a_pause_inside_the_last_piece_does_not_hide_the_end(both):
    class Slow(End):
        def data_received(self, data) -> None:
            super().data_received(data)
            self.transport.pause_reading()
            asyncio.get_running_loop().call_soon(self.transport.resume_reading)

    bank, caller = End(first=b"answer"), Slow()
    async with both(bank, caller):
        bank.transport.close()
        await caller.lost
        assert caller.events == ["made", "data", "eof", "lost"]


async def test_the_half_close_of_a_lingering_server(both):
    bank, caller = End(), End()
    async with both(bank, caller):
        bank.transport.write(b"final answer")
        bank.transport.write_eof()
        bank.transport.write(b"never sent")
        assert bank.transport.can_write_eof()
        assert not bank.transport.is_closing()      # it is still read from
        await caller.lost
        assert (caller.events[-2:], caller.received) == (["eof", "lost"], b"final answer")


async def test_a_write_on_a_closed_transport_is_dropped(both):
    bank, caller = End(), End()
    async with both(bank, caller) as (_, tls):
        tls.close()
        tls.write(b"late")
        tls.close()
        await bank.lost
        assert (bank.events, bank.received) == (["made", "eof", "lost"], b"")


async def test_a_broken_record_ends_it(both):
    bank, caller = End(), End()
    async with both(bank, caller) as (bank_tls, _):
        bank_tls._below.write(b"\x17\x03\x03\x00\x20" + b"x" * 32)
        await caller.lost
        assert caller.events == ["made", "lost"]


async def test_the_transport_tells_of_the_one_below(both):
    bank, caller = End(), End()
    async with both(bank, caller) as (bank_tls, tls):
        assert isinstance(tls.get_extra_info("ssl_object"), ssl.SSLObject)
        assert tls.get_extra_info("peername") == bank_tls.get_extra_info("sockname")
        assert tls.get_extra_info("nonsense", 5) == 5
        assert tls.get_write_buffer_size() == 0
        tls.set_write_buffer_limits(high=0)


class Busy(End):
    """Takes what it is given and asks for a pause."""

    def data_received(self, data) -> None:
        super().data_received(data)
        self.transport.pause_reading()


SEALED = MEGABYTES[:250_000]


@asynccontextmanager
async def at_once(both):
    """A caller that pauses after each part, and all of SEALED before it in one piece."""
    bank, caller = End(), Busy()
    async with both(bank, caller) as (bank_tls, tls):
        bank.transport.write(b"-")
        await caller.has(1)                 # and with it the bank's session tickets
        bank_tls._ssl.write(SEALED)
        tls.resume_reading()
        tls.data_received(bank_tls._outgoing.read())
        yield bank_tls, tls, caller


async def test_whoever_pauses_gets_no_more_than_a_part_of_what_is_there(both):
    async with at_once(both) as (_, tls, caller):
        before = 1
        while before < len(caller.received):
            assert len(caller.received) - before <= 65536 + 16384
            before = len(caller.received)
            if before <= len(SEALED):
                assert tls._paused
                tls.resume_reading()
                await caller.has(before + 1)
        assert caller.received == b"-" + SEALED


async def test_a_pause_loses_nothing_of_what_came_before_a_cut(both):
    async with at_once(both) as (_, tls, caller):
        assert len(caller.received) < len(SEALED)
        tls.abort()
        await caller.lost
        assert caller.received == b"-" + SEALED
        assert caller.events == ["made", "data", "lost"]


async def test_a_pause_loses_nothing_of_what_came_before_an_orderly_end(both):
    bank, caller = End(), Busy()
    async with both(bank, caller) as (bank_tls, tls):
        bank_tls._ssl.write(SEALED)
        bank_tls._say_goodbye()
        bank_tls._below.close()
        while not caller.lost.done():
            tls.resume_reading()
            await asyncio.sleep(0)
        assert caller.received == SEALED
        assert caller.events == ["made", "data", "eof", "lost"]

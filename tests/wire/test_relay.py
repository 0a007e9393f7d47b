"""Two transports coupled: every byte arrives, ends are passed on as they came, and a stalled side holds one buffer."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import socket
import struct
from contextlib import asynccontextmanager, suppress

import pytest

from proxy.wire.relay import CHUNK, Buffers, Relay

BYTES = random.Random(7).randbytes(3 << 20)


class End:
    """One end's stream.  sock: behind it."""

    def __init__(self, reader, writer) -> None:
        self.reader, self.writer = reader, writer
        self.sock = writer.get_extra_info("socket")

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    async def hear(self, size: int) -> bytes:
        return await self.reader.readexactly(size)

    def eof(self) -> None:
        self.writer.write_eof()

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def rest(self) -> bytes:
        return await self.reader.read()


class Line:
    """Relays between callers of `port` and a listener behind it.  ahead: how far its clock is moved."""

    def __init__(self) -> None:
        self.buffers, self.relays, self.ended = Buffers(), [], asyncio.Queue()
        self.accepted, self.ends, self.ahead, self.tasks = asyncio.Queue(), [], 0.0, set()
        self.early = b""

    def now(self) -> float:
        return asyncio.get_running_loop().time() + self.ahead

    def _behind(self, reader, writer) -> None:
        self.ends.append(End(reader, writer))
        self.accepted.put_nowait(self.ends[-1])

    def relay(self) -> Relay:
        relay = Relay(self.buffers, now=self.now, idle=300.0, on_end=lambda relay: self.ended.put_nowait(relay.ending))
        self.relays.append(relay)
        return relay

    def tick(self, ahead: float) -> None:
        self.ahead += ahead
        for relay in self.relays:
            if relay.deadline < self.now():
                relay.expired()

    async def couple(self, transport: asyncio.Transport) -> None:
        relay = self.relay()
        await asyncio.get_running_loop().create_connection(lambda: relay.far, "127.0.0.1", self.far_port)
        transport.set_protocol(relay.near)
        relay.near.connection_made(transport)
        if self.early:
            relay.near.data_received(self.early)

    async def open(self) -> tuple[End, End, Relay]:
        near = End(*await asyncio.open_connection("127.0.0.1", self.port))
        self.ends.append(near)
        far = await self.accepted.get()
        while not all(relay.near.transport for relay in self.relays if relay.ending is None):
            await asyncio.sleep(0)
        return near, far, self.relays[-1]


class Handing(asyncio.Protocol):
    """The listener's protocol until the far side is there."""

    def __init__(self, line: Line) -> None:
        self.line = line

    def connection_made(self, transport) -> None:
        transport.pause_reading()
        task = asyncio.ensure_future(self.line.couple(transport))
        self.line.tasks.add(task)


@asynccontextmanager
async def line_of_relays():
    line = Line()
    loop = asyncio.get_running_loop()
    behind = await asyncio.start_server(line._behind, "127.0.0.1", 0, backlog=2048)
    line.far_port = behind.sockets[0].getsockname()[1]
    front = await loop.create_server(lambda: Handing(line), "127.0.0.1", 0, backlog=2048)
    line.port = front.sockets[0].getsockname()[1]
    try:
        yield line
    finally:
        front.close()
        behind.close()
        for relay in line.relays:
            relay.abort()
        for end in line.ends:
            if not end.writer.transport.is_closing():
                end.writer.transport.abort()
            with suppress(OSError):
                await end.writer.wait_closed()
        while any(side.transport for relay in line.relays for side in (relay.near, relay.far)):
            await asyncio.sleep(0)


@pytest.fixture
async def line():
    async with line_of_relays() as line:
        yield line


async def test_every_byte_arrives_both_ways_at_once(line):
    near, far, relay = await line.open()
    near.say(BYTES)
    far.say(BYTES[::-1])
    assert await asyncio.gather(far.hear(len(BYTES)), near.hear(len(BYTES))) == [BYTES, BYTES[::-1]]
    assert (relay.sent, relay.received) == (len(BYTES), len(BYTES))


async def test_what_was_read_before_the_hand_over_comes_first(line):
    line.early = b"early "
    near, far, _ = await line.open()
    near.say(b"late")
    assert await far.hear(10) == b"early late"


async def test_a_destination_that_speaks_first(line):
    near, far, _ = await line.open()
    far.say(b"220 ready")
    assert await near.hear(9) == b"220 ready"


async def test_bytes_of_the_destination_wait_for_the_caller(line):
    """One buffer at most: the rest stays with the kernel."""
    relay = line.relay()
    loop = asyncio.get_running_loop()
    await loop.create_connection(lambda: relay.far, "127.0.0.1", line.far_port)
    far = await line.accepted.get()
    far.say(BYTES)
    far.eof()
    for _ in range(200):
        await asyncio.sleep(0)
    assert len(relay.far._early) <= CHUNK
    listener = await loop.create_server(lambda: relay.near, "127.0.0.1", 0)
    near = End(*await asyncio.open_connection(*listener.sockets[0].getsockname()))
    line.ends.append(near)
    assert await near.rest() == BYTES
    near.say(b"thanks")
    assert await far.hear(6) == b"thanks"
    listener.close()


@pytest.mark.parametrize("first", ["near", "far"])
async def test_a_half_close_is_passed_on_and_the_other_direction_goes_on(line, first):
    near, far, _ = await line.open()
    one, other = (near, far) if first == "near" else (far, near)
    one.say(BYTES)
    one.eof()
    assert await other.rest() == BYTES
    other.say(BYTES[::-1])
    other.eof()
    assert await one.rest() == BYTES[::-1]
    assert await line.ended.get() == "closed"


@pytest.mark.parametrize("who", ["near", "far"])
async def test_a_reset_is_passed_on_as_one(line, who):
    near, far, _ = await line.open()
    one, other = (near, far) if who == "near" else (far, near)
    one.say(b"x")
    await other.hear(1)
    one.reset()
    with pytest.raises(ConnectionResetError):
        await other.rest()
    assert await line.ended.get() == "reset"


async def test_a_caller_that_comes_after_the_end_is_cut(line):
    relay = line.relay()
    loop = asyncio.get_running_loop()
    await loop.create_connection(lambda: relay.far, "127.0.0.1", line.far_port)
    await line.accepted.get()
    relay.abort()
    assert await line.ended.get() == "aborted"
    listener = await loop.create_server(lambda: relay.near, "127.0.0.1", 0)
    near = End(*await asyncio.open_connection(*listener.sockets[0].getsockname()))
    line.ends.append(near)
    with suppress(ConnectionResetError):
        assert await near.rest() == b""
    listener.close()
    assert line.ended.empty()


async def test_an_idle_tunnel_is_cut_at_both_ends(line):
    near, far, relay = await line.open()
    line.tick(299)
    near.say(b"x")
    await far.hear(1)
    line.tick(299)
    far.say(b"y")
    assert await near.hear(1) == b"y"
    assert relay.ending is None
    line.tick(301)
    for end in (near, far):
        with pytest.raises(ConnectionResetError):
            await end.rest()
    assert await line.ended.get() == "idle_timeout"
    assert line.ended.empty()


async def test_a_half_closed_tunnel_is_bounded_too(line):
    near, far, _ = await line.open()
    near.eof()
    assert await far.rest() == b""
    line.tick(301)
    assert await line.ended.get() == "idle_timeout"


async def test_one_that_takes_nothing_when_both_have_ended_is_cut(line):
    near, far, relay = await line.open()
    far.writer.transport.pause_reading()
    near.say(BYTES * 8)
    near.eof()
    far.eof()
    while not relay.near._held and not relay.far._held:
        await asyncio.sleep(0)
    line.tick(301)
    assert await line.ended.get() == "idle_timeout"


async def test_an_abort_cuts_both_ends(line):
    near, far, relay = await line.open()
    relay.abort()
    for end in (near, far):
        with pytest.raises(ConnectionResetError):
            await end.rest()
    assert await line.ended.get() == "aborted"


class Watched:
    """Looks at the bounds whenever bytes move."""

    def __init__(self, relay: Relay) -> None:
        self.relay, self.most, self.stalls = relay, 0, 0

    def look(self) -> None:
        unsent = [side.transport.get_write_buffer_size() for side in (self.relay.near, self.relay.far)
                  if side.transport is not None]
        self.most = max(self.most, *unsent)
        self.stalls += self.relay.far._held is not None


async def test_a_slow_reader_is_served_at_flat_memory(line):
    total = 64 << 20
    near, far, relay = await line.open()
    watched = Watched(relay)
    far.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    block, seen = bytes(1 << 20), 0

    async def send() -> None:
        for _ in range(total >> 20):
            near.say(block)
            await near.writer.drain()
        near.eof()

    far.writer.transport.pause_reading()
    sending = asyncio.ensure_future(send())
    while relay.far._held is None:
        await asyncio.sleep(0)
    watched.look()
    far.writer.transport.resume_reading()
    while data := await far.reader.read(1 << 16):
        seen += len(data)
        watched.look()
    await sending
    assert seen == total
    assert watched.stalls
    assert watched.most <= CHUNK
    assert len(line.buffers._spare) <= 2


async def test_a_thousand_tunnels_at_once_leave_nothing_behind():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 8192)), hard))
    try:
        async with line_of_relays() as line:
            await line.open()
            before = len(os.listdir("/proc/self/fd"))
            pairs = [await line.open() for _ in range(1000)]
            assert len(os.listdir("/proc/self/fd")) >= before + 4000
            for near, far, _ in pairs:
                near.say(b"ping")
                assert await far.hear(4) == b"ping"
            for index, (near, far, _) in enumerate(pairs):
                if index % 2:
                    near.eof()
                    far.eof()
                else:
                    near.reset()
            endings = [await line.ended.get() for _ in pairs]
            assert sorted(set(endings)) == ["closed", "reset"]
            for near, far, _ in pairs:
                for end in (near, far):
                    if not end.writer.transport.is_closing():
                        end.writer.close()
                    with suppress(OSError):
                        await end.writer.wait_closed()
            assert len(os.listdir("/proc/self/fd")) == before
            assert len(line.buffers._spare) <= 8
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

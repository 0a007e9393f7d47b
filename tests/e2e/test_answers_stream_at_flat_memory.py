"""An answer of any size passes through a small window, however slowly its reader reads."""

from __future__ import annotations

import hashlib
from contextlib import AsyncExitStack

from proxy.emulator.probes import pattern
from tests.e2e.line import connected, eventually, get, reset

SIZE = 200 << 20
GROWTH_KB = 20 << 10


def expected() -> str:
    digest = hashlib.sha256()
    for block in pattern(SIZE):
        digest.update(block)
    return digest.hexdigest()


async def test_200_megabytes_pass_unchanged_to_a_reader_that_pauses(bank, start_child):
    child = await start_child(bank)
    async with connected(child.port) as line:
        assert (await line.ask(get("/echo"))).status == 200
        idle = child.memory()
        await line.send(get(f"/bytes/{SIZE}"))
        await line.reader.readuntil(b"\r\n\r\n")
        digest, left = hashlib.sha256(), SIZE
        paused = False
        while left:
            piece = await line.reader.read(min(left, 1 << 20))
            assert piece, "cut"
            digest.update(piece)
            left -= len(piece)
            if not paused and left < SIZE // 2:
                paused = True
                await stalled(bank)
        assert (await line.ask(get("/echo"))).status == 200
    assert digest.hexdigest() == expected()
    assert child.memory("VmHWM") - idle < GROWTH_KB


async def stalled(bank) -> None:
    """Reads nothing until the bank, too, can send no more."""
    (writer,) = (connection._writer for connection in bank._open.values())
    transport = writer.transport
    seen = -1

    def unchanged() -> bool:
        nonlocal seen
        before, seen = seen, transport.get_write_buffer_size()
        return seen == before and seen > 0

    await eventually(unchanged)


async def test_chunks_are_passed_on_as_they_come(bank, proxy):
    """The first bytes are with the caller while the bank still waits to send the rest."""
    bank.faults.add("drip", after=2000, seconds=3600)
    async with proxy.connect() as line:
        await line.send(get("/bytes/4000?framing=chunked"))
        head = await line.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        reset(line)
    assert (await proxy.lines.last()).outcome == "client_gone"


async def test_many_slow_readers_hold_little_each(bank, start_child):
    child = await start_child(bank)
    async with connected(child.port) as line:
        assert (await line.ask(get("/echo"))).status == 200
        idle = child.memory()
    async with AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(connected(child.port, limit=1024)) for _ in range(20)]
        for line in lines:
            await line.send(get("/bytes/50000000"))
        await bank.until(lambda: bank.executions.total == 21)
        for line in lines:
            await line.reader.readuntil(b"\r\n\r\n")
        assert child.memory("VmHWM") - idle < GROWTH_KB

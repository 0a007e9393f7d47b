"""A tunnel that has ended leaves no descriptor, no count and no object behind, however it ended."""

from __future__ import annotations

import asyncio
import gc
import os
import ssl
from collections import Counter
from contextlib import suppress

import pytest

from proxy.serve.interception import Opening
from proxy.wire.connection import Connection
from proxy.wire.entry import Entry
from proxy.wire.tls import Tls
from tests.e2e.line import Cut, connected, eventually, get, reset
from tests.e2e.standing import BANK_NAME
from tests.e2e.tunnels import connect, tunnelled

KINDS = (Opening, Connection, Entry, Tls)
WAYS = ("asked", "silent", "reset", "untrusted", "garbage", "plain", "no hello")


@pytest.fixture
async def proxy(bank, start_proxy, tmp_path):
    return await start_proxy(bank, ca_directory=str(tmp_path / "ca"))


def alive() -> Counter[str]:
    return Counter(type(one).__name__ for one in gc.get_objects() if isinstance(one, KINDS))


async def visit(proxy, way: str) -> None:
    if way in ("asked", "silent", "untrusted"):
        context = ssl.create_default_context() if way == "untrusted" else None
        with suppress(ssl.SSLCertVerificationError):
            async with tunnelled(proxy, context=context) as line:
                if way == "asked":
                    assert (await line.ask(get("/echo", host=BANK_NAME))).status == 200
        return
    async with connected(proxy.port()) as line:
        said = {"garbage": b"\x16\x03\x01\xff\xff" + b"x" * 70, "plain": b"GET / HTTP/1.1\r\n\r\n"}.get(way, b"")
        with suppress(Cut):
            await line.ask(connect(f"{BANK_NAME}:443") + said, bodiless=True)
        if way == "reset":
            reset(line)


@pytest.mark.parametrize("way", WAYS)
async def test_it(proxy, way):
    await visit(proxy, way)         # whatever is made once
    await proxy.until_connections(0)
    gc.collect()
    before, descriptors = alive(), len(os.listdir("/proc/self/fd"))
    gc.disable()
    try:
        for _ in range(20):
            await visit(proxy, way)
        await proxy.until_connections(0)
        for _ in range(20):
            await asyncio.sleep(0)
        after = alive()
    finally:
        gc.enable()
    assert after - before == Counter()
    assert len(os.listdir("/proc/self/fd")) <= descriptors
    assert (proxy.running.server.buffered, proxy.running.gateway.in_flight, proxy.running.passages.open) == (0, 0, 0)


async def test_a_thousand_open_ones(bank, start_proxy, tmp_path):
    proxy = await start_proxy(bank, ca_directory=str(tmp_path / "ca"), limits={"connections": 1100})
    descriptors = len(os.listdir("/proc/self/fd"))
    streams = [await asyncio.open_connection("127.0.0.1", proxy.port()) for _ in range(1000)]
    for reader, writer in streams:
        writer.write(connect(f"{BANK_NAME}:443"))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    await proxy.until_connections(1000)
    async with tunnelled(proxy) as line:
        assert (await line.ask(get("/echo", host=BANK_NAME))).status == 200
    proxy.later(11)                 # none of them ever says hello
    await proxy.until_connections(0)
    for _, writer in streams:
        writer.transport.abort()
    streams.clear()
    await eventually(lambda: len(os.listdir("/proc/self/fd")) <= descriptors)

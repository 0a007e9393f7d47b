"""Several workers are one proxy: one port, one set of numbers, one key that signs, one end."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from tests.e2e.line import connected, eventually, get, within


@pytest.fixture
def start_workers(start_child):
    async def start(bank, **changes):
        return await start_child(bank, **{"workers": 2, **changes})

    return start


async def ask(child, raw, listener="main"):
    async with connected(child.listeners[listener]) as line:
        return await line.ask(raw)


async def test_both_serve(bank, start_workers):
    child = await start_workers(bank)
    answer = await ask(child, get("/echo"))
    assert answer.status == 200
    status = (await ask(child, b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n", "admin")).json
    print(status)
    print((await ask(child, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", "admin")).body.decode())
    print((await ask(child, b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n", "admin")).body.decode())
    child.signal(signal.SIGTERM)
    assert await child.ended() == 143
    await child.finished()
    print(child.logged)
    assert 0

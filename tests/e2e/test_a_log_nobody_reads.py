"""Standard error is a full pipe whose reader is asleep: calls go on, and the process still ends when told."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
import termios

import pytest

from tests.e2e.child import ROOT
from tests.e2e.line import connected, eventually, get, request, within
from tests.e2e.standing import configuration, encoded

REFUSED = request("TRACE", "/" + "a" * 400)
FULL = 4096
"""A pipe this small is full after a few lines."""


def unread(descriptor: int) -> int:
    return struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)))[0]


@pytest.fixture
async def process(bank, files, tmp_path):
    """(process, port, the end of its standard error that nobody reads)."""
    path = tmp_path / "config.json"
    path.write_bytes(encoded(configuration(bank, files)))
    deaf, stderr = os.pipe()
    fcntl.fcntl(stderr, fcntl.F_SETPIPE_SZ, FULL)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.e2e.child", str(path), cwd=ROOT, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=stderr, env={**os.environ, "PYTHONPATH": str(ROOT)})
    os.close(stderr)
    try:
        yield process, json.loads(await within(process.stdout.readline()))["main"], deaf
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        os.close(deaf)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_answers_and_ends_all_the_same(process, number):
    process, port, deaf = process
    async with connected(port) as line:
        for _ in range(200):
            assert (await line.ask(REFUSED)).problem == (405, "method_not_supported", "no")
        await eventually(lambda: unread(deaf) > FULL - 1024)
        assert (await line.ask(get("/echo"))).status == 200
    process.send_signal(number)
    assert await within(process.wait()) == 128 + number

"""A program: for how long at a time a reload keeps the event loop's thread from running.

The loop turns as fast as it can while a keyring is reloaded beside it.  Between two turns counts what the loop's thread
spent neither running nor in line for a processor (/proc/…/schedstat): it slept, and what it slept for is the
interpreter's lock.  At most what the process's other threads ran meanwhile: so other programs on the machine, and
signatures that are made without the lock, do not show.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import uvloop
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from proxy.app import process
from proxy.keys.aside import aside
from proxy.keys.credentials import CredentialSettings, CredentialSource
from proxy.keys.files import FileSettings, FileSource
from proxy.keys.keyring import Keyring

from .programs import serve

_REPEATS = 20


class _Turns:
    def __init__(self) -> None:
        self._schedule = os.open(f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY)
        self._last = self._now()

    def _now(self) -> tuple[int, int, int, int]:
        """Nanoseconds: wall, in line for a processor, of the process, of this thread."""
        in_line = int(os.pread(self._schedule, 64, 0).split()[1])
        return time.perf_counter_ns(), in_line, time.process_time_ns(), time.thread_time_ns()

    def held(self) -> float:
        """Milliseconds since the last call."""
        last, self._last = self._last, self._now()
        wall, in_line, everybody, own = (now - then for now, then in zip(self._last, last, strict=True))
        return max(0, min(wall - in_line - own, everybody - own)) / 1e6


async def _longest(begin: Callable[[], asyncio.Future[object]]) -> list[float]:
    turns, found = _Turns(), []
    for _ in range(_REPEATS):
        turns.held()
        work = begin()
        longest = turns.held()
        while not work.done():
            await asyncio.sleep(0)
            longest = max(longest, turns.held())
        work.result()
        found.append(longest)
    return found


async def _reload(ring: Keyring) -> None:
    outcome = await ring.reload(datetime.now(UTC))
    assert outcome.ok, outcome.error


def work(key: dict[str, str], secret_file: str) -> dict[str, float]:
    """key: of FileSettings; key_password_env is PASSWORD."""
    source = FileSource(FileSettings(**key), {"PASSWORD": "bench"})
    credentials = CredentialSource(CredentialSettings(client_id="id", client_secret_file=secret_file), {})
    ring = Keyring("bench", credentials, source)
    found = uvloop.run(_longest(lambda: asyncio.ensure_future(_reload(ring))))
    return {"median": statistics.median(found), "most": max(found)}


def library(key_file: str) -> dict[str, float]:
    """What the library's own way to open a key costs, for comparison."""
    data = Path(key_file).read_bytes()
    found = uvloop.run(_longest(lambda: aside(lambda: load_pem_private_key(data, None), "library")))
    return {"median": statistics.median(found), "most": max(found)}


if __name__ == "__main__":
    process.settle()
    serve(lambda **asked: work(**asked) if "key" in asked else library(**asked))

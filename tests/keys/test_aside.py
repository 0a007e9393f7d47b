"""What may never end, such as a read from a file system that has gone, holds one thread and nobody's wait for ever."""

from __future__ import annotations

import asyncio
import threading

import pytest

from proxy.keys.aside import Lane


async def test_what_hangs_holds_one_thread_however_often_it_is_asked_for():
    lane, goes_on, begun = Lane("a test", 0.05), threading.Event(), []

    def hangs() -> str:
        begun.append(threading.current_thread())
        goes_on.wait(30)
        return "done"

    for _ in range(3):
        with pytest.raises(TimeoutError):
            await lane.do(hangs)
    assert len(begun) == 1
    assert begun[0].daemon                  # so that the interpreter does not wait for it
    goes_on.set()
    assert await lane.do(hangs) == "done"


async def test_one_at_a_time():
    lane, at_once, most = Lane("a test", 30), [], []

    def work() -> None:
        at_once.append(1)
        most.append(len(at_once))
        at_once.pop()

    await asyncio.gather(*(lane.do(work) for _ in range(20)))
    assert most == [1] * 20


async def test_what_goes_wrong_is_told():
    lane = Lane("a test", 30)
    with pytest.raises(ZeroDivisionError):
        await lane.do(lambda: 1 // 0)
    assert await lane.do(lambda: 1) == 1

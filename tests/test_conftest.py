"""The checks of tests/conftest.py are awake: a blocking call and a task left behind are errors."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from blockbuster import BlockingError

import proxy
from tests import conftest

SOURCE = """
import pathlib, time

async def pause(): time.sleep(0)

def read(path): return pathlib.Path(path).read_bytes()

async def answer(path): return read(path)
"""


@pytest.fixture
def stand_in() -> SimpleNamespace:
    """Code that counts as the proxy's own: its file name lies in the package."""
    code: dict[str, Callable[..., object]] = {}
    exec(compile(SOURCE, str(Path(proxy.__file__).with_name("stand_in.py")), "exec"), code)
    return SimpleNamespace(**code)


async def test_a_blocking_call_of_the_proxy_is_an_error(stand_in):
    with pytest.raises(BlockingError):
        await stand_in.pause()
    with pytest.raises(BlockingError):
        await stand_in.answer(__file__)


async def test_a_callback_of_the_proxy_is_watched_too(stand_in):
    failures: list[BaseException] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: failures.append(context["exception"]))
    loop.call_soon(stand_in.read, __file__)
    await asyncio.sleep(0)
    assert [type(failure) for failure in failures] == [BlockingError]


async def test_the_same_call_in_a_thread_is_none(stand_in):
    assert await asyncio.to_thread(stand_in.read, __file__)


async def test_a_test_may_block_by_itself(stand_in):
    time.sleep(0)
    assert Path(__file__).read_bytes() == stand_in.read(__file__)


def test_without_a_loop_nothing_is_watched(stand_in):
    assert stand_in.read(__file__)


async def test_a_task_left_behind_is_an_error():
    async def forever() -> None:
        await asyncio.Event().wait()

    check = conftest.left_behind
    task = asyncio.create_task(forever())
    assert await check(patience=0) == {task}
    task.cancel()
    assert await check(patience=2) == set()

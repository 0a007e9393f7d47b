"""Work that may never end, in a thread of its own that holds up neither other work nor the end of the process.

A read from a network file system that has gone ends when that one comes back; the event loop's executor has few
threads, and the interpreter waits for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import TypeVar, cast

T = TypeVar("T")


def aside(work: Callable[[], T], name: str) -> asyncio.Future[T]:
    """Called on the event loop.  Whoever gives up waiting leaves the work to itself.  name: of the thread."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    future.add_done_callback(_looked_at)

    def run() -> None:
        try:
            result = work()
        except BaseException as error:      # noqa: BLE001 - whoever waits is told
            _tell(loop, future, partial(future.set_exception, error))
        else:
            _tell(loop, future, partial(future.set_result, result))

    Thread(target=run, name=name, daemon=True).start()
    return future


class Lane:
    """Work of one kind, done aside and never twice at a time: what hangs holds one thread, however often it is asked
    for."""

    def __init__(self, name: str, longest: float) -> None:
        """longest: seconds after which nobody waits any more."""
        self._name = name
        self._longest = longest
        self._under_way: asyncio.Future[object] | None = None

    async def do(self, work: Callable[[], T]) -> T:
        """Raises TimeoutError: it, or what was asked before it, has not ended; and whatever the work does."""
        async with asyncio.timeout(self._longest):
            while self._under_way is not None and not self._under_way.done():
                await asyncio.wait([self._under_way])
            future = aside(work, self._name)
            self._under_way = cast("asyncio.Future[object]", future)
            await asyncio.wait([future])
        return future.result()


def _tell(loop: asyncio.AbstractEventLoop, future: asyncio.Future[T], settle: Callable[[], None]) -> None:
    with suppress(RuntimeError):            # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(lambda: None if future.done() else settle())


def _looked_at(future: asyncio.Future[T]) -> None:
    """An exception that nobody waits for is no fault of the program."""
    if not future.cancelled():
        future.exception()

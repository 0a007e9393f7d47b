"""A test that hangs ends its process and says where, whatever holds it: a loop that no signal interrupts, or C.

pytest-timeout's own ways do not: uvloop runs the signal's handler and waits on, and what its thread prints is lost in a
worker of pytest-xdist.
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import os
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest
from pytest_timeout import Settings, is_debugging

GRACE = 15.0
"""Seconds after which the process is ended without a word from Python, when its threads do not run any more."""


class Watch:
    """A plugin.  The process ends with exit code 1; pytest-xdist calls the test failed and starts another worker."""

    def __init__(self) -> None:
        self._stderr = os.dup(2)        # later a file of pytest's is in its place
        self._timer = threading.Timer(0, print)

    @pytest.hookimpl(tryfirst=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Settings) -> bool:
        self._settings = settings
        self._timer = threading.Timer(settings.timeout, self._end, (item, settings.timeout))
        self._timer.daemon = True
        self._timer.start()
        faulthandler.dump_traceback_later(settings.timeout + GRACE, exit=True, file=self._stderr)
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_timeout_cancel_timer(self, item: pytest.Item) -> bool:
        faulthandler.cancel_dump_traceback_later()
        self._timer.cancel()
        return True

    @pytest.hookimpl(trylast=True)
    def pytest_exception_interact(self, node: pytest.Item) -> None:
        """pytest-timeout has just cancelled it, for a debugger's sake; what a failed test leaves may hang as well."""
        if isinstance(node, pytest.Item) and not is_debugging():
            self.pytest_timeout_set_timer(node, self._settings)

    def _end(self, item: pytest.Item, seconds: float) -> None:
        if is_debugging():
            return
        try:
            said = [f"\n{item.nodeid} has not ended within {seconds:g} seconds.", *captured(item), *waiting_tasks()]
            os.write(self._stderr, ("\n".join(said) + "\n").encode(errors="replace"))
            faulthandler.dump_traceback(self._stderr)
        finally:
            os._exit(1)


def captured(item: pytest.Item) -> Iterator[str]:
    capture = item.config.pluginmanager.getplugin("capturemanager")
    if capture is not None:
        capture.suspend_global_capture(in_=True)
        for name, text in zip(("stdout", "stderr"), capture.read_global_capture(), strict=True):
            if text:
                yield f"It has written to {name}:\n{text}"


def waiting_tasks() -> Iterator[str]:
    """Where each task waits, which no thread's stack says."""
    gc.unfreeze()       # the proxy hides from the collector what lives at its start
    for thing in gc.get_objects():
        if isinstance(thing, asyncio.Task) and not thing.done():
            yield "".join((f"{thing.get_name()} waits:", *(
                f"\n  {frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"
                for frame in frames(thing.get_coro()))))


def frames(awaited: Any) -> Iterator[FrameType]:
    """From the outermost coroutine to the innermost that can be seen."""
    while awaited is not None:
        kind = next((kind for kind in ("cr", "gi", "ag") if hasattr(awaited, f"{kind}_frame")), None)
        if kind is None:
            return
        frame = getattr(awaited, f"{kind}_frame")
        if frame is not None:
            yield frame
        awaited = getattr(awaited, "gi_yieldfrom" if kind == "gi" else f"{kind}_await")

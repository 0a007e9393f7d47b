"""Two promises that every asynchronous test checks by itself: the loop is never blocked, and no task is left behind."""

from __future__ import annotations

import asyncio
import inspect
import logging
import sys
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from blockbuster import BlockBuster
from pytest_asyncio import is_async_test

import proxy
from tests import economy, hanging
from tests.e2e import matrix
from tests.vault import servers

PACKAGE = str(Path(proxy.__file__).parent) + "/"
LONG = 200
TESTS = str(Path(__file__).parent) + "/"

# Where the proxy may block although a loop is running: (end of the file's path, functions).  Every row says why.
MAY_BLOCK: tuple[tuple[str, set[str]], ...] = (
    # The emulator writes its certificates before it listens, and removes them at the end.
    ("proxy/emulator/server.py", {"_context", "stop"}),
    # A Unix socket's file is made before anything is served, and removed when nothing is any more.
    ("proxy/app/listeners.py", {"_unix_socket", "close"}),
    # A leaf's key goes to the TLS library through a file in memory, of some hundred bytes.
    ("proxy/keys/serving.py", {"_as_file"}),
)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(hanging.Watch())


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Workers must find the same names: what is long is often made up anew each time, as keys are."""
    return argname if isinstance(val, (str, bytes)) and len(val) > LONG else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ask for no_task_left before any other fixture, so that it looks after all others are torn down."""
    for item in items:
        if is_async_test(item):
            item.fixturenames.insert(0, "no_task_left")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was there to test with.  It stands here because the process that reports loads no other conftest.py when
    workers run the tests."""
    kinds = ("passed", "failed", "skipped", "error")
    reports = [report for kind in kinds for report in terminalreporter.getreports(kind)]
    for title, lines in (("clients through the proxy", matrix.table(reports)),
                         ("servers of the Vault contract", servers.table(reports)),
                         ("a certificate is swapped at the bank", counted(reports))):
        if lines:
            terminalreporter.section(title)
            for line in lines:
                terminalreporter.write_line(line)


def counted(reports: list[pytest.TestReport]) -> list[str]:
    """Sentences that tests have counted, by record_property("counted", …)."""
    return [str(value) for report in reports for name, value in getattr(report, "user_properties", ())
            if name == "counted"]


def pytest_collection_finish() -> None:
    economy.leave_to_the_collector_what_comes()


@pytest.fixture(autouse=True)
def log_levels() -> Iterator[None]:
    """A proxy sets the levels of what it takes for its own process."""
    before = [(logger, logger.level) for logger in (logging.getLogger(), logging.getLogger("proxy"))]
    yield
    for logger, level in before:
        logger.setLevel(level)


async def left_behind(patience: float) -> set[asyncio.Task[object]]:
    """Tasks that still run after that many seconds, but for the caller's."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    return (await asyncio.wait(tasks, timeout=patience))[1] if tasks else set()


@pytest.fixture
async def no_task_left() -> AsyncIterator[None]:
    yield
    left = await left_behind(patience=2)  # some may be on their way out
    assert not left, f"tasks left behind: {[task.get_coro() for task in left]}"


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Watches the body of every asynchronous test.  Fixtures are left alone: start-up may read files."""
    if not is_async_test(pyfuncitem):
        return (yield)
    with blocking_calls_raise():
        return (yield)


@contextmanager
def blocking_calls_raise() -> Iterator[None]:
    """Within, the proxy may not block the thread that runs the loop: BlockingError."""
    detector = BlockBuster(["proxy"])
    for function in detector.functions.values():
        harmless = function.can_block_predicate
        function.can_block_predicate = lambda *args, _harmless=harmless, **kwargs: (
            _harmless(*args, **kwargs) or called_by_a_test())
        for path, names in MAY_BLOCK:
            function.can_block_in(path, names)
    detector.activate()
    try:
        yield
    finally:
        detector.deactivate()


def called_by_a_test() -> bool:
    """Whether the proxy's outermost frame is a plain function that a test called: then it is the test that blocks."""
    frame, outermost = sys._getframe(), None
    while frame:
        if frame.f_code.co_filename.startswith(PACKAGE):
            outermost = frame
        frame = frame.f_back
    if outermost is None or outermost.f_back is None:
        return False
    awaited = outermost.f_code.co_flags & (inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR)
    return not awaited and outermost.f_back.f_code.co_filename.startswith(TESTS)

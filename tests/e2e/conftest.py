"""A bank, a proxy before it and a caller, on one loop; the loop is the one the command uses."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import uvloop

from proxy.emulator import Authority, Emulator, Options
from proxy.emulator.options import CLIENT_ID
from tests import economy
from tests.e2e import matrix
from tests.e2e.child import Child
from tests.e2e.standing import Bank, Files, Lines, Proxy, configuration
from tests.e2e.through import Ran, make_authority, run, write_token

# What these prove hangs on how a transport ends, and there the two loops differ.
BOTH_LOOPS = ("test_cut_answers_are_not_ended", "test_nothing_is_executed_twice", "test_timeouts",
              "test_callers_that_leave", "test_callers_that_close_early")


def pytest_asyncio_loop_factories(config, item):
    loops = {"uvloop": uvloop.new_event_loop}
    if item.path.stem in BOTH_LOOPS:
        import asyncio

        loops["asyncio"] = asyncio.SelectorEventLoop
    return loops


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="session")
def files(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Keys, certificates and secrets of two applications, on disk."""
    return Files.make(tmp_path_factory.mktemp("files"), authority)


@pytest.fixture(autouse=True)
def nothing_unforeseen(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """An exception that reached the loop is a bug even where the caller got what it wanted."""
    yield
    told = [record.getMessage() for phase in ("setup", "call", "teardown") for record in caplog.get_records(phase)]
    unforeseen = [message for message in told if "internal error" in message]
    assert not unforeseen


@pytest.fixture(scope="module", autouse=True)
def nothing_old_to_collect() -> None:
    """A proxy has all looked at when it starts, which is more after each thousand tests."""
    economy.leave_to_the_collector_what_comes()


@pytest.fixture(autouse=True)
def cheap_starts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with economy.cheap_starts(monkeypatch):
        yield


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def start_bank(files: Files, stack: AsyncExitStack) -> Callable[..., Awaitable[Emulator]]:
    async def start(**options: object) -> Emulator:
        given = {"client_id": CLIENT_ID, "certificate": files.shop.pair.certificate_pem,
                 "directory": files.directory / "bank", **options}
        return await stack.enter_async_context(Bank(Options(**given)))

    return start


@pytest.fixture
async def bank(start_bank: Callable[..., Awaitable[Emulator]]) -> Emulator:
    return await start_bank()


@pytest.fixture
def start_proxy(files: Files, stack: AsyncExitStack, lines: Lines, monkeypatch: pytest.MonkeyPatch,
                ) -> Callable[..., Awaitable[Proxy]]:
    """start_proxy(bank_or_url, **settings of Config); the routes' upstream is the bank."""
    monkeypatch.setattr("proxy.app.lifecycle.LogLines", lines.opened)
    logging.getLogger("proxy").setLevel(logging.INFO)

    async def start(bank: Emulator | str, **changes: object) -> Proxy:
        return await stack.enter_async_context(Proxy(configuration(bank, files, **changes), lines))

    return start


@pytest.fixture
async def proxy(bank: Emulator, start_proxy: Callable[..., Awaitable[Proxy]]) -> Proxy:
    return await start_proxy(bank)


@pytest.fixture
def start_child(files: Files, stack: AsyncExitStack, tmp_path: Path) -> Callable[..., Awaitable[Child]]:
    """The same in a process of its own: signals, exit codes, memory, real log lines."""
    async def start(bank: Emulator | str, **changes: object) -> Child:
        path = tmp_path / f"config-{time.monotonic_ns()}.json"
        return await stack.enter_async_context(Child(configuration(bank, files, **changes), path))

    return start


@pytest.fixture(scope="session")
def client_ca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ca_directory with an authority in it, which takes a moment to make."""
    return make_authority(tmp_path_factory.mktemp("client-ca"))


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    of_the_run = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        of_the_run = of_the_run.parent
    return matrix.compiled(of_the_run / "compiled")


@pytest.fixture
def intercepting(bank: Emulator, start_proxy: Callable[..., Awaitable[Proxy]], client_ca: Path, tmp_path: Path,
                 ) -> Callable[..., Awaitable[Proxy]]:
    """intercepting(token=b"", **settings): a proxy that ends tunnels to the bank; token: callers must present it."""
    async def start(*, token: bytes = b"", **changes: object) -> Proxy:
        if token:
            changes["client_token_file"] = str(write_token(tmp_path / "client-token", token))
        return await start_proxy(bank, ca_directory=str(client_ca), **changes)

    return start


@pytest.fixture
def run_client(compiled: dict[str, str], tmp_path: Path) -> Callable[..., Awaitable[Ran]]:
    """run_client(client, proxy, *arguments, trusting=True, **variables): as `signing-proxy exec` would run it."""
    async def start(client: matrix.Client, proxy: Proxy, *arguments: str, **how: object) -> Ran:
        return await run(client, proxy, tmp_path, compiled, *arguments, **how)

    return start


@pytest.fixture
def tried(record_property: Callable[[str, object], None]) -> Callable[[matrix.Client, str, str], None]:
    """tried(client, column, result): a cell of the table, if the test passes; skips when the client is missing."""
    def record(client: matrix.Client, column: str, result: str) -> None:
        for name, value in (("client", client.name), ("version", client.release), ("column", column),
                            ("result", result)):
            record_property(name, value)
        if client.missing:
            pytest.skip(client.missing)

    return record

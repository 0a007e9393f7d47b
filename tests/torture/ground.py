"""Where the torture takes place: banks and proxies on this loop or as processes, with files of their own."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from proxy.core.exchange import Exchange
from proxy.emulator import Authority, Emulator, Options
from proxy.emulator.options import CLIENT_ID
from tests.e2e.child import Child
from tests.e2e.standing import Files, Proxy, configuration
from tests.e2e.through import make_authority

_KEPT = 1000


class LastRecords:
    """Takes the place of the log's writer; a long run cannot keep every record."""

    def __init__(self) -> None:
        self.dropped = 0
        self.records: deque[Exchange] = deque(maxlen=_KEPT)

    def opened(self, *, form: str) -> LastRecords:
        return self

    def record(self, exchange: Exchange) -> None:
        self.records.append(exchange)

    def event(self, fields: dict[str, object]) -> None:
        """Of a diagnosis: nothing here asks for it."""

    async def close(self) -> None:
        pass


class Ground:
    """Made once for a run; what it starts ends with the block that asked for it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = Authority()
        self.files = Files.make(directory / "files", self.authority)
        self._client_ca: Path | None = None
        self._children = 0

    @property
    def client_ca(self) -> Path:
        """A directory with an authority for interception."""
        if self._client_ca is None:
            self._client_ca = self.directory / "client-ca"
            self._client_ca.mkdir()
            make_authority(self._client_ca)
        return self._client_ca

    @asynccontextmanager
    async def bank(self, **options: Any) -> AsyncIterator[Emulator]:
        given = {"client_id": CLIENT_ID, "certificate": self.files.shop.pair.certificate_pem,
                 "directory": self.files.directory / "bank", **options}
        async with Emulator(Options(**given)) as bank:
            yield bank

    @asynccontextmanager
    async def proxy(self, bank: Emulator | str, **changes: Any) -> AsyncIterator[Proxy]:
        lines = LastRecords()
        with patch("proxy.app.lifecycle.LogLines", lambda **_: lines):
            async with Proxy(configuration(bank, self.files, **changes), lines) as proxy:  # type: ignore[arg-type]
                yield proxy

    @asynccontextmanager
    async def child(self, bank: Emulator | str, **changes: Any) -> AsyncIterator[Child]:
        self._children += 1
        path = self.directory / f"child-{self._children}.json"
        async with Child(configuration(bank, self.files, **changes), path) as child:
            yield child

    @asynccontextmanager
    async def both(self, **changes: Any) -> AsyncIterator[tuple[Emulator, Proxy]]:
        async with AsyncExitStack() as stack:
            bank = await stack.enter_async_context(self.bank(**changes.pop("bank", {})))
            yield bank, await stack.enter_async_context(self.proxy(bank, **changes))


@asynccontextmanager
async def ground() -> AsyncIterator[Ground]:
    logging.getLogger("proxy").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="torture-") as directory:
        path = Path(directory)
        (path / "files").mkdir()
        yield await asyncio.to_thread(Ground, path)

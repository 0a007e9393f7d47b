"""Where the torture takes place: banks and proxies on this loop or as processes, with files of their own."""

from __future__ import annotations

import asyncio
import json
import logging
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import IO, Any
from unittest.mock import patch

from proxy.core.exchange import Exchange
from proxy.emulator import Authority, Emulator, Options
from proxy.emulator.options import CLIENT_ID
from proxy.serve.logline import as_text, describe
from tests.e2e.child import Child
from tests.e2e.standing import Files, Proxy, configuration
from tests.e2e.through import make_authority

_KEPT = 1000


class LastRecords:
    """Takes the place of the log's writer; a long run cannot keep every record, but each line is written."""

    def __init__(self, said: IO[str]) -> None:
        self.dropped = 0
        self.records: deque[Exchange] = deque(maxlen=_KEPT)
        self._said = said

    def opened(self, *, form: str) -> LastRecords:
        return self

    def record(self, exchange: Exchange) -> None:
        self.records.append(exchange)
        self._said.write(as_text(describe(exchange)) + "\n")

    def event(self, fields: dict[str, object]) -> None:
        self._said.write(as_text(fields) + "\n")

    async def close(self) -> None:
        pass


class Ground:
    """Made once for a run; what it starts ends with the block that asked for it.

    said: a directory with all that its proxies have written, for whoever looks for secrets in it.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.said = directory / "said"
        self.said.mkdir()
        (directory / "files").mkdir()
        self.authority = Authority()
        self.files = Files.make(directory / "files", self.authority)
        self._client_ca: Path | None = None
        self._children = self._proxies = 0

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
        self._proxies += 1
        with (self.said / f"proxy-{self._proxies}.log").open("w") as said:
            lines = LastRecords(said)
            with patch("proxy.app.lifecycle.LogLines", lambda **_: lines):
                async with Proxy(configuration(bank, self.files, **changes), lines) as proxy:  # type: ignore[arg-type]
                    yield proxy

    @asynccontextmanager
    async def child(self, bank: Emulator | str, *, how: Mapping[str, Any] | None = None,
                    **changes: Any) -> AsyncIterator[Child]:
        """how: for Child."""
        self._children += 1
        name = f"child-{self._children}"
        child = Child(configuration(bank, self.files, **changes), self.directory / f"{name}.json", **(how or {}))
        try:
            async with child:
                yield child
        finally:
            lines = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in child.logged)
            (self.said / f"{name}.log").write_text(lines)

    @asynccontextmanager
    async def both(self, **changes: Any) -> AsyncIterator[tuple[Emulator, Proxy]]:
        async with AsyncExitStack() as stack:
            bank = await stack.enter_async_context(self.bank(**changes.pop("bank", {})))
            yield bank, await stack.enter_async_context(self.proxy(bank, **changes))


@asynccontextmanager
async def ground() -> AsyncIterator[Ground]:
    log = logging.getLogger("proxy")
    log.setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="torture-") as directory:
        place = await asyncio.to_thread(Ground, Path(directory))
        messages = logging.FileHandler(place.said / "messages.log")
        log.addHandler(messages)
        try:
            yield place
        finally:
            log.removeHandler(messages)
            messages.close()

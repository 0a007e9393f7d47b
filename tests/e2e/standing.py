"""What stands around a test: files of two applications, a running proxy, and its log lines as records."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import msgspec

from proxy.app import Running, compose
from proxy.config.model import Application, Config, Route
from proxy.core.exchange import Exchange
from proxy.emulator import Authority, Emulator, Pair
from proxy.emulator.authority import write_private
from proxy.emulator.options import CLIENT_ID
from proxy.emulator.records import Bell
from proxy.keys.authority import Authority as ClientAuthority
from proxy.keys.keyring import Keyring
from proxy.wire.limits import Limits, Timeouts
from tests.e2e.line import Answer, Line, connected, eventually, request, within

OTHER_ID = "00f0e0d0-c0b0-4a09-8070-605040302010"
BANK_NAME = "open.nordea.com"


@dataclass(frozen=True, slots=True)
class Party:
    """One application: its id, and where its secret, key and certificate are."""

    client_id: str
    secret: str
    pair: Pair
    key: Path
    certificate: Path
    secret_file: Path

    @classmethod
    def make(cls, directory: Path, client_id: str, secret: str, pair: Pair) -> Self:
        directory.mkdir()
        key, certificate = pair.write(directory, "seal.key", "seal.crt")
        write_private(directory / "secret", secret.encode() + b"\n")
        return cls(client_id, secret, pair, key, certificate, directory / "secret")

    def application(self, **changes: Any) -> Application:
        return Application(**{"client_id": self.client_id, "client_secret_file": str(self.secret_file),
                              "key_file": str(self.key), "certificate_file": str(self.certificate), **changes})

    def registration(self) -> dict[str, Any]:
        """For Emulator.register."""
        return {"certificate": self.pair.certificate_pem, "client_id": self.client_id, "client_secret": self.secret}


@dataclass(frozen=True, slots=True)
class Files:
    """shop and till: two applications of one company.  ca: what the banks' certificates are checked against."""

    directory: Path
    ca: Path
    shop: Party
    till: Party

    @classmethod
    def make(cls, directory: Path, authority: Authority) -> Self:
        bank = directory / "bank"
        bank.mkdir()
        (bank / "ca.pem").write_bytes(authority.pem)
        authority.server().write(bank, "server.key", "server.crt")
        return cls(directory, bank / "ca.pem",
                   Party.make(directory / "shop", CLIENT_ID, "emulated-secret", authority.seal()),
                   Party.make(directory / "till", OTHER_ID, "the other secret", authority.seal()))


def configuration(bank: Emulator | str, files: Files, **changes: Any) -> Config:
    """Ports are the system's choice; limits and timeouts may be given as dicts; `route` changes the only route.

    Whatever a test sends is judged by the proxy's own verification as well.
    """
    upstream = bank if isinstance(bank, str) else f"https://127.0.0.1:{bank.port}"
    route = {"profile": "nordea", "upstream": upstream, "host": BANK_NAME, **changes.pop("route", {})}
    limits, timeouts = Limits(**changes.pop("limits", {})), Timeouts(**changes.pop("timeouts", {}))
    given = {"port": 0, "admin_port": 0, "upstream_ca_file": str(files.ca), "structured_logs": True,
             "applications": {"shop": files.shop.application()}, "routes": (Route(**route),), "timed_reload": 0.0,
             "min_sigterm_delay": 0.0, "self_verify": True, **changes}
    return Config(limits=limits, timeouts=timeouts, **given)


class Bank(Emulator):
    """One whose states come in time, or the test fails."""

    async def until(self, condition: Callable[[], bool]) -> None:
        await within(super().until(condition))


class Lines:
    """Takes the place of the log's writer and keeps the records."""

    def __init__(self) -> None:
        self.dropped = 0
        self.records: list[Exchange] = []
        self.events: list[dict[str, object]] = []
        self._bell = Bell()

    def opened(self, *, form: str) -> Lines:
        return self

    def record(self, exchange: Exchange) -> None:
        self.records.append(exchange)
        self._bell.ring()

    def event(self, fields: dict[str, object]) -> None:
        self.events.append(fields)
        self._bell.ring()

    async def close(self) -> None:
        pass

    async def until(self, condition: Callable[[], bool]) -> None:
        await within(self._bell.until(condition))

    async def last(self, count: int = 1) -> Exchange:
        """The record of the last call, once there are `count`."""
        await self.until(lambda: len(self.records) >= count)
        return self.records[-1]


class Proxy:
    """A proxy in this process.  running: its inside, for what no socket shows."""

    def __init__(self, config: Config, lines: Lines) -> None:
        self.config = config
        self.lines = lines

    async def __aenter__(self) -> Self:
        rings, authority = await asyncio.to_thread(self._material)
        self.running = Running(self.config, rings, os.environ, authority)
        try:
            await self.running.start()
            for pool in self.running.pools.values():
                pool.patience.kept(10.0)        # as if the bank had been called before
        except BaseException:
            await self.running.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.running.close()

    def _material(self) -> tuple[dict[str, Keyring], ClientAuthority | None]:
        """The command reads it before it has a loop."""
        rings = compose.keyrings(self.config, os.environ)
        compose.load_keys(rings)
        return rings, compose.authority(self.config, os.environ)

    def port(self, listener: str = "main") -> int:
        return next(port for name, _, port in self.running.listeners if name == listener)

    @property
    def pool(self) -> Any:
        (pool,) = self.running.pools.values()
        return pool

    def connect(self, listener: str = "main", **how: Any) -> AbstractAsyncContextManager[Line]:
        return connected(self.port(listener), **how)

    async def ask(self, raw: bytes, *, listener: str = "main", **how: Any) -> Answer:
        """One request on a connection of its own."""
        async with self.connect(listener) as line:
            return await line.ask(raw, **how)

    async def admin(self, path: str) -> Answer:
        return await self.ask(b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % path.encode(), listener="admin")

    async def act(self, path: str, *fields: str, token: str = "", body: bytes = b"") -> Answer:
        """An action of the admin port.  token: presented when given."""
        shown = (f"Authorization: Bearer {token}",) if token else ()
        return await self.ask(request("POST", path, *shown, *fields, body=body), listener="admin")

    async def metric(self, name: str, **labels: str) -> float:
        """One sample of /metrics; 0 when there is none yet."""
        return samples((await self.admin("/metrics")).body).get((name, tuple(sorted(labels.items()))), 0.0)

    async def until_connections(self, count: int) -> None:
        """Accepted and not over: connections, handshakes and tunnels."""
        await eventually(lambda: len(self.running.server.connections) == count)

    def later(self, seconds: float) -> None:
        """Lets the pool, the listeners and the calls see a later time."""
        clock = asyncio.get_running_loop().time
        before = self.pool.now() - clock()
        for part in (*self.running.pools.values(), self.running.gateway, self.running.server):
            part.now = lambda: clock() + before + seconds


def samples(exposition: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    from prometheus_client.parser import text_string_to_metric_families

    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(exposition.decode()) for sample in family.samples}


def encoded(config: Config) -> bytes:
    return msgspec.json.encode(config)

"""Tests want a bank they can start, ask and stop within one loop: `async with Emulator(Options(...)) as bank`."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Self

from proxy.emulator.authority import Authority
from proxy.emulator.bank import Bank
from proxy.emulator.connection import Connection, Desk
from proxy.emulator.control import Control
from proxy.emulator.faults import Faults
from proxy.emulator.options import Options
from proxy.emulator.records import Bell, Execution, Journal, Received
from proxy.emulator.registration import SANDBOX_PUBLIC_KEY, Application, State, read_registered
from proxy.emulator.verify import Verifier

CA_NAME, SERVER_CERTIFICATE_NAME, SERVER_KEY_NAME = "ca.pem", "server.crt", "server.key"
_HEAD_LIMIT = 64 * 1024


class Emulator:
    """A strict bank on a loopback port.

    executions: what it acted on.  received: every request with its raw bytes and verdict, malformed ones too.
    faults: orders to misbehave.  bank: accounts, payments, tokens.  connections: how many were ever accepted.
    """

    def __init__(self, options: Options | None = None) -> None:
        self.options = options = options or Options()
        self._bell = Bell()
        self.received: Journal[Received] = Journal(options.keep, self._bell.ring)
        self.executions: Journal[Execution] = Journal(options.keep, self._bell.ring)
        self.faults = Faults(self._bell.ring)
        self.bank = Bank(options.clock, options.tokens)
        self.applications: dict[str, Application] = {}
        self.verifier = Verifier(options.policy, self.applications, options.clock)
        self.connections = 0
        self.port = options.port
        self._desk = Desk(self.verifier, self.bank, self.faults, self.received, self.executions, options.clock,
                          self._bell.ring, options.max_body, options.keep_alive)
        self._open: dict[asyncio.Task[None], Connection] = {}
        self._crashes: list[BaseException] = []
        self._server: asyncio.Server | None = None
        self._control = Control(self)
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._directory = options.directory
        sandbox = SANDBOX_PUBLIC_KEY if options.policy.sandbox else None
        self.register(sandbox if options.certificate is None else options.certificate)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def register(
        self, certificate: bytes | str | None, *, client_id: str | None = None, client_secret: str | None = None,
        half: bool = False, state: State = "registered", check_roles: bool = True,
    ) -> None:
        """The portal's upload: from the next request on, only this key's seals count.  None takes the key away.

        half: only every other connection's machine has learnt of it, the others know the key from before.
        state: what went wrong in the portal (registration.STATES).  check_roles: as in read_registered.
        With another client_id this adds an application or changes that one.
        """
        identity = client_id or self.options.client_id
        known = self.applications.get(identity)
        secret = client_secret or (known.client_secret if known else self.options.client_secret)
        registered = None if certificate is None else read_registered(certificate, check_roles=check_roles)
        self.applications[identity] = Application(
            identity, secret, registered, known.registered if half and known is not None else None, state)

    async def start(self) -> None:
        """Listens; after stop() it may be started again, on the same port."""
        context = self._context() if self.options.tls else None
        timeouts = {"ssl_handshake_timeout": 10.0, "ssl_shutdown_timeout": 2.0} if context else {}
        self._server = await asyncio.start_server(
            self._accept, self.options.address, self.port, ssl=context, limit=_HEAD_LIMIT, backlog=1024, **timeouts
        )
        self.port = self._server.sockets[0].getsockname()[1]
        if self.options.control_port is not None:
            await self._start_control(self.options.control_port)

    async def _start_control(self, port: int) -> None:
        try:
            await self._control.start(port)
        except OSError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Closes every connection; raises what went wrong inside a connection, if anything did."""
        await self._control.stop()
        if self._server is not None:
            self._server.close()
            getattr(self._server, "abort_clients", lambda: None)()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary, self._directory = None, None
        if self._crashes:
            raise self._crashes.pop()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits for a state, looked at after every change: `await bank.until(lambda: bank.executions.total == 1)`."""
        await self._bell.until(condition)

    def close_idle(self) -> int:
        """Closes the keep-alive connections that wait for a request, and says how many."""
        idle = [connection for connection in self._open.values() if connection.idle]
        for connection in idle:
            connection.close()
        return len(idle)

    @property
    def open_connections(self) -> int:
        return len(self._open)

    @property
    def url(self) -> str:
        return f"{'https' if self.options.tls else 'http'}://localhost:{self.port}"

    @property
    def control_url(self) -> str:
        """Empty without a control port."""
        return self._control.url

    @property
    def ca_pem_path(self) -> Path:
        """The authority that clients must trust; there once the emulator has started."""
        assert self._directory is not None, "the emulator has not started with TLS"
        return self._directory / CA_NAME

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = Connection(self.connections, reader, writer, self._desk)
        task = asyncio.get_running_loop().create_task(connection.run())
        self._open[task] = connection
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._open[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            self._crashes.append(error)
        self._bell.ring()

    def _context(self) -> ssl.SSLContext:
        directory = self._material()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        context.load_cert_chain(directory / SERVER_CERTIFICATE_NAME, directory / SERVER_KEY_NAME)
        if self.options.client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.options.client_ca)
        return context

    def _material(self) -> Path:
        if self._directory is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="bank-emulator-")
            self._directory = Path(self._temporary.name)
        if not (self._directory / SERVER_CERTIFICATE_NAME).exists():
            authority = self.options.authority or Authority()
            (self._directory / CA_NAME).write_bytes(authority.pem)
            pair = authority.server(self.options.server_names, self.options.server_validity)
            pair.write(self._directory, SERVER_KEY_NAME, SERVER_CERTIFICATE_NAME)
        return self._directory

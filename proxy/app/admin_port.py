"""The admin port of one process: its table, its listener and its tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from proxy.app.inspecting import ADMIN, Inspector
from proxy.app.listeners import Doors, gate
from proxy.app.token_files import AdminTokens
from proxy.config.address import is_loopback
from proxy.config.model import Config, Listener
from proxy.serve.admin import Admin, Table
from proxy.serve.gate import Gate
from proxy.wire.limits import Limits
from proxy.wire.server import Bound, Server

_LAST_WORDS = 0.5
_STEP = 0.01
_LIMITS = Limits(body=16384, connections=64)


class AdminPort:
    """Made on the event loop.  server: None until open()."""

    def __init__(self, config: Config, environ: Mapping[str, str], table: Table,
                 inspector: Inspector | None = None) -> None:
        """table: pages and actions of all features.  inspector: whose tokens open its own.

        Raises KeyUnusable when an admin token cannot be read.
        """
        self._config = config
        self._gates: dict[str, Gate] = {}
        self.tokens = AdminTokens(config, environ)
        if inspector is not None:
            inspector.admin_tokens = self.tokens.current
        self._pages = Admin(self._gates, table, local=is_loopback, tokens=self.tokens.current,
                            private_tokens=inspector.tokens if inspector is not None else tuple)
        self.server: Server | None = None

    async def open(self, doors: Doors) -> list[Bound]:
        """-> the bound pairs.  Raises StartFailed."""
        config = self._config
        self.server = Server(self._pages, _LIMITS, config.timeouts)
        listener = Listener(address=config.admin_address, port=config.admin_port)
        bound = await doors.open(self.server, ADMIN, listener)
        for address, port in bound:
            self._gates[ADMIN] = gate(config, listener, address, port, None)
        return bound

    async def close(self) -> None:
        """Whoever asked for the end is to hear that it comes, and who asks for something else, that it is too late."""
        server = self.server
        if server is not None:
            server.draining = True
        await self._pages.close()
        if server is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS):
                while (waiting := server.callers_wait()) or server.connections:
                    if not waiting:
                        server.stop_accepting()
                    server.close_idle()
                    await asyncio.sleep(_STEP)
        await server.close()

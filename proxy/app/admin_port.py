"""The admin port of one process: its table, its listener and its tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from proxy.app.listeners import Doors, gate
from proxy.app.token_files import AdminTokens
from proxy.config.address import is_loopback
from proxy.config.model import Config, Listener
from proxy.core.secret import Secret
from proxy.serve.admin import Admin, Table
from proxy.serve.gate import Gate
from proxy.wire.limits import Limits
from proxy.wire.server import Bound, Server

ADMIN = "admin"
"""Its name among the listeners."""
_LIMITS = Limits(body=16384, connections=64)


class AdminPort:
    """Made on the event loop.  server: None until open()."""

    def __init__(self, config: Config, environ: Mapping[str, str], table: Table, *,
                 private_tokens: Callable[[], Sequence[Secret]] = tuple) -> None:
        """table: pages and actions of all features.  private_tokens: those of the inspector.

        Raises KeyUnusable when an admin token cannot be read.
        """
        self._config = config
        self._gates: dict[str, Gate] = {}
        self.tokens = AdminTokens(config, environ)
        self._pages = Admin(self._gates, table, local=is_loopback, tokens=self.tokens.current,
                            private_tokens=private_tokens)
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
        await self._pages.close()
        if self.server is not None:
            await self.server.close()

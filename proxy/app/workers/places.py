"""The listening sockets of all workers, bound once.

One queue for each listener, which all accept from.  With a queue for each worker (SO_REUSEPORT) those who wait in that
of a worker that ends or is killed would be reset, although nothing was wrong with them.
"""

from __future__ import annotations

import socket

import msgspec

from proxy.app.inspecting import ADMIN
from proxy.app.listeners import Doors
from proxy.app.systemd import PassedSockets
from proxy.config.address import UNIX, where
from proxy.config.model import Config
from proxy.serve.telemetry import Telemetry
from proxy.wire.server import Bound


class Places:
    """listeners: (name, address, port), the admin port first.  own: addresses and ports that are this proxy's."""

    def __init__(self, config: Config, passed: PassedSockets) -> None:
        """passed: those of systemd.  Raises SocketUnfit."""
        self._config = config
        self._passed = passed
        self.doors = Doors(_bare(config), Telemetry(), passed)
        self.listeners: list[tuple[str, str, int]] = []
        self.own: list[Bound] = []
        self._sockets: dict[str, socket.socket] = {}

    def admin(self, bound: list[Bound]) -> None:
        """Where the supervisor listens itself."""
        self.listeners += [(ADMIN, address, port) for address, port in bound]
        self.own += bound

    def bind(self) -> None:
        """Raises StartFailed, SocketUnfit."""
        for name, listener in self._config.all_listeners().items():
            sock = self._sockets[name] = self.doors.bind(name, listener)
            unix = listener.address.startswith(UNIX)
            address, port = (listener.address, 0) if unix else sock.getsockname()[:2]
            self.listeners.append((name, address, port))
        self._passed.require_none_left(name for name, _, _ in self.listeners)

    def numbers(self) -> dict[str, int]:
        """Descriptor by listener, the same in a worker that inherits it."""
        return {name: sock.fileno() for name, sock in self._sockets.items()}

    def descriptors(self, *more: int) -> list[int]:
        return [*self.numbers().values(), *more]

    def text(self) -> str:
        """As a person reads them."""
        return ", ".join(f"{name} {where(address, port)}" for name, address, port in self.listeners)

    def report(self) -> list[dict[str, object]]:
        return [{"name": name, "address": address, "port": port} for name, address, port in self.listeners]

    def let_go(self) -> None:
        """From now on the last worker that closes a socket is the last who could accept there."""
        while self._sockets:
            self._sockets.popitem()[1].close()

    def close(self) -> None:
        self.let_go()
        self.doors.close()


def _bare(config: Config) -> Config:
    """Without keys and tokens of the listeners: their callers are the workers'."""
    bare = {name: msgspec.structs.replace(listener, tls=None, client_token_file=None)
            for name, listener in config.listeners.items()}
    return msgspec.structs.replace(config, tls=None, client_token_file=None, listeners=bare)

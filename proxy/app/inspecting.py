"""The inspector of one process: what it shows, who may look, and the address to open."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from proxy.config.address import UNIX, ip_address, where
from proxy.config.model import Config
from proxy.core.secret import Secret
from proxy.keys.slots import Slots
from proxy.serve.admin import Table
from proxy.serve.gateway import Gateway
from proxy.serve.inspection.curl import Place
from proxy.serve.inspection.desk import PAGE, Desk
from proxy.serve.inspection.spool import SpoolFile
from proxy.serve.inspection.store import Store
from proxy.serve.inspection.tape import Tape
from proxy.serve.inspection.viewers import Viewers
from proxy.serve.telemetry import Telemetry

if TYPE_CHECKING:
    from proxy.app.lifecycle import Running

ADMIN: Final = "admin"
"""The admin port's name among the listeners."""
log = logging.getLogger(__name__)

Report = Callable[[], Mapping[str, Any]]
Listeners = Sequence[tuple[str, str, int]]
_TOKEN_BYTES: Final = 24


class Inspector:
    """Made on the event loop.  tape: the gateway's observer.  admin_tokens: those of the admin port, which open it as
    well as the one that is made here."""

    def __init__(self, config: Config, gateway: Gateway, telemetry: Telemetry, report: Report, listeners: Listeners, *,
                 known: Callable[[], Iterable[Secret]]) -> None:
        """report: the document of /status.  listeners: filled in as they open.  known: secrets that are never shown.

        Raises ProxyError("spool_unusable").
        """
        self._config = config
        self._telemetry = telemetry
        self._report = report
        self._listeners = listeners
        self._known = known
        self.admin_tokens: Callable[[], Sequence[Secret]] = tuple
        self._minted = Secret(secrets.token_urlsafe(_TOKEN_BYTES).encode())
        self._store = Store(config.inspect_exchanges, config.inspect_memory)
        self._viewers = Viewers()
        self._spool = (SpoolFile(config.inspect_spool_file, config.inspect_spool_bytes)
                       if config.inspect_spool_file is not None else None)
        self.tape = Tape(self._store, self._viewers, self._secrets, body_bytes=config.inspect_body_bytes,
                         shown=frozenset(name.lower().encode() for name in config.inspect_headers), spool=self._spool)
        self._desk = Desk(self.tape, self._store, self._viewers, gateway, health=self._health, place=self._place)
        gateway.watch(self.tape)

    def table(self) -> Table:
        return self._desk.table()

    def tokens(self) -> Sequence[Secret]:
        return (self._minted, *self.admin_tokens())

    def url(self, *, token: bool) -> str:
        """What to open once the admin port is.  token: with it, behind '#', which no browser sends anywhere."""
        address, port = next((address, port) for name, address, port in self._listeners if name == ADMIN)
        behind = f"#token={self._minted.reveal().decode()}" if token else ""
        return f"http://{where(_reachable(address), port)}{PAGE.decode()}{behind}"

    async def close(self) -> None:
        self._viewers.close()
        await self.tape.close()
        if self._spool is not None:
            self._spool.close()

    def _secrets(self) -> Iterator[bytes]:
        for secret in (*self._known(), *self.tokens()):
            yield secret.reveal()

    def _place(self, listener: str) -> Place:
        settings = self._config.all_listeners()[listener]
        token = settings.client_token_file is not None
        if settings.address.startswith(UNIX):
            return Place("http://localhost", settings.address.removeprefix(UNIX), token=token)
        scheme = "https" if settings.tls is not None else "http"
        address, port = next((address, port) for name, address, port in self._listeners if name == listener)
        return Place(f"{scheme}://{where(_reachable(address), port)}", token=token)

    def _health(self) -> Mapping[str, Any]:
        """The page's header: what a developer looks at first when calls begin to fail."""
        report = self._report()
        return {
            "version": report["version"], "state": report["state"], "started_at": report["started_at"],
            "in_flight": report["in_flight"], "bytes": self._store.size, "exchanges": len(self._store),
            "listeners": [{"name": name, "url": self._place(name).base} for name in self._config.all_listeners()],
            "applications": [{"name": name, "ready": facts["ready"], "key": facts.get("key"),
                              "certificate": facts.get("certificate"), "last_error": facts.get("last_error")}
                             for name, facts in report["applications"].items()],
            "upstreams": [{"name": name, **facts} for name, facts in report["upstreams"].items()],
            **self._telemetry.last_heard(),
        }


def inspector(running: Running) -> Inspector:
    """Of this process.  Raises ProxyError("spool_unusable")."""
    def known() -> Iterator[Secret]:
        yield from _secrets_of(running.rings)
        for file in running.token_files():
            yield from file.current

    log.info("the inspector is on: the last %d calls are kept in memory, without secrets, and shown to this machine to "
             "whoever has a token; leave it off where nobody looks", running.config.inspect_exchanges)
    return Inspector(running.config, running.gateway, running.telemetry, running.report, running.listeners, known=known)


def _secrets_of(rings: Mapping[str, Slots]) -> Iterator[Secret]:
    """What applications present at the bank."""
    for slots in rings.values():
        for ring in slots.rings():
            if ring.current is not None:
                yield ring.current.client_secret


def _reachable(address: str) -> str:
    """From this machine: "any address" is not one to call."""
    ip = ip_address(address)
    if ip is None or not ip.is_unspecified:
        return address
    return "127.0.0.1" if ip.version == 4 else "::1"

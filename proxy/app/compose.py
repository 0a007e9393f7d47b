"""Builds the parts of a proxy out of a Config, and says what cannot be built."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from proxy.config.address import is_loopback, split_egress
from proxy.config.model import Application, Config
from proxy.config.routes import ResolvedRoute, resolve
from proxy.core.routing import RouteTable
from proxy.core.secret import Secret
from proxy.errors import ConfigInvalid, KeyUnusable
from proxy.keys.credentials import CredentialSource, read_secret
from proxy.keys.files import FileSource
from proxy.keys.keyring import Keyring
from proxy.serve.gate import Gate, own_names
from proxy.serve.route import Route
from proxy.serve.telemetry import Telemetry
from proxy.wire.dial import Dialer, Egress, Origin, Resolver
from proxy.wire.pool import Pool

log = logging.getLogger(__name__)

_CA_SUFFIXES = frozenset((".pem", ".crt", ".cer"))


def keyrings(config: Config, environ: Mapping[str, str]) -> dict[str, Keyring]:
    """One per application, not loaded yet."""
    routes = resolve(config)
    return {name: _keyring(name, application, [r for r in routes if r.application == name], environ)
            for name, application in config.applications.items()}


def _keyring(name: str, application: Application, routes: list[ResolvedRoute], environ: Mapping[str, str]) -> Keyring:
    source = FileSource(application.key, environ) if application.key is not None else None
    demanded = {route.profile.key_spki_sha256 for route in routes if route.signs and not route.upstream.is_loopback}
    return Keyring(name, CredentialSource(application.credentials, environ), source,
                   required_spki_sha256=next((spki for spki in demanded if spki), None))


def load_keys(rings: Mapping[str, Keyring]) -> None:
    """Loads every keyring.  Raises KeyUnusable, which names the application."""
    now = datetime.now(UTC)
    for name, ring in rings.items():
        try:
            ring.load(now)
        except KeyUnusable as error:
            raise KeyUnusable(error.code, f"application {name}: {error.detail or error.problem.code}") from error


def tls_context(config: Config) -> ssl.SSLContext:
    """For every connection to a bank: TLS 1.2 or newer, name checked, the system's roots and the extra ones.

    Raises ConfigInvalid.  Not ssl.create_default_context(), which writes session keys to SSLKEYLOGFILE when it is set.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    for key, path in _authorities(config):
        try:
            context.load_verify_locations(cafile=str(path))
        except (OSError, ssl.SSLError):
            raise ConfigInvalid([(key, f"{path.name} holds no PEM certificate that can be read. "
                                       "Give a PEM file of certificate authorities.")]) from None
    return context


def _authorities(config: Config) -> list[tuple[str, Path]]:
    found = []
    if config.upstream_ca_file is not None:
        found.append(("upstream_ca_file", Path(config.upstream_ca_file)))
    if config.upstream_ca_directory is not None:
        directory = Path(config.upstream_ca_directory)
        try:
            files = sorted(path for path in directory.iterdir() if path.suffix in _CA_SUFFIXES)
        except OSError:
            raise ConfigInvalid([("upstream_ca_directory", "The directory cannot be read. Check its path and "
                                                           "permissions.")]) from None
        found += [("upstream_ca_directory", path) for path in files]
    return found


def egress(config: Config, environ: Mapping[str, str]) -> Egress | None:
    """Raises KeyUnusable when the password cannot be read."""
    settings = config.egress_proxy
    if settings is None:
        return None
    host, port = split_egress(settings.url)
    password = Secret(b"")
    if settings.password_file is not None or settings.password_env is not None:
        password = read_secret(file=settings.password_file, env=settings.password_env, what="egress proxy password",
                               allow_group_read=False, environ=environ).secret
    return Egress(host, port, settings.username or "", password)


class ClientToken:
    """The token callers must present, read again when keys are; an old one is worth nothing after that."""

    def __init__(self, config: Config) -> None:
        """Raises KeyUnusable when the file cannot be read."""
        self._file = config.client_token_file
        self.current = self._read() if self._file is not None else None

    def _read(self) -> Secret:
        return read_secret(file=self._file, env=None, what="client token", allow_group_read=False, environ={}).secret

    async def reload(self) -> None:
        """Keeps the old one, and says so, when the file cannot be read."""
        if self._file is None:
            return
        try:
            self.current = await asyncio.to_thread(self._read)
        except KeyUnusable as error:
            log.warning("client token: reload failed, the old one stays (%s): %s", error.code, error)

    async def watch(self, interval: float) -> None:
        """Reads it every `interval` seconds, for ever."""
        while self._file is not None:
            await asyncio.sleep(interval)
            await self.reload()


class _PoolWatch:
    """Counts a pool's connections."""

    def __init__(self, telemetry: Telemetry, upstream: str) -> None:
        self._count = telemetry.connections.add
        self._labels = {event: (upstream, event) for event in ("opened", "reused", "retried", "connect_failed")}

    def connection(self, event: str) -> None:
        self._count(self._labels[event])


def pools(config: Config, context: ssl.SSLContext, proxy: Egress | None, telemetry: Telemetry,
          forbidden: Callable[[str, int], bool]) -> dict[Origin, Pool]:
    """One per bank host; routes to the same one share it.  Called on the event loop."""
    dialer = Dialer(context, Resolver(config.timeouts.resolve), egress=proxy, forbidden=forbidden)
    origins = {_origin(route) for route in resolve(config)}
    return {origin: Pool(origin, dialer, config.limits, config.timeouts, _PoolWatch(telemetry, str(origin)))
            for origin in origins}


def _origin(route: ResolvedRoute) -> Origin:
    return Origin(route.upstream.host, route.upstream.port, route.upstream.name.strip("[]"))


def routes(config: Config, rings: Mapping[str, Keyring], banks: Mapping[Origin, Pool]) -> dict[str, RouteTable[Route]]:
    """By listener."""
    built = [Route(name=r.name, listener=r.listener, prefix=r.prefix, strip=r.strip, application=r.application,
                   upstream=str(_origin(r)), access=r.access, rules=r.rules, keyring=rings[r.application],
                   pool=banks[_origin(r)]) for r in resolve(config)]
    return {listener: RouteTable([route for route in built if route.listener == listener])
            for listener, _, _ in config.listeners_all()}


def gate(config: Config, address: str, port: int, token: ClientToken | None) -> Gate:
    """The gate of a listener bound to address and port."""
    loopback = is_loopback(address)
    names = own_names(numeric(address), port, loopback=loopback)
    extra = {name.lower().encode() for name in config.allowed_hosts}
    return Gate(names | extra, token=(lambda: token.current) if token is not None else None, any_literal=not loopback)


def numeric(address: str) -> str:
    return "127.0.0.1" if address.lower() == "localhost" else address


def own_address(bound: list[tuple[str, int]]) -> Callable[[str, int], bool]:
    """Tells whether an address is one this proxy listens on; the list may still grow."""

    def is_own(address: str, port: int) -> bool:
        target = _unmapped(address)
        return any(port == own_port and (target == _unmapped(own) or (_unmapped(own).is_unspecified
                                                                      and target.is_loopback))
                   for own, own_port in bound)

    return is_own


def _unmapped(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    ip = ipaddress.ip_address(address.partition("%")[0])
    return getattr(ip, "ipv4_mapped", None) or ip


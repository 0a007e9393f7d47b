"""Builds the parts of a proxy out of a Config, and says what cannot be built."""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from proxy.config.address import split_egress
from proxy.config.destinations import destination_policy
from proxy.config.interception import authority_settings, intercepted_hosts
from proxy.config.key_sources import credential_source, key_source, next_key_source
from proxy.config.model import Application, Config
from proxy.config.routes import ResolvedRoute, resolve
from proxy.core.destinations import Destination, canonical_host
from proxy.core.routing import RouteTable
from proxy.core.secret import Secret
from proxy.errors import ConfigInvalid, KeyUnusable
from proxy.keys.authority import Authority, load_or_make
from proxy.keys.credentials import read_secret
from proxy.keys.keyring import Keyring
from proxy.keys.slots import How, Slots
from proxy.keys.source import KeySource
from proxy.keys.vault.client import Vault
from proxy.keys.vault.settings import VaultSettings
from proxy.keys.vault.verdicts import TRANSIENT
from proxy.serve.bank_clock import BankClock, BankClocks, CorrectedClock
from proxy.serve.entrance import Entrance
from proxy.serve.passages import Passages
from proxy.serve.route import Route
from proxy.serve.selfverify import SelfVerify
from proxy.serve.shaping import Shaper
from proxy.serve.telemetry import Telemetry
from proxy.wire.dial import Dialer, Egress, Origin, Resolver
from proxy.wire.outbound import Outbound
from proxy.wire.pool import Pool

log = logging.getLogger(__name__)

_LOOKUPS = 2
"""Of other hosts' names at a time: half of the threads that resolve, so that a bank's name never waits for them."""
_LOOK_AGAIN_S = 3.0
_CA_SUFFIXES = frozenset((".pem", ".crt", ".cer"))


class Keyrings(dict[str, Slots]):
    """One per application.  vault: what those that keep something in Vault share; None when none does."""

    vault: Vault | None = None


def keyrings(config: Config, environ: Mapping[str, str]) -> Keyrings:
    """Not loaded yet."""
    routes = resolve(config)
    outside = vault(config, environ)
    rings = Keyrings({name: _slots(name, application, [r for r in routes if r.application == name], environ, outside)
                      for name, application in config.applications.items()})
    rings.vault = outside
    return rings


def vault(config: Config, environ: Mapping[str, str]) -> Vault | None:
    """None when no application keeps anything there."""
    return Vault(config.vault or VaultSettings(), environ) if config.needs_vault else None


def _slots(name: str, application: Application, routes: list[ResolvedRoute], environ: Mapping[str, str],
           vault: Vault | None) -> Slots:
    demanded = {route.profile.key_spki_sha256 for route in routes if route.signs and not route.upstream.is_loopback}
    required = next((spki for spki in demanded if spki), None)

    def ring(label: str, source: KeySource | None) -> Keyring:
        return Keyring(label, credential_source(application, environ, vault), source, required_spki_sha256=required)

    following = next_key_source(application, environ, vault)
    return Slots(name, ring(name, key_source(application, environ, vault)),
                 ring(f"{name}, next key", following) if following is not None else None, application.rotation)


def authority(config: Config, environ: Mapping[str, str]) -> Authority | None:
    """For tunnels to the banks; made when it is not there yet.  Raises KeyUnusable."""
    settings = authority_settings(config, environ)
    if settings is None:
        return None
    found = load_or_make(settings, intercepted_hosts(config), clock=lambda: datetime.now(UTC))
    for host in found.hosts:
        found.leaf_context(host)        # what cannot be used is known before the first caller, and none waits for it
    return found


def load_keys(rings: Mapping[str, Slots], *, wait_s: float = 0.0, sleep: Callable[[float], object] = time.sleep,
              clock: Callable[[], float] = time.monotonic, waiting: Callable[[str], None] = lambda sentence: None,
              ) -> None:
    """Loads every keyring.  wait_s: how long a Vault that cannot serve yet is waited for, all keyrings together.

    sleep: true when there is no need to go on.  waiting: told for what.  Raises KeyUnusable, which names the
    application.
    """
    end = clock() + wait_s
    for name, slots in rings.items():
        while True:
            try:
                slots.load(datetime.now(UTC))
                break
            except KeyUnusable as error:
                left = end - clock()
                if error.code not in TRANSIENT or left <= 0:
                    raise KeyUnusable(error.code,
                                      f"application {name}: {error.detail or error.problem.code}") from error
                log.warning("application %s: waiting for Vault, %.0f seconds more at most: %s", name, left, error)
                waiting(f"application {name} waits for Vault ({error.code})")
            if sleep(min(_LOOK_AGAIN_S, left)):
                return


def count_rotations(rings: Mapping[str, Slots], telemetry: Telemetry) -> None:
    """From now on, and what the start itself has brought."""
    def counter(name: str) -> Callable[[How], None]:
        return lambda how: telemetry.rotations.add((name, how))

    for name, slots in rings.items():
        for how, count in slots.changes.items():
            telemetry.rotations.add((name, how), count)
        slots.on_change = counter(name)
        if any(ring.last_error is not None for ring in slots.rings()):
            telemetry.reloads.add((name, "failed"))


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
                               allow_group_read=settings.allow_group_read, environ=environ).secret
    return Egress(host, port, settings.username or "", password)


class _PoolWatch:
    """Counts a pool's connections."""

    def __init__(self, telemetry: Telemetry, upstream: str) -> None:
        self._count = telemetry.connections.add
        self._labels = {event: (upstream, event) for event in (
            "opened", "reused", "retried", "connect_failed", "breaker_opened")}
        self._upstream = upstream

    def connection(self, event: str) -> None:
        self._count(self._labels[event])
        if event == "breaker_opened":
            log.warning("%s does not answer; calls to it are refused for a while", self._upstream)


def pools(config: Config, context: ssl.SSLContext, proxy: Egress | None, telemetry: Telemetry,
          forbidden: Callable[[str, int], bool]) -> dict[Origin, Pool]:
    """One per bank host; routes to the same one share it.  Called on the event loop."""
    dialer = Dialer(context, Resolver(config.timeouts.resolve), egress=proxy, forbidden=forbidden)
    origins = {_origin(route) for route in resolve(config)}
    return {origin: Pool(origin, dialer, config.limits, config.timeouts, _PoolWatch(telemetry, str(origin)),
                         config.breaker) for origin in origins}


def _origin(route: ResolvedRoute) -> Origin:
    return Origin(route.upstream.host, route.upstream.port, route.upstream.name.strip("[]"))


def clocks(config: Config, telemetry: Telemetry) -> BankClocks:
    """One per bank host: what a bank says of its clock is believed for its own calls alone."""
    settings = config.date_correction
    found = BankClocks({name: BankClock(name) if settings is None else CorrectedClock(name, settings)
                        for name in sorted({str(_origin(route)) for route in resolve(config)})})
    telemetry.skews = found.ahead
    return found


def routes(config: Config, rings: Mapping[str, Slots], banks: Mapping[Origin, Pool],
           clocks: BankClocks, telemetry: Telemetry) -> dict[str, RouteTable[Route]]:
    """By listener."""
    shapers = _shapers(config, telemetry)
    built = [Route(name=r.name, listener=r.listener, prefix=r.prefix, strip=r.strip, application=r.application,
                   upstream=str(_origin(r)), host=canonical_host(r.upstream.name), port=r.upstream.public_port,
                   base=r.upstream.base.encode(), access=r.access, payments=r.payments, rules=r.rules,
                   slots=rings[r.application], pool=banks[_origin(r)], clock=clocks[str(_origin(r))],
                   self_verify=SelfVerify(r.name, r.rules, telemetry.self_verify) if r.self_verify else None,
                   shaper=shapers.get((r.application, _origin(r))))
             for r in resolve(config)]
    return {listener: RouteTable([route for route in built if route.listener == listener])
            for listener in config.all_listeners()}


def _shapers(config: Config, telemetry: Telemetry) -> dict[tuple[str, Origin], Shaper]:
    """The bank counts by application, whatever route its calls take."""
    settings = config.shaping
    if settings is None:
        return {}
    for r in resolve(config):
        for outcome in ("delayed", "refused"):
            telemetry.shaped.add((r.application, outcome), 0)       # so that a rate can be asked for from the start
    return {(r.application, _origin(r)): Shaper(
        settings, lambda event, application=r.application: telemetry.shaped.add((application, event)))  # type: ignore[misc]
        for r in resolve(config)}


def passages(config: Config, telemetry: Telemetry, is_own: Callable[[str, int], bool]) -> Passages:
    """Called on the event loop."""
    outbound = Outbound(Resolver(config.timeouts.resolve, at_once=_LOOKUPS), is_own)
    return Passages(outbound, config.limits, config.timeouts, telemetry)


def entrances(config: Config, routes: Mapping[str, RouteTable[Route]],
              is_own: Callable[[Destination], bool]) -> dict[str, Entrance]:
    """By listener; their gates are set when they are open."""
    policy = destination_policy(config)
    banks = frozenset(route.host for table in routes.values() for route in table)
    return {name: Entrance(routes[name], policy, banks=banks, is_own=is_own) for name in config.all_listeners()}

"""What /status, the probes and the metrics tell about a running proxy, without a secret in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial

from proxy import __version__
from proxy.keys.authority import Authority
from proxy.keys.keyring import Identity, Keyring, LoadError
from proxy.keys.slots import Slots
from proxy.keys.source import CertificateFacts
from proxy.keys.vault.client import Vault
from proxy.serve.bank_clock import BankClock, BankClocks
from proxy.serve.gateway import Gateway
from proxy.serve.passages import Passages
from proxy.serve.telemetry import Reading
from proxy.wire.dial import Origin
from proxy.wire.limits import most_memory
from proxy.wire.pool import Pool
from proxy.wire.server import Server


def key_check(slots: Slots) -> str:
    """Why the application cannot sign, or ""."""
    identity = slots.current
    if identity is None:
        return "no key is loaded"
    facts = identity.key.certificate if identity.key is not None else None
    if facts is not None and datetime.now(UTC) >= facts.not_after and not slots.spare_usable():
        return "the certificate has expired"
    return ""


def key_checks(rings: Mapping[str, Slots]) -> dict[str, Callable[[], str]]:
    """For the probes: key_check of each application."""
    return {f"application {name}": partial(key_check, slots) for name, slots in rings.items()}


def application_report(slots: Slots) -> Mapping[str, object]:
    ring, identity = slots.signing, slots.current
    report: dict[str, object] = {"source": ring.describe(), "ready": not key_check(slots),
                                 "reloads": {"ok": ring.reloads_ok, "failed": ring.reloads_failed}}
    if identity is not None:
        report |= {"client_id": identity.client_id.decode(), **_identity_report(identity)}
    report |= _error_report(ring.last_error)
    if slots.spare is not None:
        report |= {"slot": slots.slot(ring), "other": _spare_report(slots, slots.spare), "rotations": slots.changes}
    if slots.last_change is not None:
        change = slots.last_change
        report["last_rotation"] = {"at": change.at.isoformat(timespec="seconds"), "how": change.how,
                                   "to_slot": change.slot}
    return report


def _spare_report(slots: Slots, ring: Keyring) -> Mapping[str, object]:
    """The key that does not sign: the next one, or after a change the former one."""
    identity = ring.current
    return {"slot": slots.slot(ring), "source": ring.describe(), "usable": slots.spare_usable(),
            "reloads": {"ok": ring.reloads_ok, "failed": ring.reloads_failed},
            **(_identity_report(identity) if identity is not None else {}), **_error_report(ring.last_error)}


def _identity_report(identity: Identity) -> dict[str, object]:
    report: dict[str, object] = {"revision": identity.revision, "warnings": list(identity.warnings),
                                 "loaded_at": identity.loaded_at.isoformat(timespec="seconds")}
    if identity.key is not None:
        report["key"] = {"bits": identity.key.signer.bits, "spki_sha256": identity.key.signer.spki_sha256}
        if identity.key.certificate is not None:
            report["certificate"] = certificate_report(identity.key.certificate)
    return report


def _error_report(error: LoadError | None) -> dict[str, object]:
    if error is None:
        return {}
    return {"last_error": {"code": error.code, "sentence": error.sentence,
                           "at": error.at.isoformat(timespec="seconds")}}


def _ends(rings: Mapping[str, Slots]) -> Iterator[tuple[tuple[str, ...], float]]:
    """When certificates expire, by application and what their key does: current signs, next is the other one."""
    for name, slots in rings.items():
        for role, ring in (("current", slots.signing), ("next", slots.spare)):
            identity = ring.current if ring is not None else None
            if identity is not None and identity.key is not None and identity.key.certificate is not None:
                yield (name, role), identity.key.certificate.not_after.timestamp()


def certificate_report(facts: CertificateFacts) -> Mapping[str, object]:
    return {"subject": facts.subject, "issuer": facts.issuer, "serial": facts.serial,
            "organization_identifier": facts.organization_identifier, "roles": list(facts.roles),
            "qc_type": facts.qc_type, "not_before": facts.not_before.isoformat(),
            "not_after": facts.not_after.isoformat(), "sha256": facts.fingerprint_sha256,
            "days_left": (facts.not_after - datetime.now(UTC)).days}


def authority_report(authority: Authority | None) -> Mapping[str, object] | None:
    """None: tunnels to the banks are not opened."""
    if authority is None:
        return None
    return {"subject": authority.subject, "hosts": list(authority.hosts), "not_after": authority.not_after.isoformat(),
            "sha256": authority.fingerprint_sha256, "warnings": list(authority.warnings)}


def status_report(*, state: str, log_level: str, since: datetime, listeners: Iterable[tuple[str, str, int]],
                  rings: Mapping[str, Slots], gateway: Gateway, server: Server, pools: Mapping[Origin, Pool],
                  clocks: BankClocks, passages: Passages,
                  authority: Authority | None, diagnoses: object, audit: object) -> Mapping[str, object]:
    """The document behind /status."""
    return {
        "version": __version__, "state": state, "started_at": since.isoformat(timespec="seconds"),
        "log_level": log_level,
        "listeners": [{"name": name, "address": address, "port": port} for name, address, port in listeners],
        "memory_budget_bytes": most_memory(server.limits, len(pools)),
        "in_flight": gateway.in_flight, "connections": len(server.connections), "buffered_bytes": server.buffered,
        "applications": {name: application_report(ring) for name, ring in rings.items()},
        "open_tunnels": passages.open, "certificate_authority": authority_report(authority),
        "upstreams": {str(origin): {**dict(zip(("connections", "idle", "waiting"), pool.counts, strict=True)),
                                    "breaker": "open" if pool.breaker.open else "closed",
                                    **clock_report(clocks[str(origin)])}
                      for origin, pool in pools.items()},
        "diagnoses": diagnoses, "audit": audit,
    }


def clock_report(clock: BankClock) -> dict[str, object]:
    """Tenths of seconds; null: the bank has not been heard for an hour."""
    ahead = clock.ahead
    return {"clock_ahead_s": round(ahead, 1) if ahead is not None else None,
            "clock_correction_s": round(clock.correction, 1)}


def vault_readings(vault: Vault) -> list[Reading]:
    """Gauges about Vault, where it is used."""
    return [
        ("vault_transit_in_flight", "Transit signatures in flight.", (), lambda: [((), vault.signing)]),
        ("vault_token_expiry_timestamp_seconds", "When the token for Vault expires.", (),
         lambda: [((), vault.tokens.expiry)] if vault.tokens.expiry is not None else []),
    ]


def readings(*, rings: Mapping[str, Slots], gateway: Gateway, server: Server, pools: Mapping[Origin, Pool],
             clocks: BankClocks, passages: Passages, authority: Authority | None,
             log_dropped: Callable[[], int]) -> list[Reading]:
    """Gauges that are read when somebody scrapes."""
    return [
        ("requests_in_flight", "Requests in hand.", (), lambda: [((), gateway.in_flight)]),
        ("connections", "Accepted connections.", (), lambda: [((), len(server.connections))]),
        ("open_tunnels", "Tunnels to other hosts that are open or being opened.", (),
         lambda: [((), passages.open)]),
        ("buffered_bytes", "Bytes of requests held in memory.", (), lambda: [((), server.buffered)]),
        ("loop_lag_seconds", "Worst lateness of the event loop since the last scrape.", (),
         lambda: [((), server.take_lag())]),
        ("log_lines_dropped", "Log lines that could not be written.", (), lambda: [((), log_dropped())]),
        ("certificate_expiry_timestamp_seconds", "When the signing certificate expires.", ("application", "slot"),
         lambda: _ends(rings)),
        ("authority_expiry_timestamp_seconds", "When the certificate authority for tunnels expires.", (),
         lambda: [((), authority.not_after.timestamp())] if authority is not None else []),
        ("breaker_open", "1 while calls to this bank are refused because it does not answer.", ("upstream",),
         lambda: [((str(origin),), pool.breaker.open) for origin, pool in pools.items()]),
        ("clock_correction_seconds", "How far the date that is signed for this bank is ahead of our clock.",
         ("upstream",), lambda: [((upstream,), clock.correction) for upstream, clock in clocks.items()]),
        ("upstream_open_connections", "Connections to a bank, idle or busy.", ("upstream", "state"),
         lambda: [((str(origin), state), count) for origin, pool in pools.items()
                  for state, count in (("idle", pool.counts[1]), ("busy", pool.counts[0] - pool.counts[1]))]),
    ]

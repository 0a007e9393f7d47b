"""What a proxy says in its log when it has started: where it listens, and what its operator should know."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from proxy import __version__
from proxy.keys.authority import Authority
from proxy.keys.slots import Slots

log = logging.getLogger("proxy")


def announce(places: str, rings: Mapping[str, Slots], authority: Authority | None) -> None:
    """places: the listeners, as a person reads them."""
    announce_warnings(rings, authority)
    announce_ready(places)


def announce_ready(places: str) -> None:
    log.info("signing-proxy %s is ready: %s", __version__, places)


def announce_warnings(rings: Mapping[str, Slots], authority: Authority | None) -> None:
    for slots in rings.values():
        for ring in slots.rings():
            for sentence in ring.current.warnings if ring.current is not None else ():
                log.warning("application %s: %s", ring.name, sentence)
    if authority is not None:
        _announce_authority(authority)


def _announce_authority(authority: Authority) -> None:
    for sentence in authority.warnings:
        log.warning("certificate authority: %s", sentence)
    log.info("tunnels to %s end here, with the certificate authority %s… until %s; 'signing-proxy ca env' tells "
             "clients where it is", ", ".join(authority.hosts), authority.fingerprint_sha256[:16],
             authority.not_after.date())

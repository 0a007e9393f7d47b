"""What a start says about keys and the certificate authority."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from proxy.keys.authority import Authority
from proxy.keys.slots import Slots

log = logging.getLogger("proxy")


def keys(rings: Mapping[str, Slots]) -> None:
    """What the operator should know about each key that was loaded."""
    for slots in rings.values():
        for ring in slots.rings():
            for sentence in ring.current.warnings if ring.current is not None else ():
                log.warning("application %s: %s", ring.name, sentence)


def authority(found: Authority | None) -> None:
    """Which tunnels end here; nothing where none do."""
    if found is None:
        return
    for sentence in found.warnings:
        log.warning("certificate authority: %s", sentence)
    log.info("tunnels to %s end here, with the certificate authority %s… until %s; 'signing-proxy ca env' tells "
             "clients where it is", ", ".join(found.hosts), found.fingerprint_sha256[:16], found.not_after.date())

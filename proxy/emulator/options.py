"""Everything about the emulator that a test or a user may choose."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from proxy.emulator.access import TokenRule
from proxy.emulator.authority import BANK_NAMES, LOCAL_NAMES, Authority, Validity
from proxy.emulator.verify import Policy

CLIENT_ID = "4a2b1c3d5e6f47088192a3b4c5d6e7f8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`port` 0 takes any free one; `control_port` None opens no control port.

    certificate: what is registered for client_id, a PEM certificate or public key; None registers nothing, or in a
    sandbox the bank's published demo key.
    directory: holds ca.pem, server.crt and server.key, made there if they are missing; None is a temporary one.
    authority, server_names, server_validity: for certificates made here, so that a test can have a wrong one.
    keep_alive: seconds after its last request when a connection is closed, unannounced; None never does.
    client_ca: PEM file; when set, clients must show a certificate of that authority (mutual TLS).
    """

    client_id: str = CLIENT_ID
    client_secret: str = field(default="emulated-secret", repr=False)
    certificate: bytes | str | None = None
    policy: Policy = field(default_factory=Policy)
    tokens: TokenRule = "any"
    address: str = "127.0.0.1"
    port: int = 0
    control_port: int | None = None
    tls: bool = True
    directory: Path | None = None
    authority: Authority | None = None
    server_names: tuple[str, ...] = (*LOCAL_NAMES, *BANK_NAMES)
    server_validity: Validity | None = None
    client_ca: Path | None = None
    clock: Callable[[], float] = time.time
    keep: int = 10_000
    keep_alive: float | None = None
    max_body: int = 64 * 1024 * 1024

"""A route of the configuration, joined with the keys and connections it runs on."""

from __future__ import annotations

from dataclasses import dataclass

from proxy.core.routing import Access
from proxy.core.signing import SigningRules
from proxy.keys.slots import Slots
from proxy.serve.bank_clock import BankClock
from proxy.serve.selfverify import SelfVerify
from proxy.serve.shaping import Shaper
from proxy.wire.pool import Pool


@dataclass(frozen=True, slots=True)
class Route:
    """prefix: of paths, whole segments.  strip: what is removed from their front.  upstream: its name in metrics.

    payments: segments of paths that need the role for payments; empty when roles are not looked at.
    host, port, base: how the bank's own URLs begin, for callers that use them unchanged.
    clock: its bank's, which says what date is signed.
    self_verify: judges what is about to be written.  shaper: keeps calls under the bank's limits.
    Both are None where they are off.
    """

    name: str
    listener: str
    prefix: bytes
    strip: bytes
    application: str
    upstream: str
    host: str
    port: int
    base: bytes
    access: Access
    payments: frozenset[bytes]
    rules: SigningRules
    slots: Slots
    pool: Pool
    clock: BankClock
    self_verify: SelfVerify | None = None
    shaper: Shaper | None = None

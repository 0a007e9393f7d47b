"""What every call shares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from proxy.core.exchange import Exchange
from proxy.core.message import Request, Response
from proxy.serve.auditing import Auditing
from proxy.serve.recording import Recording
from proxy.serve.route import Route
from proxy.serve.rulings import Ruling
from proxy.serve.sealing import Sealing
from proxy.wire.limits import Timeouts

Hint = Callable[[Recording, bytes], bytes]
"""(a refused call, its answer's whole body) -> the header field with its line end, or b""."""


class Desk(Protocol):
    """The gateway, as a call sees it."""

    sealing: Sealing
    timeouts: Timeouts
    full_paths: bool
    audit: Auditing | None
    hint: Hint | None
    """Makes the header field that tells the caller why the bank refused; None when no answer gets one."""
    kept: int
    """Bytes of every answer's body that observers want; 0 when none does."""

    def now(self) -> float:
        """Loop time."""

    def request_id(self, request: Request) -> str: ...
    def observe(self, route: Route, response: Response, took: float) -> None: ...
    def record(self, exchange: Exchange, ruling: Ruling | None, recording: Recording) -> None: ...

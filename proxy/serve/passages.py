"""What goes to hosts that are none of the banks: judged, counted, never decrypted, never signed."""

from __future__ import annotations

from typing import Any

from proxy.core.message import Request
from proxy.errors import Refused
from proxy.serve.entrance import Elsewhere
from proxy.wire.connection import Connection


class Passages:
    def opening(self, connection: Connection, request: Request, to: Elsewhere) -> Any:
        raise Refused("destination_denied")

    def forward(self, connection: Connection, request: Request, to: Elsewhere) -> Any:
        raise Refused("destination_denied")

"""What goes to hosts that are none of the banks: tunnels and plain requests, never decrypted, never signed, counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Protocol

from proxy.core.addresses import forbidden_address
from proxy.core.exchange import Exchange, Outcome, Timings
from proxy.core.message import Request
from proxy.errors import ProxyError, Refused, UpstreamFailed
from proxy.serve.entrance import Elsewhere
from proxy.serve.forward import Forward
from proxy.serve.inside import client_name
from proxy.serve.problems import problem
from proxy.serve.telemetry import Telemetry
from proxy.wire.connection import Connection
from proxy.wire.limits import Limits, Timeouts
from proxy.wire.outbound import Outbound
from proxy.wire.relay import Buffers, Ending, Relay
from proxy.wire.solo import Solos

_OUTCOMES: dict[Ending, Outcome] = {
    "closed": "answered", "reset": "answered", "idle_timeout": "cut", "aborted": "cut"}


class Desk(Protocol):
    """What passages share with the calls."""

    timeouts: Timeouts
    full_paths: bool
    now: Callable[[], float]

    def request_id(self, request: Request) -> str: ...
    def record(self, exchange: Exchange, ruling: None) -> None: ...
    def note(self, exchange: Exchange) -> None:
        """As record(), of what was never in hand as a request."""


class Passages:
    """All of them.  open: tunnels, from their CONNECT to their end."""

    def __init__(self, outbound: Outbound, limits: Limits, timeouts: Timeouts, telemetry: Telemetry) -> None:
        self.outbound = outbound
        self.timeouts = timeouts
        self.telemetry = telemetry
        self.buffers = Buffers()
        self.solos = Solos(outbound, limits, timeouts)
        self.open = 0
        self.dials: set[asyncio.Task[None]] = set()
        self._limit = limits.tunnels

    def opening(self, desk: Desk, connection: Connection, request: Request, to: Elsewhere) -> Passage:
        """Raises Refused("overloaded")."""
        self.require_room()
        return Passage(self, desk, connection, request, to)

    def forward(self, desk: Desk, connection: Connection, request: Request, to: Elsewhere) -> Forward:
        """Raises Refused: overloaded, method_not_supported."""
        if request.method == b"TRACE":
            raise Refused("method_not_supported", "TRACE would show the caller's own credentials")
        self.require_room()
        return Forward(desk, connection, request, to.destination, to.verdict, self.solos)

    def require_room(self) -> None:
        """Raises Refused("overloaded")."""
        if self.open + len(self.solos.live) >= self._limit:
            raise Refused("overloaded", "limits.tunnels is reached")

    async def close(self) -> None:
        """Cuts what is left; established tunnels are among the server's connections."""
        for task in list(self.dials):
            task.cancel()
        await asyncio.gather(*self.dials, return_exceptions=True)
        await self.solos.close()
        await self.outbound.close()


class Passage:
    """One CONNECT to another host: dialled, then coupled with its caller until one of them ends it."""

    def __init__(self, passages: Passages, desk: Desk, connection: Connection, request: Request, to: Elsewhere) -> None:
        self._passages, self._desk, self._to = passages, desk, to
        self._connection: Connection | None = connection
        self._listener, self._peer, self._client = connection.listener, connection.peer, client_name(connection)
        self._server = connection.server
        self._request_id = desk.request_id(request)
        self._started = perf_counter()
        self._dialling: asyncio.Task[None] | None = None
        self._settled = False
        self._relay = Relay(passages.buffers, now=lambda: connection.server.now(), idle=passages.timeouts.tunnel_idle,
                            on_end=self._ended)

    def begin(self) -> None:
        passages, to = self._passages, self._to
        passages.open += 1
        forbidden = partial(forbidden_address, networks=to.verdict.networks)
        task = self._dialling = asyncio.get_running_loop().create_task(
            passages.outbound.open(to.destination, forbidden, self._relay.far, passages.timeouts.connect))
        passages.dials.add(task)
        task.add_done_callback(self._dialled)

    def _dialled(self, task: asyncio.Task[None]) -> None:
        self._passages.dials.discard(task)
        self._dialling = None
        connection, self._connection = self._connection, None
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._failed(connection, error if isinstance(error, Refused | UpstreamFailed)
                         else ProxyError("internal_error", type(error).__name__))
        elif connection is None or task.cancelled():
            self._abandon()
        elif self._relay.ending is not None:    # the destination has gone again, and that is recorded
            connection.answer(problem(UpstreamFailed("destination_unreachable", sent="no"), self._request_id, "no"))
        else:
            connection.become(self._relay.near)
            if self._relay.ending is None:
                self._server.register(self._relay, heir=True)

    def _abandon(self) -> None:
        """The caller has gone, or the proxy ends.  A connection that is just coming about is cut when it is there."""
        self._relay.abort()
        self._settle("client_gone")

    def _failed(self, connection: Connection | None, error: ProxyError) -> None:
        if connection is not None:
            connection.answer(problem(error, self._request_id, "no"))
        self._settle("failed" if isinstance(error, UpstreamFailed) else "refused", error=error)

    def _ended(self, relay: Relay) -> None:
        self._server.unregister(relay)
        ending = relay.ending or "aborted"
        self._settle(_OUTCOMES[ending], ending=ending)

    def _settle(self, outcome: Outcome, *, error: ProxyError | None = None, ending: str = "") -> None:
        """It is over, in whichever way; counted and logged once."""
        if self._settled:
            return
        self._settled = True
        passages, relay, to = self._passages, self._relay, self._to
        passages.open -= 1
        passages.telemetry.tunnels.add((to.verdict.policy, ending or outcome))
        passages.telemetry.tunnel_bytes.add(("sent",), relay.sent)
        passages.telemetry.tunnel_bytes.add(("received",), relay.received)
        self._desk.note(Exchange(
            request_id=self._request_id, client=self._peer, client_name=self._client, listener=self._listener,
            form="connect", destination=str(to.destination), policy=to.verdict.policy, route="none", application="",
            method="CONNECT", path="", status=error.problem.status if error is not None else 200 if ending else 0,
            outcome=outcome, refused_by="proxy" if error is not None else "",
            code=error.code if error is not None else "", detail=error.detail if error is not None else ending,
            sent="yes" if ending else "no", request_bytes=relay.sent, response_bytes=relay.received,
            timings=Timings(total=perf_counter() - self._started)))

    # --- the caller's side, until it is coupled

    def gone(self) -> None:
        self._connection = None
        if self._dialling is not None:
            self._dialling.cancel()

    def half_closed(self) -> None:
        """It sends no more: the tunnel would carry nothing."""
        connection = self._connection
        self.gone()
        if connection is not None:
            connection.answer(problem(Refused("caller_closed"), self._request_id, "no"))

    def pause(self) -> None: ...
    def resume(self) -> None: ...

"""The application of the proxy's listeners: admits a request, prepares it, and starts its Call.

    admit    entrance: gate (who) -> target -> route; then allow list -> room      | any refusal: nothing is signed
    handle   prepare -> Call.begin -> pool -> seal -> write
    CONNECT  to a bank: Interception; to other hosts, as far as they are allowed: Passages
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from proxy.core.exchange import Exchange, Timings, path_in_full, path_template
from proxy.core.message import Request, Response
from proxy.core.roles import require_role
from proxy.core.routing import METHODS
from proxy.core.signing import prepare
from proxy.core.target import path_of
from proxy.errors import ProxyError, Refused
from proxy.serve.auditing import Auditing
from proxy.serve.call import Call
from proxy.serve.desk import Hint
from proxy.serve.entrance import Elsewhere, Entrance, ToBank
from proxy.serve.forward import Forward
from proxy.serve.inside import client_name, destination_of, form_of
from proxy.serve.interception import Interception
from proxy.serve.passages import Passages
from proxy.serve.problems import problem
from proxy.serve.recording import Observer, Recording, plain_text
from proxy.serve.route import Route
from proxy.serve.rulings import Ruling
from proxy.serve.sealing import Sealing
from proxy.serve.telemetry import LIMIT_FIELDS, Telemetry, method_label
from proxy.serve.traces.tracer import Tracer
from proxy.wire.application import Answer, Caller
from proxy.wire.connection import Connection
from proxy.wire.limits import Limits, Timeouts

if TYPE_CHECKING:
    from proxy.serve.logline import RequestLog

log = logging.getLogger(__name__)

_REQUEST_ID = re.compile(rb"[0-9A-Za-z._-]{1,64}")


_ABOUT_DESTINATIONS = frozenset(("destination_denied", "address_denied", "self_connect", "interception_off"))


class Gateway:
    """Implements wire.application.Application and desk.Desk.  full_paths: log paths as they are."""

    def __init__(self, entrances: Mapping[str, Entrance], interception: Interception, passages: Passages, *,
                 limits: Limits, timeouts: Timeouts, telemetry: Telemetry, log: RequestLog | None,
                 full_paths: bool = False) -> None:
        """entrances: by listener name."""
        self._entrances = entrances
        self._interception = interception
        self._passages = passages
        self._telemetry = telemetry
        self._log = log
        self.limits = limits
        self.timeouts = timeouts
        self.full_paths = full_paths
        self.audit: Auditing | None = None
        self.kept = 0
        self.hint: Hint | None = None
        self.tracer: Tracer | None = None
        self.propagator: Tracer | None = None       # the same one, where the bank is told of our spans
        self._observers: tuple[Observer, ...] = ()
        self.sealing = Sealing(limits.upstream_connections)
        self.in_flight = 0
        self.now: Callable[[], float] = asyncio.get_running_loop().time

    # --- wire.application.Application

    def admit(self, connection: Connection, request: Request) -> None:
        entrance = self._entrances[connection.listener]
        if request.method == b"CONNECT":
            to = entrance.connect(connection, request)
            connection.call = (self._interception.opening(connection, to) if isinstance(to, ToBank)
                               else self._passages.opening(self, connection, request, to))
            return
        found = entrance.route(connection, request)
        if isinstance(found, Elsewhere):
            connection.call = self._passages.forward(self, connection, request, found)
            return
        self._admit_to(found, connection, request)

    def _admit_to(self, route: Route, connection: Caller, request: Request) -> None:
        if request.method not in METHODS:
            raise Refused("method_not_supported")
        path = path_of(request.target)
        route.access.check(request.method, path)
        if route.payments:
            self._require_role(route, path)
        self._require_room(self.in_flight)
        if route.strip:
            request.target = _stripped(request.target, route.strip)
        connection.call = Call(self, connection, request, route)

    @staticmethod
    def _require_role(route: Route, path: bytes) -> None:
        identity = route.slots.current
        facts = identity.key.certificate if identity is not None and identity.key is not None else None
        if facts is not None:
            require_role(path, route.payments, facts.roles)

    def _require_room(self, others: int) -> None:
        if others >= self.limits.in_flight:
            raise Refused("overloaded", "too many requests in hand")

    def handle(self, connection: Caller, request: Request) -> None:
        call = connection.call
        if not isinstance(call, Call | Forward):
            call.begin()
            return
        self.in_flight += 1
        try:
            self._require_room(self.in_flight - 1)      # again: others became whole while this one's body came
            if isinstance(call, Call):
                self._seal(call, request)
            else:
                self._passages.require_room()
                call.begin()
        except ProxyError as error:
            call.failed(error, "no")
        except Exception as error:      # noqa: BLE001 - no call is left without an answer, and no caller sees a traceback
            call.crashed(error)

    def _seal(self, call: Call, request: Request) -> None:
        draft = prepare(request, call.route.rules)
        replaced = call.route.rules.headers.replaced(request.fields) if request.fields else ()
        if replaced:
            draft.notes = (*draft.notes, *[f"replaced:{name}" for name in replaced])
        if self.propagator is not None:
            call.traced(self.propagator.pass_on(draft))
        call.begin(draft)

    def refuse(self, connection: Caller, request: Request | None, error: Refused) -> Answer:
        request_id = self.request_id(request) if request is not None else secrets.token_hex(8)
        self._write(Exchange(
            request_id=request_id, client=connection.peer, client_name=client_name(connection),
            listener=connection.listener, form=form_of(connection, request) if request is not None else "",
            destination=destination_of(request) if error.code in _ABOUT_DESTINATIONS else "", route="none",
            application="", method=method_label(request.method) if request is not None else "none",
            path=self._path(request), status=error.problem.status, outcome="refused", refused_by="proxy",
            code=error.code, detail=error.detail, request_bytes=len(request.body) if request is not None else 0,
            traceparent=plain_text(request.first(b"traceparent")) if request is not None else "",
            timings=Timings()), None, None, request)
        return problem(error, request_id, "no")

    def repeat(self, caller: Caller, request: Request) -> None:
        """A request that is sent again on behalf of somebody who may, whoever asked for it at first.

        Raises Refused.
        """
        try:
            self._admit_to(self._entrances[caller.listener].find(request), caller, request)
        except Refused as error:
            self.refuse(caller, request, error)
            raise
        self.handle(caller, request)

    def _path(self, request: Request | None) -> str:
        if request is None or request.method == b"CONNECT":
            return ""
        path = path_of(request.target)
        return path_in_full(path) if self.full_paths else path_template(path)

    def gone(self, connection: Connection) -> None:
        if connection.call is not None:
            connection.call.gone()

    def half_closed(self, connection: Connection) -> None:
        if connection.call is not None:
            connection.call.half_closed()

    def pause(self, connection: Connection) -> None:
        if connection.call is not None:
            connection.call.pause()

    def resume(self, connection: Connection) -> None:
        if connection.call is not None:
            connection.call.resume()

    # --- for Call

    @staticmethod
    def request_id(request: Request) -> str:
        """The caller's X-Request-ID when it is one, else a new one."""
        given = request.first(b"x-request-id")
        if given is not None and _REQUEST_ID.fullmatch(given) is not None:
            return given.decode()
        return secrets.token_hex(8)

    def observe(self, route: Route, response: Response, took: float) -> None:
        """What the head of any answer tells about clocks and limits.  took: seconds until it came."""
        for name, _, value in response.fields:
            if name == b"date":
                route.clock.heard(value, response, took)
            elif name in LIMIT_FIELDS:
                self._telemetry.seen(route.upstream, name, value)

    def watch(self, observer: Observer) -> None:
        """From now on it is told of every call that is over."""
        self._observers = (*self._observers, observer)
        self.kept = max(self.kept, observer.keep)

    def record(self, exchange: Exchange, ruling: Ruling | None, recording: Recording | None = None) -> None:
        """A call that had begun is over.  recording: None for what went to another host unsigned."""
        self.in_flight -= 1
        self._write(exchange, ruling, recording)

    def note(self, exchange: Exchange) -> None:
        """A tunnel is over.  It is no request, and is counted by itself."""
        if exchange.code:
            self._telemetry.rejected.add((exchange.code,))
        self._tell(exchange, None, None, None)

    def _write(self, exchange: Exchange, ruling: Ruling | None, recording: Recording | None,
               request: Request | None = None) -> None:
        self._telemetry.record(exchange, ruling)
        if self.tracer is not None:
            exchange = self.tracer.over(exchange, ruling, recording, request)
        self._tell(exchange, ruling, recording, request)

    def _tell(self, exchange: Exchange, ruling: Ruling | None, recording: Recording | None,
              request: Request | None) -> None:
        if self._log is not None:
            self._log.record(exchange)
        for observer in self._observers:
            try:
                observer.over(exchange, ruling, recording, request)
            except Exception as error:      # noqa: BLE001 - the call is over and told; its connections must live on
                log.error("internal error: a call was not observed (%s)", type(error).__name__)  # noqa: TRY400

    def log_to(self, log: RequestLog | None) -> None:
        """Where the lines of requests go from now on; None: nowhere."""
        self._log = log

    def close(self) -> None:
        self.sealing.close()


def _stripped(target: bytes, prefix: bytes) -> bytes:
    rest = target[len(prefix):]
    return rest if rest[:1] == b"/" else b"/" + rest

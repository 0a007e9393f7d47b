"""A plain request to another host than a bank: passed on unsigned, once, on a connection of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Protocol

from proxy.core.addresses import forbidden_address
from proxy.core.destinations import Destination, Verdict
from proxy.core.exchange import Exchange, Outcome, Timings, path_in_full, path_template
from proxy.core.headers import FRAMING, HOP_BY_HOP, OURS, answer_fields, canonical
from proxy.core.message import CHUNKED, UNTIL_CLOSE, Request, Response
from proxy.core.target import path_of
from proxy.errors import ProxyError, Refused, Sent, UpstreamFailed
from proxy.serve.inside import client_name
from proxy.serve.problems import problem
from proxy.serve.recording import plain_text
from proxy.serve.telemetry import method_label
from proxy.wire.connection import Connection
from proxy.wire.limits import Timeouts
from proxy.wire.solo import Solos
from proxy.wire.ticket import Ticket

REPORTED = "would_be_denied"
"""Note of a call that only a `report` rule let through."""

_DROPPED = HOP_BY_HOP | FRAMING
_ANTICIPATING = (b"POST", b"PUT", b"PATCH")
# The channel speaks of banks.
_CODES = {"upstream_closed": "destination_closed", "upstream_malformed": "destination_malformed",
          "upstream_timeout": "destination_no_answer", "upstream_write_timeout": "destination_no_answer",
          "upstream_connect_timeout": "destination_timeout", "pool_timeout": "destination_timeout"}


class Desk(Protocol):
    """What a forward shares with the calls."""

    now: Callable[[], float]
    timeouts: Timeouts
    full_paths: bool

    def request_id(self, request: Request) -> str: ...
    def record(self, exchange: Exchange, ruling: None) -> None: ...


def unsigned(request: Request) -> bytes:
    """The whole request in origin-form (RFC 9112 section 3.2.1), without what was meant for this proxy.

    Names listed in Connection go as well (RFC 9110 section 7.6.1); Host is the target's authority (RFC 9112 section
    3.2.2).  The body has a length, however it was framed when it came.
    """
    lines = [b"%b %b HTTP/1.1\r\nHost: %b\r\n" % (request.method, request.target, request.authority)]
    lines += [b"%b: %b\r\n" % (name, value) for lower, name, value in request.fields
              if lower not in _DROPPED and lower not in request.options and not _ours(lower)]
    if request.body or request.method in _ANTICIPATING or request.first(b"content-length") is not None:
        lines.append(b"Content-Length: %d\r\n" % len(request.body))
    lines.append(b"Connection: close\r\n\r\n")
    return b"".join([*lines, request.body])


def _ours(name: bytes) -> bool:
    """Credentials for this proxy never leave it, whatever their spelling."""
    return canonical(name).startswith((b"proxy-", OURS))


class Forward:
    """Implements wire.ticket.Call and, towards the caller, what serve.call.Call does.  Recorded once, at its end."""

    __slots__ = ("_desk", "_over", "_received", "_response", "_sent_at", "_size", "_solos", "_started", "_ticket",
                 "_upstream", "client_name", "connection", "destination", "listener", "peer", "request", "request_id",
                 "verdict")

    def __init__(self, desk: Desk, connection: Connection, request: Request, destination: Destination,
                 verdict: Verdict, solos: Solos) -> None:
        """verdict: one that is not "deny"."""
        self._desk, self._solos = desk, solos
        self.connection: Connection | None = connection
        self.peer, self.listener = connection.peer, connection.listener
        self.client_name = client_name(connection)
        self.request, self.destination, self.verdict = request, destination, verdict
        self.request_id = desk.request_id(request)
        self._ticket: Ticket | None = None
        self._response: Response | None = None
        self._over = False
        self._received = self._size = 0
        self._started = self._sent_at = self._upstream = 0.0

    def begin(self) -> None:
        """The request is complete: find out where it goes, then send it."""
        self._started = perf_counter()
        self._size = len(self.request.body)
        self._ticket = self._solos.submit(
            self, self.request.method, self.destination, partial(forbidden_address, networks=self.verdict.networks),
            self._desk.now() + self._desk.timeouts.deadline)

    # --- wire.ticket.Call

    @property
    def left(self) -> bool:
        return self.connection is not None and self.connection.left

    def seal(self, ticket: Ticket) -> bytes:
        self._sent_at = perf_counter()
        raw = unsigned(self.request)
        self.request.body = b""         # it is written once
        return raw

    def head(self, response: Response) -> None:
        self._response = response
        self._upstream = perf_counter() - self._sent_at
        connection = self.connection
        if connection is None:
            self._abandon()
            return
        bodiless = response.status in (204, 304) or self.request.method == b"HEAD"
        connection.start(response.line, answer_fields(response.fields, response.options,
                                                      keep_length=response.status != 204),
                         unframed=not bodiless and response.length in (CHUNKED, UNTIL_CLOSE))

    def body(self, data: bytes) -> None:
        self._received += len(data)
        if self.connection is not None:
            self.connection.body(data)

    def flush(self) -> None:
        if self.connection is not None:
            self.connection.flush()

    def end(self) -> None:
        connection = self._detach()
        if connection is not None:
            connection.finish()
        self._record("answered", sent="yes")

    def failed(self, failure: ProxyError, sent: Sent) -> None:
        connection = self._detach()
        if failure.code in _CODES:
            failure = UpstreamFailed(_CODES[failure.code], failure.detail, sent=sent)
        if connection is None:
            self._record("client_gone", sent=sent, error=failure)
        elif connection.sent:
            connection.abort()
            self._record("cut", sent=sent, error=failure)
        else:
            self._response = None           # whatever of it was read, the caller gets our word instead
            connection.answer(problem(failure, self.request_id, sent))
            self._record("failed" if isinstance(failure, UpstreamFailed) else "refused", sent=sent, error=failure)

    def crashed(self, error: Exception) -> None:
        """A fault of ours.  What the caller is told depends on whether anything had been written."""
        ticket = self._ticket
        written = ticket is not None and ticket.written
        if ticket is not None:
            ticket.give_up()
        self.failed(ProxyError("internal_error", type(error).__name__), "maybe" if written else "no")

    # --- the caller's side

    def gone(self) -> None:
        """The caller went away: before anything was written the call is off; after, its outcome is awaited."""
        self.connection = None
        ticket = self._ticket
        if ticket is None or ticket.cancel():
            self._record("client_gone", sent="no")
        elif self._response is not None:
            self._abandon()

    def half_closed(self) -> None:
        """The caller sends no more.  Most have given up: nothing is sent for them any more."""
        if self._ticket is not None and self._ticket.cancel():
            self.failed(Refused("caller_closed"), "no")

    def pause(self) -> None:
        if self._ticket is not None:
            self._ticket.pause()

    def resume(self) -> None:
        if self._ticket is not None:
            self._ticket.resume()

    def _abandon(self) -> None:
        """The outcome is known and nobody waits for the rest."""
        if self._ticket is not None:
            self._ticket.give_up()
        self._record("client_gone", sent="yes")

    def _detach(self) -> Connection | None:
        connection, self.connection = self.connection, None
        return connection

    def _record(self, outcome: Outcome, *, sent: str, error: ProxyError | None = None) -> None:
        if self._over:
            return
        self._over = True
        self._ticket = None             # a ticket knows its call: no cycle is left for the collector
        path = path_of(self.request.target)
        status = self._response.status if self._response is not None else (
            (error.problem.status or 500) if error is not None else 0)
        self._desk.record(Exchange(
            request_id=self.request_id, client=self.peer, client_name=self.client_name, listener=self.listener,
            form="absolute", destination=str(self.destination), policy=self.verdict.policy, route="none",
            application="", method=method_label(self.request.method), status=status, outcome=outcome,
            path=path_in_full(path) if self._desk.full_paths else path_template(path),
            refused_by="proxy" if error is not None else "", code=error.code if error is not None else "",
            detail=error.detail if error is not None else "", sent=sent,  # type: ignore[arg-type]
            attempts=0, request_bytes=self._size, response_bytes=self._received,
            notes=(REPORTED,) if self.verdict.policy == "report" else (),
            traceparent=plain_text(self.request.first(b"traceparent")),
            timings=Timings(upstream=self._upstream,
                            total=perf_counter() - self._started if self._started else 0.0)), None)

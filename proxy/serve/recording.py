"""What is remembered of one call while it lasts, and the Exchange that is made of it when it is over.

References, never copies: what an observer wants of it (bytes, headers, digests) it makes itself, and only for the calls
that it looks at.
"""

from __future__ import annotations

from time import perf_counter
from typing import Protocol

from proxy.audit.entries import Intent
from proxy.core.diagnosis import Case, Diagnosis
from proxy.core.exchange import Exchange, Form, Outcome, Timings, path_in_full, path_template
from proxy.core.message import Request, Response
from proxy.core.signing import Draft, Plan
from proxy.core.target import path_of
from proxy.errors import ProxyError
from proxy.keys.keyring import Identity
from proxy.serve.route import Route
from proxy.serve.rulings import LIMIT, Ruling, ruling_of
from proxy.serve.telemetry import method_label
from proxy.serve.traces.finished import Trace


class Observer(Protocol):
    """Who is told of each call when it is over, after its answer has been written."""

    keep: int
    """Bytes of every answer's body that recording.answer is to hold; 0 for those of refusals alone."""

    def over(self, exchange: Exchange, ruling: Ruling | None, recording: Recording | None,
             request: Request | None) -> None:
        """Called on the event loop; returns at once and keeps nothing of the recording that holds a secret.

        recording: None for what was refused before it was a call of a route; request: what was refused then, None for
        bytes that are no request, for tunnels and for what went to another host unsigned.
        """


class Recording:
    """request: as it was received, less the prefix that the route strips.  draft: None before it was prepared.

    plan, signature, identity: of the last attempt that was sealed; plan.complete(signature) is what was sent.
    intent: what the audit trail was told last before a signature.
    answer: the beginning of the answer's body as it came, as far as somebody wants it; else None.
    received: bytes of the answer's body.  dialled: how long the connection took, 0 for one that was there.
    case, diagnosis: of a refusal, once somebody has asked why.  trace: where the bank was told of it.
    Times are those of perf_counter; durations are seconds.
    """

    __slots__ = ("answer", "attempts", "case", "client", "client_name", "diagnosis", "dialled", "draft", "form",
                 "identity", "intent", "key", "limit", "plan", "received", "request", "request_id", "response", "route",
                 "sealed_at", "signature", "signing", "size", "started", "trace", "upstream")

    def __init__(self, request: Request, route: Route, *, request_id: str, client: str, client_name: str,
                 form: Form) -> None:
        self.request = request
        self.route = route
        self.request_id = request_id
        self.client = client
        self.client_name = client_name
        self.form = form
        self.draft: Draft | None = None
        self.identity: Identity | None = None
        self.plan: Plan | None = None
        self.intent: Intent | None = None
        self.signature = b""
        self.key = ""
        self.response: Response | None = None
        self.answer: bytearray | None = None
        self.case: Case | None = None
        self.diagnosis: Diagnosis | None = None
        self.trace: Trace | None = None
        self.attempts = self.received = self.size = self.limit = 0
        self.started = self.sealed_at = self.signing = self.upstream = self.dialled = 0.0

    def begin(self, draft: Draft) -> None:
        self.started = perf_counter()
        self.draft = draft
        self.size = len(self.request.body)

    def sealed(self, plan: Plan | None, signature: bytes, began: float) -> None:
        """plan: None when there is no signature.  began: when the key operation did; 0 where the route skips it."""
        self.sealed_at = perf_counter()
        self.signing = self.sealed_at - began if began else 0.0
        self.plan = plan
        self.signature = signature

    def keep(self, limit: int) -> None:
        """From now on the answer's body is held, up to this many bytes."""
        self.answer = bytearray()
        self.limit = limit

    def more(self, data: bytes) -> None:
        self.received += len(data)
        if self.answer is not None and len(self.answer) < self.limit:
            self.answer += data[:self.limit - len(self.answer)]

    # --- when it is over

    def ruling(self) -> Ruling | None:
        """What the bank's refusal says; None when the bank refused nothing."""
        response = self.response
        if response is None or response.status < 400:
            return None
        return ruling_of(response, bytes(self.answer[:LIMIT])) if self.answer else Ruling()

    def exchange(self, ruling: Ruling | None, outcome: Outcome, *, sent: str, error: ProxyError | None,
                 full_paths: bool) -> Exchange:
        total = perf_counter() - self.started if self.started else 0.0       # refused before it began
        ours = error is not None
        status = self._status(error)
        draft, route = self.draft, self.route
        return Exchange(
            request_id=self.request_id, client=self.client, client_name=self.client_name, listener=route.listener,
            form=self.form, route=route.name, application=route.application,
            method=method_label(self.request.method), path=self._path(full=full_paths),
            status=status, outcome=outcome, refused_by="proxy" if ours else "bank" if status >= 400 else "",
            code=error.code if error is not None else ruling.code if ruling is not None else "",
            detail=error.detail if error is not None else "", sent=sent,  # type: ignore[arg-type]
            attempts=self.attempts, request_bytes=self.size, response_bytes=self.received,
            key=self.key[:16], notes=draft.notes if draft is not None else (),
            traceparent=plain_text(self.request.first(b"traceparent")), bank_id=self._bank_id(),
            bank_message_id=ruling.message_id if ruling is not None else "",
            timings=Timings(queue=max(0.0, self.sealed_at - self.signing - self.started) if self.attempts else 0.0,
                            sign=self.signing, upstream=self.upstream, total=total))

    def _status(self, error: ProxyError | None) -> int:
        if self.response is not None:
            return self.response.status
        return (error.problem.status or 500) if error is not None else 0

    def _path(self, *, full: bool) -> str:
        path = path_of(self.request.target)
        return path_in_full(path) if full else path_template(path)

    def _bank_id(self) -> str:
        return plain_text(self.response.first(b"x-global-transaction-id")) if self.response is not None else ""


def plain_text(value: bytes | None) -> str:
    """A header value for the log, if it is short and plain."""
    if not value or len(value) > 128 or not value.isascii():
        return ""
    text = value.decode()
    return text if text.isprintable() else ""

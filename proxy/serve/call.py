"""One request from its admission to its record: the answer's way back, and the truth about whether it was sent."""

from __future__ import annotations

import asyncio
from time import perf_counter

from proxy.core.exchange import Outcome
from proxy.core.headers import answer_fields
from proxy.core.message import CHUNKED, UNTIL_CLOSE, Request, Response
from proxy.core.signing import Draft, Plan
from proxy.core.target import path_of
from proxy.errors import ProxyError, Refused, Sent, UpstreamFailed
from proxy.keys.source import Signer
from proxy.serve.desk import Desk
from proxy.serve.hinting import hintable
from proxy.serve.inside import client_name, form_of
from proxy.serve.problems import problem
from proxy.serve.recording import Recording
from proxy.serve.resigning import NOTE, Held, Resigning
from proxy.serve.route import Route
from proxy.serve.rulings import LIMIT
from proxy.serve.sealing import signing_failure
from proxy.serve.shaping import Shaper
from proxy.serve.traces.finished import Trace
from proxy.wire.application import Caller
from proxy.wire.channel import Channel
from proxy.wire.ticket import Ticket


class Call:
    """Implements wire.ticket.Call.  connection is None once the caller has gone."""

    __slots__ = ("_desk", "_over", "_recording", "_resigning", "_ticket", "_waits", "connection", "request",
                 "request_id", "route")

    def __init__(self, desk: Desk, connection: Caller, request: Request, route: Route) -> None:
        self._desk = desk
        self.connection: Caller | None = connection
        self.request = request
        self.route = route
        self.request_id = desk.request_id(request)
        self._recording = Recording(request, route, request_id=self.request_id, client=connection.peer,
                                    client_name=client_name(connection), form=form_of(connection, request))
        self._ticket: Ticket | None = None
        self._resigning = Resigning(route.slots, request.method)
        self._waits: Held | None = None         # a refusal whose head gets a hint when its body is whole
        self._over = False

    def traced(self, trace: Trace) -> None:
        self._recording.trace = trace

    def begin(self, draft: Draft) -> None:
        """The request is complete and prepared: find a connection, then seal."""
        self._recording.begin(draft)
        deadline = self._desk.now() + self._desk.timeouts.deadline
        shaper = self.route.shaper
        if shaper is not None and (wait := shaper.turn(path_of(self.request.target), self._desk.now())):
            asyncio.get_running_loop().call_later(wait, self._turn, shaper, draft.method, deadline)
        else:
            self._submit(draft.method, deadline)

    def _turn(self, shaper: Shaper, method: bytes, deadline: float) -> None:
        """It has waited long enough not to exceed the bank's limit; unless its caller has gone meanwhile."""
        shaper.came()
        try:
            if not self._over:
                self._submit(method, deadline)
        except Exception as error:      # noqa: BLE001 - as at its beginning: no call is left without an answer
            self.crashed(error)

    def _submit(self, method: bytes, deadline: float) -> None:
        ticket = self.route.pool.submit(self, method, deadline)
        if not self._over:              # the pool may have failed it at once
            self._ticket = ticket

    # --- wire.ticket.Call

    @property
    def left(self) -> bool:
        return self._resigning.first is None and self.connection is not None and self.connection.left

    def seal(self, ticket: Ticket) -> bytes | None:
        recording = self._recording
        draft = recording.draft
        assert draft is not None
        if self._over:                  # a fault of ours has left it in line: its caller was told "not sent"
            raise ProxyError("internal_error")
        self._ticket = ticket
        identity = self._resigning.ring().current       # captured once per attempt: a reload cannot split a request
        if identity is None or (identity.key is None and not draft.rules.skip):
            raise ProxyError("key_unavailable")
        recording.attempts += 1
        channel = ticket.channel
        assert channel is not None
        recording.dialled = 0.0 if channel.used else channel.dialled
        recording.identity = identity
        plan = draft.plan(identity, self.route.clock.date())
        if identity.key is None:
            recording.sealed(plan, b"", 0.0)
            return self._whole(plan, b"")
        signer = identity.key.signer
        self._resigning.key = recording.key = signer.spki_sha256 if not draft.rules.skip else ""
        audit = self._desk.audit
        if audit is not None and recording.key and audit.begin(
                recording, plan, lambda error: self._on_record(ticket, channel, plan, signer, error)):
            return None
        return self._sign(ticket, channel, plan, signer)

    def _on_record(self, ticket: Ticket, channel: Channel, plan: Plan, signer: Signer,
                   error: ProxyError | None) -> None:
        """The audit trail has its line, or cannot have it.  Meanwhile the caller or the connection may have gone."""
        if not ticket.has(channel):
            return
        outcome: bytes | ProxyError | None = error
        if error is None:
            try:
                outcome = self._sign(ticket, channel, plan, signer)
            except ProxyError as failure:
                outcome = failure
            except Exception as failure:    # noqa: BLE001 - a fault of ours: nothing was written, and that is said
                outcome = ProxyError("internal_error", type(failure).__name__)
        if outcome is not None:
            ticket.deliver(channel, outcome)

    def _sign(self, ticket: Ticket, channel: Channel, plan: Plan, signer: Signer) -> bytes | None:
        recording = self._recording
        began = perf_counter()
        if signer.inline:
            try:
                signature = signer.sign(plan.signature_base)
            except Exception as error:
                recording.sealed(None, b"", began)
                raise signing_failure(error) from error
            recording.sealed(plan, signature, began)
            return self._whole(plan, signature)

        def done(outcome: bytes | ProxyError) -> None:
            if ticket.has(channel):         # else it is for nobody: what is recorded is what was sent
                ticket.deliver(channel, self._sealed(plan, began, outcome))

        self._desk.sealing.submit(signer, plan.signature_base, done)
        return None

    def _sealed(self, plan: Plan, began: float, outcome: bytes | ProxyError) -> bytes | ProxyError:
        if isinstance(outcome, ProxyError):
            self._recording.sealed(None, b"", began)
            return outcome
        self._recording.sealed(plan, outcome, began)
        try:
            return self._whole(plan, outcome)
        except ProxyError as error:
            return error
        except Exception as error:      # noqa: BLE001 - a fault of ours: nothing was written, and that is said
            return ProxyError("internal_error", type(error).__name__)

    def _whole(self, plan: Plan, signature: bytes) -> bytes:
        """The bytes to write.  Raises ProxyError("self_verify_failed")."""
        data = plan.complete(signature)
        if self.route.self_verify is not None:
            self.route.self_verify.require(data, self._recording.identity, self.request_id)
        return data

    def head(self, response: Response) -> None:
        recording = self._recording
        recording.response = response
        recording.upstream = perf_counter() - recording.sealed_at
        self._desk.observe(self.route, response, recording.upstream)
        if self.route.shaper is not None:
            self.route.shaper.learn(path_of(self.request.target), response.fields, self._desk.now())
        if self.connection is None:
            self._abandon()
        elif self.route.slots.spare is None or not self._resigning.hold(response, self._desk.now()):
            if response.status >= 400 and self._desk.hint is not None and hintable(response):
                self._waits = Held(response)
            else:
                self._start(self.connection, response)

    def _start(self, connection: Caller, response: Response, hint: bytes = b"") -> None:
        bodiless = response.status in (204, 304) or self.request.method == b"HEAD"
        kept = self._desk.kept
        if (response.status >= 400 or kept) and not bodiless:
            self._recording.keep(max(LIMIT, kept) if response.status >= 400 else kept)
        unframed = not bodiless and response.length in (CHUNKED, UNTIL_CLOSE)
        connection.start(response.line, answer_fields(response.fields, response.options,
                                                      keep_length=response.status != 204) + hint, unframed=unframed)

    def body(self, data: bytes) -> None:
        if self._waits is not None:
            self._waits.body += data
            if len(self._waits.body) > LIMIT:
                self._wait_no_more()
        elif self._resigning.held is None:
            self._pass_on(data)
        elif (held := self._resigning.keep(data)) is not None:
            self._let_go(held)

    def _pass_on(self, data: bytes) -> None:
        self._recording.more(data)
        if self.connection is not None:
            self.connection.body(data)

    def _let_go(self, held: Held, *, whole: bool = False) -> None:
        """The caller gets this answer after all.  whole: all of it is there, so that it may get a hint."""
        self._recording.response = held.response
        if self.connection is not None:
            body, tell = bytes(held.body), self._desk.hint
            hint = tell(self._recording, body) if whole and tell is not None and hintable(held.response) else b""
            self._start(self.connection, held.response, hint)
            self._pass_on(body)

    def _wait_no_more(self, *, whole: bool = False) -> None:
        waits, self._waits = self._waits, None
        if waits is not None:
            self._let_go(waits, whole=whole)

    def flush(self) -> None:
        if self.connection is not None and self._resigning.held is None and self._waits is None:
            self.connection.flush()

    def end(self) -> None:
        if self._resigning.held is not None:
            answer = self._resigning.whole(self._desk.now())
            if answer is None:
                self._sign_again()
                return
            self._let_go(answer, whole=True)
        self._wait_no_more(whole=True)
        self._finish()

    def _sign_again(self) -> None:
        """The bank did not authenticate the request, so it did not act on it: the other key, on the same connection."""
        ticket, draft = self._ticket, self._recording.draft
        assert ticket is not None
        assert draft is not None
        self._recording.response = None
        if NOTE not in draft.notes:
            draft.notes = (*draft.notes, NOTE)
        self._ticket = ticket.follow()

    def _finish(self) -> None:
        connection = self._detach()
        if connection is not None:
            connection.finish()
        self._record("answered", sent="yes")

    def failed(self, failure: ProxyError, sent: Sent) -> None:
        first = self._resigning.first
        if first is not None and sent == "no" and self.connection is not None:
            self._let_go(first, whole=True)     # what was not sent again was refused, and that is the truth about it
            self._finish()
            return
        if self._waits is not None:         # it has begun to answer: the caller gets what there is of it
            self._wait_no_more()
            self.flush()
        connection = self._detach()
        outcome: Outcome = "failed" if isinstance(failure, UpstreamFailed) else "refused"
        if connection is None:
            self._record("client_gone", sent=sent, error=failure)
        elif connection.sent:
            connection.abort()
            self._record("cut", sent=sent, error=failure)
        else:
            self._recording.response = None         # whatever of it was read, the caller gets our word instead
            connection.answer(problem(failure, self.request_id, sent))
            self._record(outcome, sent=sent, error=failure)

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
        ticket, self.connection = self._ticket, None
        if ticket is None or ticket.cancel():
            self._record("client_gone", sent="no" if self._resigning.first is None else "yes")
        elif self._recording.response is not None:
            self._abandon()
        elif self._recording.draft is not None:
            self._recording.draft.body = self.request.body = b""      # it is written, and never twice

    def half_closed(self) -> None:
        """The caller sends no more.  Most have given up and will call again: nothing is sent for them any more."""
        waits = self._ticket is None and self._recording.draft is not None and not self._over
        if waits or (self._ticket is not None and self._ticket.cancel()):
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

    def _detach(self) -> Caller | None:
        connection, self.connection = self.connection, None
        return connection

    def _record(self, outcome: Outcome, *, sent: str, error: ProxyError | None = None) -> None:
        if self._over:
            return
        self._over = True
        self._ticket = None             # a ticket knows its call: no cycle is left for the collector
        recording = self._recording
        ruling = recording.ruling()
        self._desk.record(recording.exchange(ruling, outcome, sent=sent, error=error,
                                             full_paths=self._desk.full_paths), ruling, recording)

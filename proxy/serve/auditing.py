"""What the audit trail is told of a call: that it is about to be signed, and how it ended."""

from __future__ import annotations

from collections.abc import Callable
from time import time

from proxy.audit.entries import Intent, Outcome
from proxy.audit.trail import Trail
from proxy.core.exchange import Exchange, path_template
from proxy.core.message import Request
from proxy.core.signing import Plan
from proxy.core.target import path_of
from proxy.errors import ProxyError
from proxy.serve.recording import Recording
from proxy.serve.rulings import Ruling
from proxy.serve.telemetry import method_label

Ready = Callable[[ProxyError | None], None]


class Auditing:
    """Implements recording.Observer."""

    keep = 0

    def __init__(self, trail: Trail) -> None:
        self._trail = trail
        self._waits = trail.settings.waits
        self._refuses = trail.settings.on_failure == "refuse"
        self._calls = 0

    def begin(self, recording: Recording, plan: Plan, ready: Ready) -> bool:
        """Before each signature.  -> True: wait, ready is called on the event loop, with an error or None; False: sign.

        Raises ProxyError("audit_unavailable"): nothing may be signed.
        """
        trail, before = self._trail, recording.intent
        if self._refuses and (trail.failure or trail.full):
            raise ProxyError("audit_unavailable", trail.failure or "too many lines wait to be written")
        intent = recording.intent = self._intent(recording, plan)
        if not self._waits or trail.failure:
            trail.put(intent)
            return False

        def done(failure: str, on_record: bool) -> None:
            if not on_record:
                recording.intent = before       # what no line tells of needs no end
            ready(ProxyError("audit_unavailable", failure) if failure and self._refuses else None)

        trail.put(intent, done, keep=not self._refuses)
        return True

    def _intent(self, recording: Recording, plan: Plan) -> Intent:
        before = recording.intent
        if before is None:
            self._calls += 1
        request, route, identity, draft = recording.request, recording.route, recording.identity, plan.draft
        path = path_template(path_of(draft.target))
        assert identity is not None
        assert identity.key is not None
        facts = identity.key.certificate
        return Intent(
            at=time(), call=before.call if before is not None else self._calls, attempt=recording.attempts,
            request_id=recording.request_id, client=recording.client, client_name=recording.client_name,
            token=request.token, listener=route.listener, form=recording.form, route=route.name,
            application=route.application, method=method_label(request.method), path=path,
            digest=draft.digest or b"", covered=draft.covered, key=identity.key.signer.spki_sha256,
            certificate=facts.serial if facts is not None else "")

    def over(self, exchange: Exchange, ruling: Ruling | None, recording: Recording | None,
             request: Request | None) -> None:
        """As Observer."""
        if recording is None or recording.intent is None:
            return
        self._trail.put(Outcome(
            at=time(), intent=recording.intent, status=exchange.status, outcome=exchange.outcome,
            refused_by=exchange.refused_by, code=exchange.code, sent=exchange.sent, bank_id=exchange.bank_id,
            bank_message_id=exchange.bank_message_id))

"""Gathers what is known about a refused call: the answer, the message, keys, credentials and clock."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Final

from proxy.core.diagnosis import Answer, Application, Case, History, Key, Moment
from proxy.core.diagnosis.kinds import kind_of
from proxy.core.message import Response
from proxy.keys.keyring import Identity, Keyring
from proxy.keys.oddities import oddities
from proxy.serve.clock import parse_imf_fixdate
from proxy.serve.decoding import decoded
from proxy.serve.diagnosing.history import moment
from proxy.serve.diagnosing.message import message_of, plain
from proxy.serve.recording import Recording
from proxy.serve.resigning import NOTE
from proxy.serve.rulings import LIMIT, Ruling
from proxy.serve.telemetry import LIMIT_FIELDS, RATE_LIMIT

_LIMITS: Final = 16
_ABOUT_THE_MESSAGE: Final = frozenset(("signature", "security", "certificate", "digest", "date", "unknown"))


def case_of(recording: Recording, ruling: Ruling, body: bytes, history: History, now: float) -> Case:
    """body: the refusal's, as it came.  now: seconds since the epoch."""
    response = recording.response
    assert response is not None
    kind = kind_of(ruling.code, response.status)
    plain_body = decoded(body[:LIMIT], response.first(b"content-encoding"))[0] if kind == "signature" else b""
    return Case(answer=_answer(recording, response, ruling, now),
                message=message_of(recording, plain_body, now, check=kind in _ABOUT_THE_MESSAGE),
                key=_key(recording, now), history=history,
                application=_application(recording, now, odd=kind == "credentials"))


def _answer(recording: Recording, response: Response, ruling: Ruling, now: float) -> Answer:
    left = [(name.decode(), int(count)) for field in LIMIT_FIELDS
            for name, count in RATE_LIMIT.findall(response.first(field) or b"")]
    return Answer(status=response.status, code=ruling.code, text=ruling.text, left=tuple(left[:_LIMITS]),
                  retry_after=plain(response.first(b"retry-after"))[:32], unread=ruling.unread,
                  ahead=_ahead(recording, response, now))


def _ahead(recording: Recording, response: Response, now: float) -> float | None:
    """How far our clock was ahead of the answer's Date when its head came; a Date has whole seconds."""
    theirs = parse_imf_fixdate(response.first(b"date") or b"")
    if theirs is None:
        return None
    came = now - (time.perf_counter() - recording.sealed_at - recording.upstream)
    return came - theirs - 0.5


def _key(recording: Recording, now: float) -> Key:
    identity, slots = recording.identity, recording.route.slots
    if identity is None or identity.key is None:
        return Key()
    ring = _ring(recording, identity)
    facts, rules = identity.key.certificate, recording.route.rules
    replaced, error = ring.replaced, ring.last_error
    key_at, former = replaced.key, replaced.former_key
    change = slots.last_change
    if change is not None and slots.spare is not None and ring is slots.signing and (
            key_at is None or change.at > key_at):
        key_at, former = change.at, _fingerprint(slots.spare)
    other = next((one for one in slots.rings() if one is not ring), None)
    draft = recording.draft
    return Key(
        fingerprint=recording.key or identity.key.signer.spki_sha256, expected=rules.profile.key_spki_sha256,
        roles=facts.roles if facts is not None else None,
        expired=facts is not None and now > facts.not_after.timestamp(),
        early=facts is not None and now < facts.not_before.timestamp(),
        ends=f"{facts.not_after:%Y-%m-%d}" if facts is not None else "", former=former,
        replaced=_moment(key_at, now),
        certificate_replaced=_moment(replaced.certificate, now) if replaced.certificate != replaced.key else None,
        load_error=error.code if error is not None else "", load_failed=_moment(error.at, now) if error else None,
        other=_fingerprint(other) if other is not None else "",
        other_refused=draft is not None and NOTE in draft.notes)


def _ring(recording: Recording, identity: Identity) -> Keyring:
    """The keyring that signed, also when it has been reloaded since."""
    slots = recording.route.slots
    return next((ring for ring in slots.rings() if ring.current is identity or _fingerprint(ring) == recording.key),
                slots.signing)


def _fingerprint(ring: Keyring) -> str:
    identity = ring.current
    return identity.key.signer.spki_sha256 if identity is not None and identity.key is not None else ""


def _application(recording: Recording, now: float, *, odd: bool) -> Application:
    identity = recording.identity
    if identity is None:
        return Application(name=recording.route.application)
    return Application(
        name=recording.route.application, trimmed=identity.trimmed,
        oddities=oddities(identity.client_id, identity.client_secret) if odd else (),
        replaced=_moment(_ring(recording, identity).replaced.credentials, now))


def _moment(at: datetime | None, now: float) -> Moment | None:
    return moment(at.timestamp(), now) if at is not None else None



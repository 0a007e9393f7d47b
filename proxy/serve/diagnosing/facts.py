"""Gathers what is known about a refused call: the answer, the message, keys, credentials and clock."""

from __future__ import annotations

import math
import time
from datetime import datetime
from typing import Final

from proxy.core.diagnosis import Answer, Application, Case, History, Key, Moment
from proxy.core.diagnosis.kinds import kind_of
from proxy.core.message import Response
from proxy.core.skew import NOTICED
from proxy.keys.keyring import Identity, Keyring
from proxy.keys.oddities import oddities
from proxy.keys.slots import Slots
from proxy.keys.source import CertificateFacts
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
    """How far the clock that was signed by was ahead of the answer's Date when its head came; a Date has whole
    seconds."""
    theirs = parse_imf_fixdate(response.first(b"date") or b"")
    if theirs is None:
        return None
    sealed = now - (time.perf_counter() - recording.sealed_at)
    return sealed + _moved(recording, sealed) + recording.upstream - theirs - 0.5


def _moved(recording: Recording, sealed: float) -> float:
    """By how much the signed date was corrected.  sealed: when, by our clock."""
    signed = parse_imf_fixdate(recording.plan.date) if recording.plan is not None else None
    moved = signed - math.floor(sealed) if signed is not None else 0
    return moved if abs(moved) >= NOTICED else 0


def _key(recording: Recording, now: float) -> Key:
    identity, slots = recording.identity, recording.route.slots
    if identity is None or identity.key is None:
        return Key()
    resigned = recording.draft is not None and NOTE in recording.draft.notes
    ring = slots.signing if resigned else _ring(recording, identity)      # the caller gets the first key's refusal
    facts = _certificate(ring)
    key_at, former = _replaced(slots, ring)
    error, certificate_at = ring.last_error, ring.replaced.certificate
    other = next((one for one in slots.rings() if one is not ring), None)
    return Key(
        fingerprint="" if not recording.key else _fingerprint(ring) if resigned else recording.key,
        expected=recording.route.rules.profile.key_spki_sha256, roles=facts.roles if facts is not None else None,
        expired=facts is not None and now > facts.not_after.timestamp(),
        early=facts is not None and now < facts.not_before.timestamp(),
        ends=f"{facts.not_after:%Y-%m-%d}" if facts is not None else "",
        former=former, replaced=_moment(key_at, now),
        certificate_replaced=_moment(certificate_at, now) if certificate_at != ring.replaced.key else None,
        load_error=error.code if error is not None else "", load_failed=_moment(error.at, now) if error else None,
        other=_fingerprint(other) if other is not None else "", other_refused=resigned)


def _replaced(slots: Slots, ring: Keyring) -> tuple[datetime | None, str]:
    """When the key of this ring took another one's place, by a reload or a rotation, and which one's."""
    at, former, change = ring.replaced.key, ring.replaced.former_key, slots.last_change
    if change is None or slots.spare is None or ring is not slots.signing or (at is not None and at > change.at):
        return at, former
    return change.at, _fingerprint(slots.spare)


def _certificate(ring: Keyring) -> CertificateFacts | None:
    identity = ring.current
    return identity.key.certificate if identity is not None and identity.key is not None else None


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



"""Request, answer and keys -> the facts of the case.  What nobody has told stays unknown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from proxy.cli.refusal.answers import Answered
from proxy.cli.refusal.blame import blame
from proxy.cli.verification import Captured, KnownKey, explain
from proxy.cli.verification.verdict import is_for_the_sandbox, spki_sha256
from proxy.core.diagnosis import Answer, Application, Case, Key, Message
from proxy.core.message import Field
from proxy.core.secret import Secret
from proxy.keys.keyring import SANDBOX_SPKI_SHA256
from proxy.keys.oddities import oddities
from proxy.keys.source import CertificateFacts
from proxy.serve.clock import parse_imf_fixdate
from proxy.serve.diagnosing.message import authorization_of, echoed, expired, missing, plain
from proxy.serve.telemetry import LIMIT_FIELDS, RATE_LIMIT

_OURS = ("127.0.0.1", "localhost", "[::1]")
_MASK = "***"


@dataclass(frozen=True)
class Keys:
    """known: the bank's first.  certificate: the one that the bank should hold."""

    known: Sequence[KnownKey] = ()
    certificate: CertificateFacts | None = None


def to_the_proxy(message: Captured) -> bool:
    """Whether this is what was sent to a proxy, and not what reached the bank."""
    host = (message.one("host") or "").rpartition(":")[0] or (message.one("host") or "")
    return host in _OURS and not message.all("signature")


def case_of(message: Captured | None, answer: Answered, keys: Keys, now: float) -> Case:
    """message: None when only the answer is known.  now: seconds since the epoch."""
    if message is None:
        return Case(answer=_answer(answer, None))
    judged = message.whole and not to_the_proxy(message)
    return Case(answer=_answer(answer, message), message=_message(message, answer, keys, now, judged=judged),
                key=_key(message, keys, now), application=_application(message))


def _answer(answer: Answered, message: Captured | None) -> Answer:
    response, ruling = answer.response, answer.ruling
    ours = parse_imf_fixdate((message.one("x-nordea-originating-date") or "").encode("latin-1")) if message else None
    theirs = parse_imf_fixdate(response.first(b"date") or b"")
    left = tuple((name.decode(), int(count)) for field in LIMIT_FIELDS
                 for name, count in RATE_LIMIT.findall(response.first(field) or b""))
    return Answer(status=response.status, code=ruling.code, text=ruling.text, left=left, unread=ruling.unread,
                  retry_after=plain(response.first(b"retry-after"))[:32],
                  ahead=float(ours - theirs) if ours is not None and theirs is not None else None)


def _message(message: Captured, answer: Answered, keys: Keys, now: float, *, judged: bool) -> Message:
    verdict = explain(message, keys.known) if judged else None
    fields: list[Field] = [(name.lower().encode("latin-1"), name.encode("latin-1"), value.encode("latin-1"))
                           for name, value in message.fields]
    authorization, token = authorization_of(fields)
    if _MASK.encode() in token:
        authorization, token = "bearer", b""
    path = message.target.partition("?")[0]
    authorizes = message.method == "POST" and path.endswith("/authorize") and "/premium/" not in path
    return Message(
        method=message.method, authorizes=authorizes, encoded="%" in message.target or "+" in message.target,
        checked=verdict is not None and verdict.valid and bool(keys.known),
        blamed=blame(verdict.findings) if verdict is not None else (),
        covers_content=message.one("digest") is not None,
        content_type=plain((message.one("content-type") or "").encode("latin-1")),
        missing=missing(message.body) if authorizes and message.whole else (),
        authorization=authorization, expired=expired(token, now),
        echoed=echoed(answer.body, verdict.right.encode("latin-1", "replace")) if verdict is not None else ())


def _key(message: Captured, keys: Keys, now: float) -> Key:
    facts = keys.certificate
    known: RSAPublicKey | None = keys.known[0].key if keys.known else None
    return Key(
        fingerprint=spki_sha256(known) if known is not None else "",
        expected=SANDBOX_SPKI_SHA256 if is_for_the_sandbox(message) and message.all("signature") else "",
        roles=facts.roles if facts is not None else None,
        expired=facts is not None and now > facts.not_after.timestamp(),
        early=facts is not None and now < facts.not_before.timestamp(),
        ends=f"{facts.not_after:%Y-%m-%d}" if facts is not None else "")


def _application(message: Captured) -> Application:
    client_id, secret = message.one("x-ibm-client-id") or "", message.one("x-ibm-client-secret") or ""
    if not client_id or not secret or _MASK in secret:
        return Application()
    return Application(oddities=oddities(client_id.encode("latin-1"), Secret(secret.encode("latin-1"))))

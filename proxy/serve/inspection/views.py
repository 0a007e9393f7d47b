"""A kept call as data: the saved exchange that docs/inspector.md describes, and its line in the list."""

from __future__ import annotations

import codecs
import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from proxy.core.message import Field
from proxy.errors import PROBLEMS
from proxy.keys.source import CertificateFacts
from proxy.serve.clock import parse_imf_fixdate
from proxy.serve.inspection.kept import Asked, Body, Kept, Sent
from proxy.serve.inspection.messages import Outgoing, outgoing, seal, text

FORMAT: Final = "signing-proxy-exchange/1"
_PLAIN: Final = ("request_id", "client", "client_name", "listener", "form", "destination", "policy", "route",
                 "application", "method", "status", "outcome", "refused_by", "code", "detail", "sent", "attempts",
                 "request_bytes", "response_bytes", "bank_id", "bank_message_id", "traceparent")
_LIMIT = re.compile(rb"name=([A-Za-z0-9._-]{1,64}),(\d{1,15});?")


def summary(call: Kept) -> dict[str, Any]:
    """One line of the list."""
    exchange, asked = call.exchange, call.asked
    return {
        "id": call.id, "at": _time(call.at), "method": text(asked.method) if asked is not None else exchange.method,
        "path": _path(call), "route": exchange.route, "status": exchange.status, "outcome": exchange.outcome,
        "refused_by": exchange.refused_by, "code": exchange.code,
        "cause": call.diagnosis["cause"] if call.diagnosis is not None else "", "sent": exchange.sent,
        "form": exchange.form, "total_ms": _ms(exchange.timings.total), "request_id": exchange.request_id,
        "verdict": verdict(call), "replay_of": call.replay_of or None,
    }


def verdict(call: Kept) -> str:
    """One word: "accepted", "refused" (by the bank), "stopped" (by the proxy, nothing sent), "uncertain" (sent, and
    no word of what came of it), "failed", "left" (by the caller), "unsigned"."""
    exchange = call.exchange
    if exchange.outcome == "client_gone":
        return "left"
    if exchange.refused_by == "proxy":
        return "uncertain" if exchange.sent == "maybe" else "stopped" if exchange.outcome == "refused" else "failed"
    if exchange.route == "none":
        return "unsigned"
    if exchange.outcome == "cut":
        return "failed"
    return "refused" if exchange.status >= 400 else "accepted"


def document(call: Kept) -> dict[str, Any]:
    """The saved exchange."""
    exchange, timings = call.exchange, call.exchange.timings
    known = {name: getattr(exchange, name) for name in _PLAIN}
    went = outgoing(call)
    if call.asked is not None:
        known["method"] = text(call.asked.method)
    return {
        "format": FORMAT, "id": call.id, "at": _time(call.at), **known, "path": _path(call),
        "hint": PROBLEMS[exchange.code].hint if exchange.refused_by == "proxy" and exchange.code in PROBLEMS else "",
        "notes": list(exchange.notes), "verdict": verdict(call), "replay_of": call.replay_of or None,
        **_asked(call.asked, went), **_sent(call.asked, went), **_answered(call), **_seal(call.sent),
        "queue_ms": _ms(timings.queue), "connect_ms": _ms(call.dialled), "sign_ms": _ms(timings.sign),
        "first_byte_ms": _ms(timings.upstream), "total_ms": _ms(timings.total),
        "diagnosis": call.diagnosis, "masked": list(dict.fromkeys(call.found)),
        "replayable": not why_not_replayable(call),
        "why_not_replayable": why_not_replayable(call),
    }


def why_not_replayable(call: Kept) -> str:
    """A sentence, "" for a call that can be sent again as it was, but for what the caller alone knows."""
    asked = call.asked
    if asked is None or call.exchange.route == "none":
        return "Only calls of a route can be sent again; this one was none."
    if asked.body.unreadable:
        return f"Its body was not kept: {asked.body.unreadable}."
    if asked.body.cut:
        return "Its body is longer than inspect_body_bytes, so only its beginning was kept."
    if asked.body.masked:
        return "A secret in its body was masked, so it is not what was sent."
    if not asked.body.whole:
        return "Its body was decoded to be shown, so it is not what was sent."
    if b"*** (#" in asked.target:
        return "A secret in its URL was masked, so it is not what was sent."
    return ""


# --- parts

def _asked(asked: Asked | None, went: Outgoing | None) -> dict[str, Any]:
    if asked is None:
        return {"asked_url": "", "asked_target": "", "asked_headers": [], "asked_body": body_view(Body())}
    passed = {id(field) for field in asked.passed or ()}
    own = {field[0] for field in went.fields} if went is not None else ()
    fates = ["" if went is None else "passed" if id(field) in passed else "replaced" if field[0] in own else "removed"
             for field in asked.fields]
    return {"asked_url": text(asked.url), "asked_target": text(asked.target),
            "asked_headers": [[*pair, fate] for pair, fate in zip(pairs(asked.fields), fates, strict=True)],
            "asked_body": body_view(asked.body)}


def _sent(asked: Asked | None, went: Outgoing | None) -> dict[str, Any]:
    if went is None:
        return {"sent_host": "", "sent_target": "", "sent_headers": [], "sent_body": body_view(Body())}
    given = {name for name, _, _ in asked.fields} if asked is not None else ()
    last = len(went.fields) - (went.fields[-1][0] == b"content-length")
    marks = ["caller" if went.added <= place < last else "replaced" if name in given else "added"
             for place, (name, _, _) in enumerate(went.fields)]
    return {"sent_host": went.host, "sent_target": went.target,
            "sent_headers": [[*pair, mark] for pair, mark in zip(pairs(went.fields), marks, strict=True)],
            "sent_body": body_view(went.body)}


def _answered(call: Kept) -> dict[str, Any]:
    answered = call.answered
    if answered is None:
        return {"answer_reason": "", "answer_headers": [], "answer_body": body_view(Body()), "rate_limits": [],
                "clock_ahead_s": None}
    dates = [value for name, _, value in answered.fields if name == b"date"]
    theirs = parse_imf_fixdate(dates[0]) if dates else None
    ours = call.at - call.exchange.timings.total + call.exchange.timings.queue
    return {"answer_reason": text(answered.line[4:]), "answer_headers": pairs(answered.fields),
            "answer_body": body_view(answered.body), "rate_limits": list(rate_limits(answered.fields)),
            "clock_ahead_s": round(ours - theirs - 0.5, 1) if theirs is not None else None}


def _seal(sent: Sent | None) -> dict[str, Any]:
    made = seal(sent)
    return {"signing_string": made.string, "signing_string_masked": made.masked, "covered": list(made.covered),
            "algorithm": made.algorithm, "key_id": made.key_id, "digest": made.digest, "digest_over": made.digest_over,
            "digest_input": made.digest_input, "key_spki_sha256": sent.spki_sha256 if sent is not None else "",
            "key_bits": sent.bits if sent is not None else 0,
            "certificate": certificate(sent.certificate if sent is not None else None)}


def certificate(facts: CertificateFacts | None) -> dict[str, Any] | None:
    if facts is None:
        return None
    return {"subject": facts.subject, "issuer": facts.issuer, "serial": facts.serial, "roles": list(facts.roles),
            "not_before": facts.not_before.isoformat(), "not_after": facts.not_after.isoformat(),
            "sha256": facts.fingerprint_sha256}


def pairs(fields: Sequence[Field]) -> list[list[str]]:
    return [[spelled.decode("latin-1"), value.decode("latin-1")] for _, spelled, value in fields]


def body_view(body: Body) -> dict[str, Any]:
    text, encoding = body_text(body)
    return {"text": text, "encoding": encoding, "bytes": body.size, "kept": body.kept,
            "decoded_from": body.decoded_from, "note": _note(body)}


def body_text(body: Body) -> tuple[str, str]:
    """The text and "utf-8", or base64 and "base64"."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        return decoder.decode(body.data, final=not body.cut), "utf-8"
    except UnicodeDecodeError:
        return b64encode(body.data).decode(), "base64"


def _note(body: Body) -> str:
    if body.unreadable:
        return f"not kept: {body.unreadable}"
    notes = [f"decoded from {body.decoded_from}"] if body.decoded_from else []
    if body.cut:
        notes.append(f"the first {body.kept} of {body.size} bytes")
    if body.masked:
        notes.append("secrets are masked")
    return ", ".join(notes)


def rate_limits(fields: Sequence[Field]) -> Iterator[dict[str, Any]]:
    """X-RateLimit-* and X-BurstLimit-*, limit and what remains of it by name."""
    for kind in (b"x-ratelimit-", b"x-burstlimit-"):
        limits, left = (dict(_LIMIT.findall(_first(fields, kind + end))) for end in (b"limit", b"remaining"))
        for name in list(limits | left)[:16]:
            yield {"name": name.decode(), "limit": int(limits[name]) if name in limits else None,
                   "remaining": int(left[name]) if name in left else None}


def _first(fields: Sequence[Field], wanted: bytes) -> bytes:
    return next((value for name, _, value in fields if name == wanted), b"")


def _path(call: Kept) -> str:
    """Without its query."""
    if call.asked is None or (call.exchange.form == "connect" and call.exchange.destination):
        return call.exchange.destination or call.exchange.path
    return text(call.asked.target.partition(b"?")[0])


def _time(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)

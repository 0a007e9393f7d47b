"""Makes of a call that is over what may be kept of it.  Runs in a thread: it takes bodies apart.

Secrets are masked here and nowhere else: what leaves this module has none, so no view can show one.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from proxy.core.digest import canonical_form, is_form
from proxy.core.exchange import Exchange
from proxy.core.message import Field, Request
from proxy.core.redaction import Known, Masks, cut_clean
from proxy.core.signing import Draft, Plan
from proxy.serve.inspection.kept import NO_BODY, Answered, Asked, Body, Kept, Seal, Sent
from proxy.serve.recording import Recording

_GZIP = 32 + zlib.MAX_WBITS


class Replayed(Request):
    """A request that the inspector sends again.  replay_of: the id of what it repeats."""

    __slots__ = ("replay_of",)

    def __init__(self, request: Request, replay_of: int) -> None:
        super().__init__(request.method, request.target, request.fields, request.body, authority=request.authority)
        self.replay_of = replay_of


class Raw(NamedTuple):
    """A call as it was observed; see recording.Observer.  at: seconds since the epoch.

    asked_size, sent_size: of the two request bodies before they were shortened.  weight: bytes it takes up, about.
    """

    number: int
    at: float
    exchange: Exchange
    recording: Recording | None
    request: Request | None
    asked_size: int
    sent_size: int
    weight: int


@dataclass(frozen=True, slots=True)
class Developer:
    """known: secrets of the configuration.  shown: further header names that may be read.  cap: bytes of a body."""

    known: Known
    shown: frozenset[bytes]
    cap: int

    def develop(self, raw: Raw) -> Kept:
        recording, request = raw.recording, raw.request
        masks = Masks(self.known, self.shown)
        if request is not None:
            masks.learn(request.fields)
        kept = Kept(raw.number, raw.at, raw.exchange, None)
        if request is not None:
            kept.replay_of = request.replay_of if isinstance(request, Replayed) else 0
            kept.asked = self._asked(masks, request, raw)
        if recording is not None:
            self._add_sealed(masks, kept, recording, raw)
            self._add_answer(masks, kept, recording)
            kept.dialled = recording.dialled
            if recording.diagnosis is not None:
                kept.diagnosis = _without(masks, recording.diagnosis.document())
        kept.found = tuple(dict.fromkeys(masks.found))
        kept.weigh()
        return kept

    # --- the caller's side

    def _asked(self, masks: Masks, request: Request, raw: Raw) -> Asked:
        recording = raw.recording
        draft = recording.draft if recording is not None else None
        passed = {id(one) for one in draft.fields} if draft is not None else ()     # the very same objects go on
        target = recording.route.strip + request.target if recording is not None else request.target
        return Asked(
            _text(request.method), _text(masks.target(_url(request, raw.exchange), "URL")),
            _text(masks.target(target, "URL")), tuple(masks.fields(request.fields, "request header")),
            self._body(masks, request.body, raw.asked_size, request.fields, "request body"),
            tuple(id(one) in passed for one in request.fields))

    # --- the bank's side

    def _add_sealed(self, masks: Masks, kept: Kept, recording: Recording, raw: Raw) -> None:
        plan, asked = recording.plan, kept.asked
        if plan is None or asked is None:
            return
        draft = plan.draft
        own = [(name.lower(), name, value) for name, value in plan.added(recording.signature)]
        own.insert(0, (b"host", b"Host", draft.rules.authority))
        fields = masks.fields([*own, *draft.fields], "sent header")
        if draft.framed:
            fields.append((b"content-length", b"Content-Length", b"%d" % raw.sent_size))
        body = (asked.body if draft.body is recording.request.body
                else self._body(masks, draft.body, raw.sent_size, draft.fields, "sent body"))
        kept.sent = Sent(_text(draft.rules.authority), _text(masks.target(draft.target, "URL")), tuple(fields),
                         len(own), body)
        kept.seal = self._seal(masks, plan, recording, whole=len(draft.body) == raw.sent_size)

    def _seal(self, masks: Masks, plan: Plan, recording: Recording, *, whole: bool) -> Seal:
        draft, identity = plan.draft, recording.identity
        profile, rules = draft.rules.profile, draft.rules
        string = masks.target(plan.signature_base, "signing string")
        over, digest_input = _digest_over(plan.draft, whole=whole)
        key = identity.key if identity is not None and not rules.skip else None
        client_id = _text(identity.client_id) if identity is not None else ""
        return Seal(
            string=_text(string), masked=string != plan.signature_base,
            covered=tuple(_text(name) for name in draft.covered),
            algorithm="" if rules.skip else profile.algorithm,
            key_id="" if rules.skip else rules.key_id.replace("{client_id}", client_id),
            digest=_text(draft.digest or b""), digest_over=over,
            digest_input=_text(masks.body(digest_input[:self.cap], "digest input", form=True)),
            spki_sha256=key.signer.spki_sha256 if key is not None else "",
            bits=key.signer.bits if key is not None else 0, certificate=key.certificate if key is not None else None)

    def _add_answer(self, masks: Masks, kept: Kept, recording: Recording) -> None:
        response = recording.response
        if response is None:
            return
        masks.learn(field for field in response.fields if field[0] == b"set-cookie")
        kept.answered = Answered(
            _text(response.line[4:]), tuple(masks.fields(response.fields, "answer header")),
            self._body(masks, bytes(recording.answer or b""), recording.received, response.fields, "answer body"))

    # --- bodies

    def _body(self, masks: Masks, data: bytes, size: int, fields: Iterable[Field], where: str) -> Body:
        if not size:
            return NO_BODY
        if not data:
            return Body(size=size, unreadable="the caller left, and it was let go")
        kept, cut = data[:self.cap], size > min(len(data), self.cap)
        content_type, coding = _described(fields)
        decoded_from = ""
        if coding not in ("", "identity"):
            opened = _opened(kept, coding, self.cap)
            if opened is None:
                return Body(size=size, unreadable=f"it is encoded with {coding[:32]!a}")
            kept, decoded_from = opened, coding
        charset = _charset(content_type)
        if charset:
            kept, decoded_from = kept.decode(charset, "replace").encode(), decoded_from or charset
        if cut:
            kept = cut_clean(kept, masks.values)
        shown = masks.body(kept, where, form=is_form(content_type))
        return Body(shown, size, len(kept) if not decoded_from else min(size, self.cap), decoded_from, cut=cut,
                    masked=shown is not kept)


def _without(masks: Masks, value: Any) -> Any:
    """The document with secrets masked in its sentences: a bank may repeat what it was sent."""
    if isinstance(value, dict):
        return {name: _without(masks, one) for name, one in value.items()}
    if isinstance(value, list):
        return [_without(masks, one) for one in value]
    return masks.sentence(value) if isinstance(value, str) else value


def _digest_over(draft: Draft, *, whole: bool) -> tuple[str, bytes]:
    """What the digest is of: the body, or the form's fields sorted and decoded; the latter as far as it is known."""
    if draft.digest is None:
        return "", b""
    if "form_digest_over_decoded" not in draft.notes:
        return "body", b""
    return "form", canonical_form(draft.body).digest_input if whole else b""


def _url(request: Request, exchange: Exchange) -> bytes:
    """As the caller meant it: with scheme and host where it named them."""
    if request.scheme:
        return request.scheme + b"://" + request.authority + request.asked
    if exchange.form == "connect" and request.method != b"CONNECT":
        return b"https://" + request.authority + request.asked
    return request.asked


def _described(fields: Iterable[Field]) -> tuple[bytes, str]:
    """Content-Type, and the content codings in lower case."""
    content_type, codings = b"", []
    for name, _, value in fields:
        if name == b"content-type" and not content_type:
            content_type = value
        elif name == b"content-encoding":
            codings.append(value.decode("latin-1").strip().lower())
    return content_type, ",".join(codings)


def _opened(data: bytes, coding: str, cap: int) -> bytes | None:
    """At most cap bytes of what is inside; None for what cannot be read."""
    if coding not in ("gzip", "x-gzip", "deflate"):
        return None
    for bits in (_GZIP, -zlib.MAX_WBITS):       # "deflate" is sent with and without its header
        try:
            return zlib.decompressobj(bits).decompress(data, cap)
        except zlib.error:
            continue
    return None


def _charset(content_type: bytes) -> str:
    """Of text that hides its ASCII, in which no name would be found."""
    lowered = content_type.lower()
    for name in ("utf-16le", "utf-16be", "utf-16", "utf-32", "utf-7"):
        if name.encode() in lowered:
            return name
    return ""


def _text(data: bytes) -> str:
    return data.decode("latin-1")


"""Makes of a call that is over what may be kept of it.  Runs in a thread: it takes bodies apart.

Secrets are masked here and nowhere else: what leaves this module has none, so no view can show one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from proxy.core.digest import canonical_form, is_form
from proxy.core.exchange import Exchange
from proxy.core.message import Field, Request, Response
from proxy.core.redaction import Known, Masks, cut_clean
from proxy.core.signing import Draft, Plan
from proxy.serve.decoding import decoded
from proxy.serve.inspection.kept import NO_BODY, Answered, Asked, Body, Kept, Sent
from proxy.serve.recording import Recording


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
        kept = Kept(raw.number, raw.at, raw.exchange)
        if request is None:
            return kept
        masks = Masks(self.known, self.shown)
        masks.learn(request.fields)
        if type(request) is Replayed:
            kept.replay_of = request.replay_of
        kept.asked = self._asked(masks, request, raw)
        if recording is not None:
            if recording.plan is not None:
                kept.sent = self._sent(masks, recording.plan, kept.asked, raw)
            if recording.response is not None:
                kept.answered = self._answered(masks, recording, recording.response)
            kept.dialled = recording.dialled
            if recording.diagnosis is not None:
                kept.diagnosis = _without(masks, recording.diagnosis.document())
        kept.found = masks.found
        return kept

    def _asked(self, masks: Masks, request: Request, raw: Raw) -> Asked:
        recording = raw.recording
        fields = masks.fields(request.fields, "request header")
        passed = None
        target = request.target
        if recording is not None:
            target = recording.route.strip + target
            if recording.draft is not None and recording.plan is not None:
                on = {id(field) for field in recording.draft.fields}        # the very same objects go on
                passed = [new for new, old in zip(fields, request.fields, strict=True) if id(old) in on]
        shown = masks.target(target, "URL")
        asked = _url(request, raw.exchange)
        url = shown if asked == target else masks.target(asked, "URL")
        return Asked(request.method, url, shown, fields,
                     self._body(masks, request.body, raw.asked_size, request.fields, "request body"), passed)

    # --- the bank's side

    def _sent(self, masks: Masks, plan: Plan, asked: Asked, raw: Raw) -> Sent:
        recording = raw.recording
        assert recording is not None
        assert raw.request is not None
        draft, identity = plan.draft, recording.identity
        string = masks.target(plan.signature_base, "signing string")
        key = identity.key if identity is not None and not draft.rules.skip else None
        return Sent(
            draft.rules, masks.target(draft.target, "URL"),
            asked.body if draft.body is raw.request.body else (
                self._body(masks, draft.body, raw.sent_size, draft.fields, "sent body")),
            draft.framed, draft.added, draft.content_type, draft.covered, draft.digest,
            self._digest_input(masks, draft, raw), string, string is not plan.signature_base, plan.date,
            recording.signature, identity.client_id if identity is not None else b"",
            masks.tag(identity.client_secret.reveal()) if identity is not None else b"",
            key.signer.spki_sha256 if key is not None else "", key.signer.bits if key is not None else 0,
            key.certificate if key is not None else None)

    def _digest_input(self, masks: Masks, draft: Draft, raw: Raw) -> bytes | None:
        """None where the digest is over the body, or there is none; b"" where the body was not kept as a whole."""
        if draft.digest is None or "form_digest_over_decoded" not in draft.notes:
            return None
        if len(draft.body) != raw.sent_size:
            return b""
        return masks.body(canonical_form(draft.body).digest_input[:self.cap], "digest input", form=True)

    def _answered(self, masks: Masks, recording: Recording, response: Response) -> Answered:
        masks.learn([field for field in response.fields if field[0] == b"set-cookie"])
        return Answered(
            response.line, masks.fields(response.fields, "answer header"),
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
        if coding not in (b"", b"identity"):
            kept, unreadable = decoded(kept, coding)
            if unreadable:
                return Body(size=size, unreadable=unreadable)
            kept, decoded_from = kept[:self.cap], coding.decode("latin-1")
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


def _url(request: Request, exchange: Exchange) -> bytes:
    """As the caller meant it: with scheme and host where it named them."""
    if request.scheme:
        return request.scheme + b"://" + request.authority + request.asked
    if exchange.form == "connect" and request.method != b"CONNECT":
        return b"https://" + request.authority + request.asked
    return request.asked


def _described(fields: Iterable[Field]) -> tuple[bytes, bytes]:
    """Content-Type, and the content codings in lower case."""
    content_type, codings = b"", list[bytes]()
    for name, _, value in fields:
        if name == b"content-type" and not content_type:
            content_type = value
        elif name == b"content-encoding":
            codings.append(value.strip().lower())
    return content_type, b",".join(codings)


def _charset(content_type: bytes) -> str:
    """Of text that hides its ASCII, in which no name would be found."""
    lowered = content_type.lower()
    for name in ("utf-16le", "utf-16be", "utf-16", "utf-32", "utf-7"):
        if name.encode() in lowered:
            return name
    return ""

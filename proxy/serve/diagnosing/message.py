"""What the message that was sent says about itself, read only when the bank has refused it."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from binascii import Error as NotBase64
from typing import Any, Final, Literal

import msgspec

from proxy.core.diagnosis import Message
from proxy.core.diagnosis.case import Authorization
from proxy.core.digest import is_form
from proxy.core.message import Field
from proxy.core.signing import Draft
from proxy.core.target import path_of
from proxy.selfcheck import find_fault
from proxy.serve.recording import Recording
from proxy.serve.selfverify import demands_of, public_key_of

REQUIRED: Final = ("redirect_uri", "scope", "state")
"""Of a body for /authorize, where it starts a redirect; the premium APIs have none."""

_LARGEST: Final = 65536
_PLAIN = re.compile(r"[!-~ ]{1,80}")
_LOOPBACK: Final = (b"localhost", b"127.0.0.1", b"[::1]")
_ECHO = re.compile(r"(?i)\b(x-nordea-originating-host|x-nordea-originating-date|content-type|digest): ?"
                   r"([^\r\n\\\"<]{1,200})")


def message_of(recording: Recording, answer: bytes, now: float, *, check: bool) -> Message:
    """answer: the refusal's body, not compressed, where it may quote the request; else b"".  now: since the epoch.

    check: verify what was sent, where the refusal is about that.
    """
    draft, plan = recording.draft, recording.plan
    if draft is None or plan is None:
        return Message()
    rules = draft.rules
    authorization, token = authorization_of(draft.fields)
    checked, wrong = _checked(recording) if check else (False, "")
    return Message(
        method=draft.method.decode("latin-1"), authorizes=_authorizes(draft), checked=checked, wrong=wrong,
        encoded=b"%" in draft.target or b"+" in draft.target,
        host="" if rules.host in _LOOPBACK else rules.host.decode(), bank_host=rules.profile.host,
        key_id_differs=rules.key_id != rules.profile.key_id, skipped=rules.skip,
        content_type=plain(draft.content_type) if draft.digest is not None else "",
        covers_content=draft.digest is not None, missing=missing(draft.body) if _authorizes(draft) else (),
        form=_form(draft), authorization=authorization, expired=expired(token, now),
        echoed=echoed(answer, plan.signature_base))


def _checked(recording: Recording) -> tuple[bool, str]:
    """Whether an independent verification of the bytes that were sent passes, and what it finds if it does not."""
    draft, plan, identity = recording.draft, recording.plan, recording.identity
    if draft is None or plan is None or identity is None or (recording.size and not recording.request.body):
        return False, ""            # its caller has gone, and with it the body
    raw = plan.complete(recording.signature)
    end = raw.find(b"\r\n\r\n") + 4
    fault = find_fault(raw[:end], memoryview(raw)[end:], public_key_of(identity.key), demands_of(draft.rules))
    return (fault is None, "" if fault is None else fault.sentence)


def _authorizes(draft: Draft) -> bool:
    path = path_of(draft.target)
    return draft.method == b"POST" and path.endswith(b"/authorize") and b"/premium/" not in path


def missing(body: bytes) -> tuple[str, ...]:
    """Which of REQUIRED a JSON body lacks, or leaves empty."""
    try:
        value: Any = msgspec.json.decode(body[:_LARGEST])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        return REQUIRED
    return tuple(name for name in REQUIRED if not value.get(name))


def _form(draft: Draft) -> Literal["", "raw", "not_normalised", "decoded"]:
    if "form_not_canonical" in draft.notes:
        return "not_normalised"
    if "form_digest_over_decoded" in draft.notes:
        return "decoded"
    raw = draft.rules.form == "raw" and draft.content_type is not None and is_form(draft.content_type)
    return "raw" if raw else ""


def authorization_of(fields: list[Field]) -> tuple[Authorization, bytes]:
    """How the request is authorized, and its bearer token."""
    value = next((value for name, _, value in fields if name == b"authorization"), None)
    if value is None:
        return "missing", b""
    scheme, _, token = value.partition(b" ")
    return ("bearer", token.strip()) if scheme.lower() == b"bearer" and token.strip() else ("other", b"")


def expired(token: bytes, now: float) -> float | None:
    """Seconds since the end that a JWT tells of itself (RFC 7519 section 4.1.4); None where it tells none."""
    parts = token.split(b".")
    if len(parts) != 3 or len(token) > _LARGEST:
        return None
    try:
        claims: Any = msgspec.json.decode(urlsafe_b64decode(parts[1] + b"=" * (-len(parts[1]) % 4)))
    except (msgspec.MsgspecError, NotBase64, ValueError, RecursionError):
        return None
    end = claims.get("exp") if isinstance(claims, dict) else None
    try:
        return now - end if isinstance(end, int | float) and not isinstance(end, bool) else None
    except OverflowError:       # JSON's numbers have no end
        return None


def echoed(answer: bytes, signed: bytes) -> tuple[str, ...]:
    """Names of covered headers that the answer quotes with another value than was signed."""
    lines = dict(line.partition(": ")[::2] for line in signed.decode("latin-1").split("\n"))
    quoted = _ECHO.findall(answer.decode("latin-1").replace("\\n", "\n")) if answer else ()
    differing = (name.lower() for name, value in quoted
                 if name.lower() in lines and value.strip() != lines[name.lower()])
    return tuple(dict.fromkeys(differing))


def plain(value: bytes | None) -> str:
    """A header value for people, if it is short and plain."""
    text = (value or b"").decode("latin-1")
    return text if _PLAIN.fullmatch(text) else ""

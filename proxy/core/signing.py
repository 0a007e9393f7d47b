"""Signing is three pure steps around one operation with the key.

    draft  = prepare(request, rules)            everything but the moment and the key; refuses what cannot be signed
    plan   = draft.plan(credentials, date)      the signature base
    sealed = plan.complete(key.sign(plan.signature_base))     the exact bytes to send

A retry starts again at draft.plan(), so the date is the moment of sending.  After prepare() nothing touches method,
target, body or a covered header.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from proxy.core.digest import canonical_form, is_form, sha256_digest
from proxy.core.headers import HeaderRules
from proxy.core.message import Field, Request
from proxy.core.profiles import Profile
from proxy.core.schemes import REQUEST_TARGET, request_target, signature_base, signature_header
from proxy.core.secret import Secret
from proxy.core.target import join_base, origin_form
from proxy.errors import Refused

EmptyBody = Literal["digest", "omit"]
FormRule = Literal["canonical", "raw"]


class SigningRules:
    """A profile with one route's settings.

    host: the upstream's host, lower case, no port.  authority: the Host header's value.  base: path before targets.
    key_id: template with {client_id}.  skip: send the sandbox's literal instead of a signature.
    """

    __slots__ = ("authority", "base", "default_content_type", "empty_body", "form", "headers", "host", "key_id",
                 "profile", "skip")

    def __init__(self, profile: Profile, *, host: str | None = None, authority: str | None = None, base: str = "",
                 default_content_type: str = "application/json", empty_body: EmptyBody = "digest",
                 form: FormRule = "canonical", key_id: str | None = None, skip: bool = False) -> None:
        self.profile = profile
        self.host = (host or profile.host).lower().encode()
        self.authority = authority.encode() if authority else self.host
        self.base = base.encode()
        self.default_content_type = default_content_type.encode()
        self.empty_body = empty_body
        self.form = form
        self.key_id = key_id or profile.key_id
        self.skip = skip
        self.headers = HeaderRules(profile.reserved, profile.reserved_prefixes)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an application is known by at the bank."""

    client_id: bytes
    client_secret: Secret


class Identified(Protocol):
    """Anything that carries an application's credentials."""

    @property
    def client_id(self) -> bytes: ...
    @property
    def client_secret(self) -> Secret: ...


class Draft:
    """A request that can be signed: cleaned, its body final, its digest computed.

    notes: names of what was done that the caller may wonder about, for the log.
    """

    __slots__ = ("added", "body", "content_type", "covered", "digest", "fields", "framed", "method", "notes", "rules",
                 "target")

    def __init__(self, rules: SigningRules, method: bytes, target: bytes, fields: list[Field]) -> None:
        self.rules = rules
        self.method = method
        self.target = target
        self.fields = fields
        self.body = b""
        self.framed = False
        self.content_type: bytes | None = None
        self.added: tuple[bytes, bytes] | None = None
        self.digest: bytes | None = None
        self.covered = rules.profile.covered
        self.notes: tuple[str, ...] = ()

    def plan(self, credentials: Identified, date: bytes) -> Plan:
        """date: IMF-fixdate in GMT (RFC 9110 section 5.6.7), the moment of sending."""
        return Plan(self, credentials, date)


def prepare(request: Request, rules: SigningRules) -> Draft:
    """Decides everything about the outgoing message but its date and signature.  Raises Refused."""
    profile = rules.profile
    target = join_base(rules.base, origin_form(request.target))
    if request.body and request.method in profile.bodiless_methods:
        raise Refused("body_not_allowed")
    draft = Draft(rules, request.method, target, rules.headers.clean(request.fields, request.options))
    _decide_content(draft, request.body)
    return draft


def _decide_content(draft: Draft, body: bytes) -> None:
    """The coverage rule: content is covered with a body, and for content methods also without one."""
    rules = draft.rules
    content_method = draft.method in rules.profile.content_methods
    draft.content_type = _content_type(draft.fields)
    draft.framed = content_method or bool(body)
    if not draft.framed or (not body and rules.empty_body == "omit"):
        return
    if draft.content_type is None:
        draft.content_type = rules.default_content_type
        draft.added = (b"Content-Type", rules.default_content_type)
        draft.notes = ("content_type_added",)
    digest_input = body
    if rules.form == "canonical" and is_form(draft.content_type):
        form = canonical_form(body)
        body, digest_input = form.body, form.digest_input
        if form.note:
            draft.notes = (*draft.notes, form.note)
    draft.body = body
    draft.digest = sha256_digest(digest_input, rules.profile.digest_prefix)
    draft.covered = rules.profile.covered_with_content


def _content_type(fields: Sequence[Field]) -> bytes | None:
    values = [value for name, _, value in fields if name == b"content-type"]
    if not values:
        return None
    if len(values) > 1 or not values[0]:
        raise Refused("content_type_invalid")
    return values[0]


class Plan:
    """A draft at a moment, for one set of credentials; signature_base is what the key signs."""

    __slots__ = ("_credentials", "date", "draft", "signature_base")

    def __init__(self, draft: Draft, credentials: Identified, date: bytes) -> None:
        self.draft = draft
        self.date = date
        self._credentials = credentials
        profile, rules = draft.rules.profile, draft.rules
        values = {
            REQUEST_TARGET: request_target(draft.method, draft.target),
            profile.host_header.lower(): rules.host,
            profile.date_header.lower(): date,
        }
        if draft.digest is not None and draft.content_type is not None:
            values[b"content-type"] = draft.content_type
            values[b"digest"] = draft.digest
        self.signature_base = signature_base(draft.covered, values)

    def added(self, signature: bytes) -> list[tuple[bytes, bytes]]:
        """The headers the proxy adds, in wire order.  signature: raw bytes; ignored where the route skips signing."""
        draft, rules = self.draft, self.draft.rules
        profile = rules.profile
        values = {"client_id": self._credentials.client_id, "client_secret": self._credentials.client_secret.reveal()}
        added = [(header, values[name]) for header, name in profile.injected]
        added.append((profile.host_header, rules.host))
        added.append((profile.date_header, self.date))
        if draft.added is not None:
            added.append(draft.added)
        if draft.digest is not None:
            added.append((b"Digest", draft.digest))
        if rules.skip:
            added.append((b"Signature", profile.skip_signature))
        else:
            key_id = rules.key_id.encode().replace(b"{client_id}", self._credentials.client_id)
            added.append((b"Signature", signature_header(key_id, profile.algorithm.encode(), draft.covered, signature)))
        return added

    def complete(self, signature: bytes) -> bytes:
        """The whole request as it goes on the wire."""
        draft = self.draft
        lines = [b"%b %b HTTP/1.1\r\nHost: %b\r\n" % (draft.method, draft.target, draft.rules.authority)]
        lines += [b"%b: %b\r\n" % pair for pair in self.added(signature)]
        lines += [b"%b: %b\r\n" % (name, value) for _, name, value in draft.fields]
        if draft.framed:
            lines.append(b"Content-Length: %d\r\n" % len(draft.body))
        lines.append(b"\r\n")
        lines.append(draft.body)
        return b"".join(lines)

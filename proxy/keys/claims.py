"""The claims of a software statement: what a bank wants to read before it lets a company in.

Sources: RFC 7591 section 2.3 (software statement), RFC 7519 section 4.1 (iss, iat, jti), the bank's onboarding.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit
from uuid import UUID

Fault = tuple[str, str]
ROLES = ("PSP_AS", "PSP_PI", "PSP_AI", "PSP_IC", "ASPSP", "PISP", "AISP", "CBPII", "PIISP")
GENERATED = ("iat", "jti")
_CONTACT = ("name", "email", "phone")
_EMAIL = re.compile(r"[^@\s<>\"(),;:]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}")
_PHONE = re.compile(r"\+?[0-9][0-9 ()/.-]{3,28}[0-9]")
_DEEPEST = 16


def faults_of(claims: Mapping[str, object]) -> list[Fault]:
    """Everything wrong with the claims that the operator gives (not iat and jti): pairs of (place, sentence)."""
    faults = [(name, "is missing") for name in _REQUIRED if name not in claims]
    for name, check in (*_REQUIRED.items(), *_OPTIONAL.items()):
        if name in claims:
            faults += check(name, claims[name])
    checked = {*_REQUIRED, *_OPTIONAL}
    return faults + [fault for name, value in claims.items() if name not in checked for fault in _json(name, value, 0)]


def faults_of_generated(claims: Mapping[str, object], now: int) -> list[Fault]:
    """now: Unix seconds."""
    issued, identifier = claims.get("iat"), claims.get("jti")
    if not isinstance(issued, int | float) or isinstance(issued, bool):
        return [("iat", "must be the time of issue in Unix seconds")]
    if issued > now + 300:
        return [("iat", "lies in the future")]
    if not isinstance(identifier, str) or not _is_uuid(identifier):
        return [("jti", "must be a UUID")]
    return []


def _text(place: str, value: object) -> list[Fault]:
    if not isinstance(value, str):
        return [(place, "must be text; put it in quotes")]
    return [] if value.strip() and value.isprintable() else [(place, "is empty or holds control characters")]


def _uri(place: str, value: object) -> list[Fault]:
    """RFC 3986; a redirect URI has no fragment (RFC 6749 section 3.1.2)."""
    if not isinstance(value, str):
        return [(place, "must be text; put it in quotes")]
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return [(place, "is not a URI")]
    if parts.scheme != "https" or not value.startswith("https://"):
        return [(place, "must begin with https://")]
    plain = value.isascii() and not re.search(r"[\s\"<>\\^`{|}]", value) and value.isprintable()
    if not plain or not parts.hostname or port == 0 or "@" in parts.netloc:
        return [(place, "is not a URI with a host and without user or unescaped characters")]
    return [(place, "must have no fragment (#…)")] if "#" in value else []


def _list_of(check: Callable[[str, object], list[Fault]]) -> Callable[[str, object], list[Fault]]:
    def every(place: str, value: object) -> list[Fault]:
        if not isinstance(value, list) or not value:
            return [(place, "must be a list with at least one entry")]
        if any(entry in value[:index] for index, entry in enumerate(value[:256])):
            return [(place, "lists an entry twice")]
        return [fault for index, entry in enumerate(value) for fault in check(f"{place}[{index}]", entry)]
    return every


def _role(place: str, value: object) -> list[Fault]:
    return [] if value in ROLES else [(place, f"must be one of {', '.join(ROLES)}")]


def _contact(place: str, value: object) -> list[Fault]:
    if not isinstance(value, dict):
        return [(place, "must have name, email and phone")]
    faults = [(f"{place}.{name}", "is missing") for name in _CONTACT if name not in value]
    faults += [fault for name in _CONTACT if name in value for fault in _text(f"{place}.{name}", value[name])]
    for name, form, sentence in (("email", _EMAIL, "is not an e-mail address"),
                                 ("phone", _PHONE, "is not a phone number, such as '+358 9 1234567'")):
        given = value.get(name)
        if isinstance(given, str) and given.strip() and not form.fullmatch(given):
            faults.append((f"{place}.{name}", sentence))
    return faults + [fault for name in value if name not in _CONTACT for fault in _json(f"{place}.{name}", value[name],
                                                                                       1)]


def _authority_claims(place: str, value: object) -> list[Fault]:
    """One object or a list of them; which members it has is the authority's business."""
    entries = value if isinstance(value, list) else [value]
    if not entries or not all(isinstance(entry, dict) and entry for entry in entries):
        return [(place, "must be an object, or a list of objects, that name the authority and the authorisation")]
    return _json(place, value, 0)


def _json(place: str, value: object, depth: int) -> list[Fault]:
    """Whether it can be JSON: YAML also has dates, binary data and names that are no text."""
    if depth > _DEEPEST:
        return [(place, "is nested too deeply")]
    if isinstance(value, dict):
        if not all(isinstance(name, str) for name in value):
            return [(place, "has a name that is not text; put it in quotes")]
        return [fault for name, one in value.items() for fault in _json(f"{place}.{name}", one, depth + 1)]
    if isinstance(value, list):
        return [fault for index, one in enumerate(value) for fault in _json(f"{place}[{index}]", one, depth + 1)]
    if isinstance(value, float) and not math.isfinite(value):
        return [(place, "is not a number that JSON has")]
    return [] if value is None or isinstance(value, str | int | float) else [(place, "must be text; put it in quotes")]


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


_Check = Callable[[str, object], list[Fault]]
_REQUIRED: dict[str, _Check] = {
    "iss": _text,
    "software_client_name": _text,
    "software_redirect_uris": _list_of(_uri),
    "software_roles": _list_of(_role),
    "organisation_competent_authority_claims": _authority_claims,
    "org_name": _text,
    "org_contacts": _list_of(_contact),
}
_OPTIONAL: dict[str, _Check] = {
    "software_client_description": _text,
    "software_client_uri": _uri,
    "software_version": _text,
}

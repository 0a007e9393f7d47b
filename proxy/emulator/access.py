"""Accounts and payments need an access token, which is the application's own affair and not the proxy's."""

from __future__ import annotations

import json
import secrets
from typing import Any, Literal
from urllib.parse import urlencode

from proxy.emulator.answers import Answer, failure
from proxy.emulator.content import FORM, form_fields
from proxy.emulator.verify import SIGNATURE_INVALID
from proxy.emulator.wire import Head

TokenRule = Literal["any", "issued"]
TOKEN_MISSING, TOKEN_INVALID, TOKEN_EXPIRED = "error.token.missing", "error.token.invalid", "error.token.expired"

_REQUIRED = ("redirect_uri", "scope", "state")
_GRANTS = {"authorization_code": "code", "refresh_token": "refresh_token", "client_credentials": "grant_type"}


class Access:
    """Codes and tokens given out.  `any`: every non-empty bearer token will do, unless it says `expired` itself."""

    def __init__(self, rule: TokenRule = "any") -> None:
        self._rule = rule
        self.tokens: list[str] = []

    def problem(self, head: Head) -> str:
        """The bank's error code, or empty when the token will do."""
        scheme, _, token = head.one("authorization").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return TOKEN_MISSING
        if "expired" in token:
            return TOKEN_EXPIRED
        known = token in self.tokens if self._rule == "issued" else token != "invalid"  # noqa: S105
        return "" if known else TOKEN_INVALID

    def authorize(self, head: Head, body: bytes, now: float) -> Answer:
        """302 to the customer's consent; the real bank calls missing parameters a bad signature, and so does this."""
        wanted = json_object(body)
        if wanted is None or not all(wanted.get(name) for name in _REQUIRED):
            return failure(SIGNATURE_INVALID, head.path, now)
        query = urlencode({"code": secrets.token_urlsafe(16), "state": str(wanted["state"])})
        address = str(wanted["redirect_uri"])
        location = f"{address}{'&' if '?' in address else '?'}{query}"
        return Answer.of(b"", 302, ((b"Location", location.encode("ascii", "replace")),))

    def token(self, head: Head, body: bytes, now: float) -> Answer:
        """Form-encoded in, JSON without envelope out, as OAuth 2.0 has it."""
        fields = form_fields(body)
        grant = _GRANTS.get(fields.get("grant_type", ""))
        if head.one("content-type").partition(";")[0].strip().lower() != FORM or not grant or not fields.get(grant):
            return failure("error.validation", head.path, now, 400)
        token = secrets.token_urlsafe(24)
        self.tokens.append(token)
        given = {"access_token": token, "token_type": "Bearer", "expires_in": 3600,
                 "refresh_token": secrets.token_urlsafe(24)}
        return Answer.of(json.dumps(given).encode())


def json_object(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None

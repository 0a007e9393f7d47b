"""Which question an answer raises, by the bank's code.

Nordea's codes stand in its API documentation; those in capitals in the Berlin Group's NextGenPSD2 XS2A 1.3, section
14.11; those of OAuth 2.0 in RFC 6749 section 5.2 and RFC 6750 section 3.1.  gateway.* are ours for the sentences of the
gateway, IBM API Connect.
"""

from __future__ import annotations

from typing import Final, Literal

Kind = Literal["signature", "certificate", "security", "digest", "date", "credentials", "subscription", "token",
               "consent", "grant", "limit", "path", "failure", "unknown"]

KIND_OF: Final[dict[str, Kind]] = {
    "error.signature.invalid": "signature",
    "error.signature.missing": "signature",
    "error.certificate.invalid": "certificate",
    "error.security.invalid": "security",
    "error.digest.invalid": "digest",
    "error.date.invalid": "date",
    "error.token.missing": "token",
    "error.token.invalid": "token",
    "error.token.expired": "token",
    "gateway.credentials": "credentials",
    "gateway.subscription": "subscription",
    "gateway.rate_limit": "limit",
    "gateway.path": "path",
    "gateway.other": "unknown",
    "SIGNATURE_INVALID": "signature",
    "SIGNATURE_MISSING": "signature",
    "CERTIFICATE_INVALID": "certificate",
    "CERTIFICATE_EXPIRED": "certificate",
    "CERTIFICATE_REVOKED": "certificate",
    "CERTIFICATE_BLOCKED": "certificate",
    "CERTIFICATE_MISSING": "certificate",
    "TIMESTAMP_INVALID": "date",
    "ROLE_INVALID": "subscription",
    "SERVICE_BLOCKED": "subscription",
    "TOKEN_UNKNOWN": "token",
    "TOKEN_INVALID": "token",
    "TOKEN_EXPIRED": "token",
    "CONSENT_UNKNOWN": "consent",
    "CONSENT_INVALID": "consent",
    "CONSENT_EXPIRED": "consent",
    "ACCESS_EXCEEDED": "limit",
    "invalid_client": "credentials",
    "unauthorized_client": "subscription",
    "invalid_token": "token",
    "insufficient_scope": "consent",
    "invalid_grant": "grant",
}


def kind_of(code: str, status: int) -> Kind | None:
    """None: an answer that needs no diagnosis, such as 404 for an account that is not there."""
    kind = KIND_OF.get(code)
    if kind is None and code.startswith("error.token."):
        kind = "token"
    if kind not in (None, "unknown"):
        return kind
    if status >= 500:
        return "failure"
    if status == 429:
        return "limit"
    return "unknown" if status in (401, 403) else None

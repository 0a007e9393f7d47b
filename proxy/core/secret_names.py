"""Names of headers whose values anybody may read, and names of values that nobody may.

Headers are few and known, so a list says which are shown.  Parameters and JSON keys are the bank's and the
application's own, so a list of words says which are masked.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

SHOWN_HEADERS: Final = frozenset(b"""
age agreement-number allow alt-svc cache-control connection cross-origin-opener-policy cross-origin-resource-policy
date digest etag expect expires forwarded from host keep-alive last-modified link location max-forwards nel origin
pragma prefer preference-applied proxy-connection proxy-status range referer referrer-policy report-to repr-digest
retry-after server signature signature-input strict-transport-security te traceparent trailer transfer-encoding
true-client-ip upgrade upgrade-insecure-requests user-agent vary via want-digest warning www-authenticate x-client-ip
x-correlation-id x-frame-options x-global-transaction-id x-ibm-client-id x-powered-by x-real-ip x-request-id
x-response-scenarios x-xss-protection
""".split())
"""Lower case."""
SHOWN_PREFIXES: Final = (b"accept", b"access-control-", b"content-", b"if-", b"psu-", b"ratelimit-", b"sec-ch-",
                         b"sec-fetch-", b"signing-proxy-", b"tpp-", b"x-burstlimit-", b"x-content-type-",
                         b"x-forwarded-", b"x-nordea-", b"x-ratelimit-")

WORDS: Final = ("token", "secret", "passw", "passphrase", "passcode", "credential", "privatekey", "apikey",
                 "subscriptionkey", "authorization", "authcode", "cookie", "sessionid", "assertion", "bearer",
                 "usercode", "devicecode", "codeverifier", "pincode", "samlresponse", "challengedata")
EXACT: Final = frozenset(("auth", "code", "credentials", "cvc", "cvv", "jwt", "key", "otp", "pin", "pwd", "session",
                           "sid", "tan"))
_HARMLESS: Final = frozenset((
    "tokentype", "issuedtokentype", "subjecttokentype", "actortokentype", "requestedtokentype", "tokenendpoint",
    "tokenendpointauthmethod", "tokenurl", "clientassertiontype", "authorizationendpoint", "authorizationurl",
    "passwordrequired", "tokenexpiresin"))
_SEPARATORS = re.compile(r"[^a-z0-9]")


_LONGEST: Final = 64
"""Characters of a name that are looked at, and the longest that is remembered: a stranger chooses what we keep."""


def header_is_shown(name: bytes, more: frozenset[bytes] = frozenset()) -> bool:
    """name: lower case.  more: names that the operator has added."""
    return _judged(name, more) if len(name) <= _LONGEST else _judge(name, more)


def _judge(name: bytes, more: frozenset[bytes]) -> bool:
    if name in SHOWN_HEADERS or name in more:
        return True
    return name.startswith(SHOWN_PREFIXES) and not is_secret(name.decode("latin-1"), in_errors=False)


_judged = lru_cache(maxsize=1024)(_judge)


def is_secret(name: str, *, in_errors: bool) -> bool:
    """Whether the value of a parameter or key of this name is masked; case and separators do not count.

    in_errors: it stands in a list of errors, where "code" says what is wrong.
    """
    return _is_secret(name[:_LONGEST], in_errors=in_errors)


@lru_cache(maxsize=4096)
def _is_secret(name: str, *, in_errors: bool) -> bool:
    plain = _SEPARATORS.sub("", name.lower())
    if plain in _HARMLESS:
        return False
    if plain in EXACT:
        return not (in_errors and plain == "code")
    return any(word in plain for word in WORDS)

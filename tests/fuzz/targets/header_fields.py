"""However a caller spells its header fields, the request is refused with a documented code or leaves sealed so that
an independent check of its bytes finds no fault, and none that is a hop's, a forwarder's or sealed by us came from
outside.
"""

from __future__ import annotations

from functools import cache

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

from proxy.core.headers import FORWARDING, HOP_BY_HOP, OURS, OVERRIDES, answer_fields, canonical, redacted
from proxy.core.message import Request
from proxy.core.profiles import PROFILES
from proxy.core.secret import Secret
from proxy.core.signing import Credentials, Draft, SigningRules, prepare
from proxy.errors import Refused
from proxy.selfcheck import find_fault
from proxy.serve.gate import Gate, own_names
from proxy.serve.selfverify import demands_of
from proxy.wire.head import parse_request

TOKENS = (
    b"Connection: digest\r\n",
    b"X_Nordea.Originating-Host: a\r\n",
    b"Digest: SHA-256=\r\n",
    b"Signature: x\r\n",
    b"X-HTTP-Method-Override: PUT\r\n",
    b"Forwarded: for=1\r\n",
    b"X-Forwarded-For: 1\r\n",
    b"Via: 1.1 a\r\n",
    b"Signing-Proxy-Hint: a\r\n",
    b"Content-Type: text/plain\r\n",
    b"X-IBM-Client-Secret: s\r\n",
    b"_",
    b".",
    b"-",
    b"Proxy-Authorization: Basic YTpi\r\n",
    b"Proxy-Authorization: Bearer tokentoken\r\n",
    b"Cookie: a=b\r\n",
    b"Origin: http://a\r\n",
    b"Sec-Fetch-Site: cross-site\r\n",
    b"Expect: 100-continue\r\n",
    b"\r\n",
    b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close, digest\r\n",
)
_TOKEN = b"tokentoken"
_PROFILE = PROFILES["nordea"]
_RULES = SigningRules(_PROFILE)
_GATE = Gate(own_names("127.0.0.1", 8080, loopback=True) | {b"a"}, tokens=lambda: (Secret(_TOKEN),))
_NEVER = HOP_BY_HOP | FORWARDING | OVERRIDES | _PROFILE.reserved
_READ = ("malformed_request", "headers_too_large", "expectation_failed")
_GATED = ("host_not_allowed", "browser_origin", "client_unauthenticated")
_PREPARED = ("protected_header_in_connection", "override_not_allowed", "content_type_invalid")


def check(data: bytes) -> None:
    try:
        request = parse_request(b"POST /personal/v4/payments HTTP/1.1\r\nHost: a\r\n" + data + b"\r\n")
    except Refused as refused:
        assert refused.code in _READ, refused.code
        return
    request.body = b'{"a":1}'
    _gated(request)
    assert b"\r\n\r\n" not in answer_fields(request.fields, request.options, keep_length=True)
    assert all("\n" not in redacted(name, value) for _, name, value in request.fields)
    try:
        draft = prepare(request, _RULES)
    except Refused as refused:
        assert refused.code in _PREPARED, refused.code
        return
    _sent(request, draft)


def _gated(request: Request) -> None:
    try:
        _GATE.check(request)
    except Refused as refused:
        assert refused.code in _GATED, refused.code
        return
    shown = [value for name, _, value in request.fields if name == b"proxy-authorization"]
    assert shown and (shown[-1].endswith(_TOKEN) or shown[-1].lower().startswith(b"basic ")), (
        "nobody without the token"
    )


def _sent(request: Request, draft: Draft) -> None:
    for name, _, _ in draft.fields:
        assert canonical(name) not in _NEVER and not canonical(name).startswith(
            (OURS, b"x-forwarded-", b"x-ibm-client-")
        )
    given = iter(request.fields)
    assert all(field in given for field in draft.fields), "in their order, untouched"
    plan = draft.plan(Credentials(b"client", Secret(b"secret")), b"Sat, 21 Nov 2026 12:00:00 GMT")
    raw = plan.complete(_key().sign(plan.signature_base, PKCS1v15(), SHA256()))
    end = raw.index(b"\r\n\r\n") + 4
    fault = find_fault(raw[:end], raw[end:], _key().public_key(), demands_of(_RULES))
    assert fault is None, fault


@cache
def _key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=1024)  # as small as it may be, for speed

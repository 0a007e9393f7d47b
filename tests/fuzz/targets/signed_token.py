"""A compact JWS is three JSON and signature parts that encode to the same text, or a ValueError with a clause;
judging an assertion gives KeyUnusable with assertion_invalid, and a bearer token's end is a number or None.
"""

from __future__ import annotations

import math
from functools import cache

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from proxy.errors import KeyUnusable
from proxy.keys.assertion import judge_assertion
from proxy.keys.jws import base64url, read_compact, verifies
from proxy.serve.diagnosing.message import authorization_of, expired, missing, plain
from tests.keys import making

TOKENS = (
    b".",
    b"eyJhbGciOiJSUzI1NiJ9",
    b"eyJhIjoxfQ",
    b"=",
    b"-",
    b"_",
    b"+",
    b"/",
    base64url(b'{"exp":1e400}').encode(),
    base64url(b'{"exp":' + b"9" * 400 + b"}").encode(),
    base64url(b'{"a":1,"a":2}').encode(),
    base64url(b'{"exp":-1e308}').encode(),
    base64url(b"[" * 2000).encode(),
    base64url(b'{"exp":true}').encode(),
)


@cache
def _key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=1024)


@cache
def _certificate() -> bytes:
    return making.certificate(_key())


def check(data: bytes) -> None:
    end = expired(data, 1.8e9)
    assert end is None or not math.isnan(end)
    authorization_of([(b"authorization", b"Authorization", data)])
    missing(data)
    plain(data)
    text = data.decode("latin-1")
    try:
        judge_assertion(text, _key().public_key(), _certificate(), 1_800_000_000)
    except KeyUnusable as error:
        assert error.code == "assertion_invalid" and str(error).isprintable()
    try:
        compact = read_compact(text)
    except ValueError as error:
        assert str(error)
        return
    assert text.rpartition(".")[2] == base64url(compact.signature)
    assert text.encode("ascii") == compact.signing_input + b"." + base64url(compact.signature).encode()
    verifies(compact, _key().public_key())

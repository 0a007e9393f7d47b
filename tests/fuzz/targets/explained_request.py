"""Whatever was signed wrongly, the search for what it was ends, with sentences from the table of causes, and never
calls a request right whose bytes an independent check refuses.
"""

from __future__ import annotations

from functools import cache

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from proxy.cli.side_by_side import beside
from proxy.cli.verification import KnownKey, Unreadable, causes, explain, judge, parse
from tests.cli.sealed_by_hand import Sealer

TOKENS = (
    b"X-Nordea-Originating-Date: Fri, 31 Dec 9999 23:59:59 GMT\r\n",
    b"Digest: SHA-256=",
    b"//",
    b"?",
    b"%2F",
    b"\\u00e4",
    b"Content-Type: application/x-www-form-urlencoded\r\n",
    b"X-Nordea-Originating-Host: ",
    b"\r\n ",
    b"signature=",
    b'headers="(request-target) date"',
    b"9999",
    b"0001",
    b"POST",
    b"GET",
    b"PUT",
    b"Content-Length: 5\r\n",
)
FULL = 400


@cache
def _key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=1024)


@cache
def seeds() -> tuple[bytes, ...]:
    made = [
        Sealer(_key(), "GET", "/personal/v5/accounts?a=b", b""),
        Sealer(_key(), body=b"grant_type=a&code=b%2Fc"),
    ]
    for change in (lambda text: text.replace("\n", "\r\n"), lambda text: "something else"):
        spoiled = Sealer(_key())
        spoiled.change = change
        made.append(spoiled)
    late = Sealer(_key())
    late.fields["X-Nordea-Originating-Date"] = "Fri, 31 Dec 9999 23:59:59 GMT"
    late.change = lambda text: "never"
    return tuple(one.message() for one in (*made, late))


def check(data: bytes) -> None:
    try:
        message = parse(data)
    except Unreadable as error:
        assert str(error)[0].islower()
        return
    known = (KnownKey("the key", _key().public_key()),)
    verdict = explain(message, known)
    for finding in verdict.findings:
        assert finding.cause in causes.CAUSES and finding.sentence and finding.advice
    if verdict.signed is not None:
        beside(verdict.signed, verdict.right)
    if verdict.valid:
        assert judge(message, _key().public_key()).valid

"""Any bytes are a certificate with facts that can be printed, or KeyUnusable with certificate_format; and a status
answer about one is a Status.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding

from proxy.errors import KeyUnusable
from proxy.keys.armour import recover
from proxy.keys.certificate import armourless, is_certificate, parse_certificate, read_facts
from proxy.keys.chain import choose_leaf, issuers_by_name, signed_by
from proxy.keys.details import read_details
from proxy.keys.findings import FINDINGS
from proxy.keys.linting import lint
from proxy.keys.material import read_certificates
from proxy.keys.revocation import read_crl, read_ocsp, services_of
from proxy.keys.unlock import Lock
from tests.keys import making, responder
from tests.keys.seals import Issuer

TOKENS = (
    b"-----BEGIN CERTIFICATE-----\n",
    b"-----END CERTIFICATE-----\n",
    b"\\n",
    b"-----BEGIN X509 CERTIFICATE-----",
    b"\x17\x0d000000000000Z",
    b"\x18\x0f99991231235959Z",
    b"\x02\x01\x00",
    b"\x02\x01\xff",
    b"\x05\x00",
    b"\x13\x00",
    b"\x06\x03\x55\x04\x03",
    b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a",
    b"\x0c\x00",
    b"\x1e\x02\xd8\x00",
    b"\x06\x03\x55\x1d\x0f",
    b"\x06\x03\x55\x1d\x13",
    b"\x06\x03\x55\x1d\x1f",
    b"\x0a\x01\x01",
    b"\x03\x02\x07\x80",
)
FULL = 12_000
_NOW = datetime(2026, 11, 21, tzinfo=UTC)


@cache
def _issuer() -> Issuer:
    return Issuer(_NOW)


@cache
def _key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=1024)


@cache
def _own() -> x509.Certificate:
    return _issuer().issue(_key().public_key(), ocsp="http://a/ocsp", crl="http://a/crl")


@cache
def seeds() -> tuple[bytes, ...]:
    own = _own().public_bytes(Encoding.DER)
    answers = [responder.ocsp_answer(_issuer(), _own(), state, _NOW) for state in ("good", "revoked")]
    return (
        own,
        _issuer().der,
        making.pem(own),
        base64.b64encode(own),
        making.keystore(None, own, _issuer().der),
        making.pem(own).replace(b"\n", b"\\n"),
        *answers,
        responder.revocation_list(_issuer(), (5,), _NOW),
    )


def check(data: bytes) -> None:
    for read in (read_ocsp, read_crl):
        status = read(data, _own(), _issuer().certificate, _NOW)
        assert status.state in ("good", "revoked", "unknown", "unreachable") and status.detail.isprintable()
    body, _ = recover(data)
    try:
        found = read_certificates(body, Lock("the file", making.PASSWORD))
        choose_leaf(found, None)
    except KeyUnusable as error:
        assert error.code in ("certificate_format", "key_password", "key_format"), error.code
        return
    for encoded in found:
        _judged(encoded)


def _judged(encoded: bytes) -> None:
    assert is_certificate(encoded) and base64.b64decode(armourless(encoded)) == encoded
    try:
        facts, details = read_facts(encoded), read_details(encoded)
        findings = lint(encoded, (_issuer().der,), details.spki_sha256, _NOW)
    except KeyUnusable as error:
        assert error.code == "certificate_format"
        return
    assert facts.der == encoded and details.facts == facts
    assert all(finding.id in FINDINGS for finding in findings)
    parsed = parse_certificate(encoded)
    services_of(parsed)
    issuers_by_name(parsed, [_issuer().certificate])
    signed_by(parsed, _issuer().certificate)

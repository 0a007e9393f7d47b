"""What a certificate says is read as the standards lay it down, and no bytes make the reader stumble."""

from __future__ import annotations

import base64
import hashlib
import warnings
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.errors import KeyUnusable
from proxy.keys import der
from proxy.keys.admission import admit
from proxy.keys.certificate import armourless, read_facts
from proxy.keys.material import read_material
from proxy.keys.rsa_signer import RsaSigner
from proxy.keys.source import LoadedKey
from proxy.keys.unlock import Lock
from tests.keys.making import NOW, certificate, oid, openssl, pem, pkcs1, qc_statements, sequence, text, tlv, write

FUZZ = settings(
    max_examples=300, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def test_facts(key: RSAPrivateKey, cert: bytes) -> None:
    facts = read_facts(cert)
    assert facts.subject == (
        "CN=Throw-Away Seal,organizationIdentifier=PSDFI-FINFSA-112233,O=Throw-Away Payments Oy,C=FI"
    )
    assert facts.issuer == r"CN=Throw-Away Trust\, CA"
    assert facts.serial == "a1b2c3d"
    assert facts.organization_identifier == "PSDFI-FINFSA-112233"
    assert (facts.not_before, facts.not_after) == (NOW - timedelta(days=10), NOW + timedelta(days=300))
    assert facts.roles == ("PSP_PI", "PSP_AI")
    assert (facts.authority_name, facts.authority_id) == ("Finanssivalvonta", "FI-FINFSA")
    assert facts.qc_type == "eseal"
    assert facts.fingerprint_sha256 == hashlib.sha256(cert).hexdigest()
    assert facts.der == cert


def test_the_fingerprint_and_serial_are_those_openssl_prints(cert: bytes, tmp_path: Path) -> None:
    said = openssl("x509", "-in", write(tmp_path / "c.pem", pem(cert)), "-noout", "-fingerprint", "-sha256", "-serial")
    printed = said.decode().replace(":", "").lower()
    assert read_facts(cert).fingerprint_sha256 in printed
    assert f"serial=0{read_facts(cert).serial}" in printed


def test_armourless_is_one_line_of_the_same_bytes(cert: bytes) -> None:
    line = armourless(cert)
    assert base64.b64decode(line, validate=True) == cert
    assert "\n" not in line
    assert "-" not in line


@pytest.mark.parametrize("qc_type", ["eseal", "esign", "web"])
def test_every_qc_type(qc_type: str, key: RSAPrivateKey) -> None:
    assert read_facts(certificate(key, statements=qc_statements(qc_type=qc_type))).qc_type == qc_type


def test_a_role_nobody_has_named_keeps_its_number(key: RSAPrivateKey) -> None:
    role = sequence(oid("0.4.0.19495.1.9"), text("PSP_XX"))
    statement = sequence(oid("0.4.0.19495.2"), sequence(sequence(role), text("N"), text("I")))
    assert read_facts(certificate(key, statements=sequence(statement))).roles == ("0.4.0.19495.1.9",)


def admitted(key: RSAPrivateKey, cert: bytes) -> LoadedKey:
    return admit(RsaSigner(key), key.public_key(), cert, NOW)


WARNED = [
    (qc_statements(), ""),
    (qc_statements(("PSP_AS", "PSP_PI")), ""),
    (None, "no PSD2 QCStatements"),
    (sequence(sequence(oid("0.4.0.1862.1.1"))), "no PSD2 QCStatements"),
    (qc_statements(qc_type="esign"), "QcType is esign"),
    (qc_statements(qc_type="web"), "QcType is web"),
    (qc_statements(qc_type=None), "QcType is absent"),
    (qc_statements(("PSP_AI",)), "lacks the role PSP_PI"),
    (qc_statements(("PSP_PI",)), r"lacks the role PSP_AI (or PSP_AS)"),
    (qc_statements(("PSP_PI", "PSP_IC")), r"lacks the role PSP_AI (or PSP_AS)"),
    (qc_statements(()), "lacks the role PSP_AI (or PSP_AS) and PSP_PI"),
    (qc_statements(None), "lacks the role PSP_AI (or PSP_AS) and PSP_PI"),
    (qc_statements(("PSP_IC",)), "only role is PSP_IC"),
]


@pytest.mark.parametrize(("statements", "sentence"), WARNED)
def test_one_warning_for_each_doubt(statements: bytes | None, sentence: str, key: RSAPrivateKey) -> None:
    said = admitted(key, certificate(key, statements=statements)).warnings
    assert len(said) == bool(sentence)
    assert sentence in "".join(said)
    assert all(one.endswith(".") for one in said)


@pytest.mark.parametrize(("left", "warned"), [(timedelta(days=30), False), (timedelta(days=29, hours=23), True)])
def test_expiry_is_announced(left: timedelta, warned: bool, key: RSAPrivateKey) -> None:
    said = admitted(key, certificate(key, after=NOW + left)).warnings
    assert said == (("The certificate expires in 29 days, on 2026-07-01.",) if warned else ())


def test_both_ends_of_the_period_belong_to_it(key: RSAPrivateKey) -> None:
    assert admitted(key, certificate(key, after=NOW)).certificate is not None
    assert admitted(key, certificate(key, before=NOW)).certificate is not None


def test_a_signer_that_signs_wrongly_is_not_admitted(key: RSAPrivateKey, other_key: RSAPrivateKey) -> None:
    with pytest.raises(KeyUnusable) as caught:
        admit(RsaSigner(other_key), key.public_key(), None, NOW)
    assert caught.value.code == "signing_failed"


def test_the_gate_checks_the_pair_itself(key: RSAPrivateKey, other_cert: bytes) -> None:
    with pytest.raises(KeyUnusable) as caught:
        admitted(key, other_cert)
    assert caught.value.code == "key_pair_mismatch"


MALFORMED = [
    b"", b"\x00", b"\x30", b"\x30\x01", b"\x30\x80\x00\x00", b"\x30\x81\x01\x00", b"\x30\x85\x00\x00\x00\x00\x00",
    b"\x30\x82\x00\x80" + bytes(128), b"\x1f\x01\x00", b"\x30\x00\x30", b"\x04\x00", b"\x30\x00\x30\x00",
    b"\x30\xff" + bytes(127),
]


@pytest.mark.parametrize("data", MALFORMED, ids=bytes.hex)
def test_what_is_not_strict_der_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        der.single(data, der.SEQUENCE)


@pytest.mark.parametrize("content", [b"", b"\x80\x01", b"\x2a\x80\x01", b"\x2a\x86", b"\x2a" * 65])
def test_what_is_no_object_identifier_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError):
        der.dotted(der.single(tlv(0x06, content), 0x06))


@pytest.mark.parametrize("dotted", ["0.4.0.19495.2", "1.2.840.113549.1.1.10", "2.5.4.97", "2.999.3", "1.3.6.1.5"])
def test_object_identifiers_read_as_the_library_writes_them(dotted: str) -> None:
    assert der.dotted(der.single(oid(dotted), 0x06)) == dotted


def test_the_reader_is_bounded() -> None:
    with pytest.raises(ValueError, match="more elements"):
        der.elements(b"\x05\x00" * (der.MAX_ELEMENTS + 1))
    with pytest.raises(ValueError, match="more bytes"):
        der.elements(bytes(der.MAX_BYTES + 1))


def survives(data: bytes) -> None:
    """Whatever the bytes are, the only exception is ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for read in (read_facts, lambda data: read_material(data, Lock("the file", b"password"))):
            try:
                read(data)
            except KeyUnusable:
                pass


@FUZZ
@given(st.binary(max_size=400))
def test_random_bytes(data: bytes) -> None:
    survives(data)
    survives(b"-----BEGIN PRIVATE KEY-----\n" + base64.encodebytes(data) + b"-----END PRIVATE KEY-----")


@FUZZ
@given(place=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255), cut=st.booleans(), which=st.booleans())
def test_damaged_certificates_and_keys(
    place: float, byte: int, cut: bool, which: bool, weak_key: RSAPrivateKey, cert: bytes
) -> None:
    """The library tries the primes of what still looks like a key: short ones take a tenth of the time."""
    whole = cert if which else base64.b64decode(b"".join(pkcs1(weak_key).splitlines()[1:-1]))
    index = int(place * len(whole))
    survives(whole[:index] if cut else whole[:index] + bytes([byte]) + whole[index + 1 :])


@FUZZ
@given(place=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
def test_damaged_qc_statements(place: float, byte: int, key: RSAPrivateKey) -> None:
    whole = qc_statements()
    index = int(place * len(whole))
    survives(certificate(key, statements=whole[:index] + bytes([byte]) + whole[index + 1 :]))

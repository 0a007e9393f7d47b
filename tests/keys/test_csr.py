"""A request says what the provider must put into the certificate, by openssl and by the reader of certificates."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.errors import ConfigInvalid, KeyUnusable
from proxy.keys import der
from proxy.keys.certificate import QC_COMPLIANCE, read_facts
from proxy.keys.csr import make_request, private_pem, read_seal_details
from proxy.keys.linting import lint
from proxy.keys.statements import qc_statements
from tests.keys import making
from tests.keys.seals import Issuer

DETAILS = {"country": "FI", "organization": "Ünïcode Maksut Oy", "organization_identifier": "PSDFI-FINFSA-1234567-8",
           "common_name": "Maksut", "roles": ["PSP_PI", "PSP_AI"], "authority_name": "Finanssivalvonta",
           "authority_id": "FI-FINFSA"}


def test_openssl_reads_it(key: RSAPrivateKey) -> None:
    request = make_request(key, read_seal_details(DETAILS))
    shown = making.openssl("req", "-noout", "-text", "-verify", "-nameopt", "utf8,sep_comma_plus", given=request)
    said = shown.decode()
    assert "C=FI,O=Ünïcode Maksut Oy,organizationIdentifier=PSDFI-FINFSA-1234567-8,CN=Maksut" in said
    assert "Digital Signature, Non Repudiation" in said
    assert "sha256WithRSAEncryption" in said


def test_openssl_finds_the_statements_where_the_standard_has_them(key: RSAPrivateKey, tmp_path: Path) -> None:
    path = tmp_path / "statements"
    path.write_bytes(qc_statements(["PSP_PI"], "Finanssivalvonta", "FI-FINFSA"))
    said = making.openssl("asn1parse", "-inform", "DER", "-in", str(path)).decode()
    found = [line.rsplit(":", 1)[1] for line in said.splitlines() if "OBJECT" in line or "UTF8STRING" in line]
    assert found == ["0.4.0.1862.1.6", "0.4.0.1862.1.6.2", "0.4.0.19495.2", "0.4.0.19495.1.2", "PSP_PI",
                     "Finanssivalvonta", "FI-FINFSA"]


def test_a_certificate_made_from_it_has_nothing_wrong(key: RSAPrivateKey) -> None:
    """The provider copies subject and extensions, and adds QcCompliance."""
    issuer = Issuer()
    request = x509.load_pem_x509_csr(make_request(key, read_seal_details(DETAILS)))
    assert request.is_signature_valid
    statements = request.extensions.get_extension_for_oid(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.3")).value
    inner = der.single(statements.public_bytes(), der.SEQUENCE).value
    whole = making.sequence(inner, making.sequence(making.oid(QC_COMPLIANCE)))
    usage = request.extensions.get_extension_for_class(x509.KeyUsage).value
    encoded = issuer.issue(request.public_key(), name=request.subject, statements=whole, key_usage=usage).public_bytes(
        Encoding.DER)
    facts = read_facts(encoded)
    assert (facts.roles, facts.qc_type) == (("PSP_PI", "PSP_AI"), "eseal")
    assert (facts.authority_name, facts.authority_id) == ("Finanssivalvonta", "FI-FINFSA")
    assert lint(encoded, (issuer.der,), None, making.NOW) == []


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(roles=st.lists(st.sampled_from(sorted(making.ROLES)), unique=True), name=st.text(max_size=300),
       kind=st.sampled_from(["eseal", "esign", "web"]))
def test_what_is_written_is_what_an_independent_writer_writes(roles: list[str], name: str, kind: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        return
    info = making.sequence(
        making.sequence(*(making.sequence(making.oid(f"0.4.0.19495.1.{making.ROLES[role]}"), making.text(role))
                          for role in roles)), making.text(name), making.text("FI-FINFSA"))
    number = making.oid(f"0.4.0.1862.1.6.{making.QC_TYPES[kind]}")
    assert qc_statements(roles, name, "FI-FINFSA", kind) == making.sequence(
        making.sequence(making.oid("0.4.0.1862.1.6"), making.sequence(number)),
        making.sequence(making.oid("0.4.0.19495.2"), info))


FAULTS = [
    ({"country": "fi"}, ["country"]), ({"country": None}, ["country"]), ({"organization": "x" * 65}, ["organization"]),
    ({"organization": " "}, ["organization"]), ({"common_name": "a\nb"}, ["common_name"]),
    ({"roles": []}, ["roles"]), ({"roles": ["PSP_XX"]}, ["roles"]), ({"roles": "PSP_PI"}, ["roles"]),
    ({"roles": ["PSP_PI", "PSP_PI"]}, ["roles"]), ({"roles": [{}]}, ["roles"]), ({"authority_id": "FINFSA"}, [
        "authority_id", "organization_identifier"]),
    ({"authority_id": "SE-FINA"}, ["organization_identifier"]), ({"organization_identifier": "123"}, [
        "organization_identifier"]),
    ({"colour": "red"}, ["colour"]), ({1: 2}, ["1"]), ({"country": 1, "roles": None}, ["country", "roles"]),
]


@pytest.mark.parametrize(("change", "places"), FAULTS)
def test_every_fault_is_told_with_its_place(change: dict[object, object], places: list[str]) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        read_seal_details({**DETAILS, **change})
    assert caught.value.code == "csr_details_invalid"
    assert [place for place, _ in caught.value.problems] == places


def test_a_password_encrypts_the_key(key: RSAPrivateKey, tmp_path: Path) -> None:
    sealed = private_pem(key, making.PASSWORD)
    assert b"ENCRYPTED" in sealed
    loaded = load_pem_private_key(sealed, making.PASSWORD)
    assert loaded.private_numbers() == key.private_numbers()
    assert b"BEGIN PRIVATE" in private_pem(key, None)
    path = Path(making.write(tmp_path / "k", sealed))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"PRIVATE" in making.openssl("rsa", "-in", str(path), "-passin", f"pass:{making.PASSWORD.decode()}")


@pytest.mark.parametrize("password", [b"", b"x" * 1024])
def test_a_password_that_cannot_be(password: bytes, key: RSAPrivateKey) -> None:
    with pytest.raises(KeyUnusable) as caught:
        private_pem(key, password)
    assert caught.value.code == "key_password"


def test_the_hash_is_sha256(key: RSAPrivateKey) -> None:
    request = x509.load_pem_x509_csr(make_request(key, read_seal_details(DETAILS)))
    assert isinstance(request.signature_hash_algorithm, SHA256)

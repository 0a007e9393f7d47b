"""The certificates are read back with a library that did not write their extensions."""

from __future__ import annotations

import shutil
import stat
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID

from proxy.emulator import Authority, Seal, Validity, der
from proxy.emulator.authority import QC_STATEMENTS, qc_statements, write_private
from proxy.emulator.material import make_material


@pytest.fixture(scope="module")
def certificate(seal):
    return x509.load_pem_x509_certificate(seal.certificate_pem)


def test_the_seal_is_issued_by_the_authority(authority, certificate):
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.pem))


def test_the_seal_names_its_holder(certificate):
    identifier = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_IDENTIFIER)
    assert identifier[0].value == "PSDFI-FINFSA-112233"
    assert isinstance(certificate.public_key(), rsa.RSAPublicKey)


def test_a_given_key_is_used_and_the_pair_fits(authority):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pair = authority.seal(key)
    loaded = load_pem_private_key(pair.key_pem, None)
    assert loaded.public_key() == key.public_key()
    assert x509.load_pem_x509_certificate(pair.certificate_pem).public_key() == key.public_key()
    assert "BEGIN" not in repr(pair)


def test_der_lengths_and_arcs():
    assert der.oid("0.4.0.19495.2").hex() == "06060400819827" + "02"
    assert der.oid("1.3.6.1.5.5.7.1.3").hex() == "06082b06010505070103"
    assert der.element(4, b"x" * 127)[:2].hex() == "047f"
    assert der.element(4, b"x" * 128)[:3].hex() == "048180"
    assert der.element(4, b"x" * 300)[:4].hex() == "0482012c"


def test_qc_statements_byte_for_byte():
    """Written down by hand from ETSI EN 319 412-5 and TS 119 495."""
    expected = (
        "3056"
        "3008" "060604008e460101"
        "3013" "060604008e460106" "3009" "060704008e46010602"
        "3035" "06060400" "81982702" "302b"
        "3013" "3011" "0607040081982701" "03" "0c06" + b"PSP_AI".hex() +
        "0c02" + b"XY".hex() + "0c10" + b"XY-FINFSA-AGENCY".hex()
    )
    holder = Seal(roles=("PSP_AI",), authority_name="XY", authority_id="XY-FINFSA-AGENCY")
    assert qc_statements(holder).hex() == expected


def test_openssl_reads_the_statements(certificate):
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("install openssl to have it read the QCStatements")
    encoded = certificate.extensions.get_extension_for_oid(QC_STATEMENTS).value.public_bytes()
    ran = subprocess.run([openssl, "asn1parse", "-inform", "DER"], input=encoded, capture_output=True, check=True)
    text = ran.stdout.decode()
    for part in ("0.4.0.19495.2", "0.4.0.19495.1.3", "PSP_PI", "0.4.0.1862.1.6.2", "FI-FINFSA"):
        assert part in text


def test_validity_can_lie_in_the_past():
    expired = Validity.days(-3)
    assert expired.not_before < expired.not_after
    pair = Authority().server(("localhost",), expired)
    assert x509.load_pem_x509_certificate(pair.certificate_pem).not_valid_after_utc == expired.not_after


def test_keys_are_written_for_the_owner_only(tmp_path, seal):
    path = tmp_path / "key"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes() == b"new"


def test_material_is_kept_and_fits(tmp_path):
    first = make_material(tmp_path / "deep" / "er", client_id="id", client_secret="secret")
    seen = {path: path.read_bytes() for path in (first.ca, first.seal_key, first.seal_certificate, first.server_key)}
    again = make_material(first.directory, client_id="id", client_secret="another")
    assert seen == {path: path.read_bytes() for path in seen}
    assert again.client_secret.read_text() == "another"
    for private in (first.seal_key, first.server_key, first.client_secret):
        assert stat.S_IMODE(private.stat().st_mode) == 0o600
    first.seal_key.unlink()
    make_material(first.directory, client_id="id", client_secret="another")
    assert first.ca.read_bytes() != seen[first.ca]

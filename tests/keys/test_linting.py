"""Every reason for which a bank refuses a certificate is told by its id, and nothing else is."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from proxy.errors import KeyUnusable
from proxy.keys.armour import recover
from proxy.keys.certificate import is_certificate
from proxy.keys.chain import choose_leaf
from proxy.keys.findings import FINDINGS
from proxy.keys.linting import lint
from proxy.keys.rsa_signer import spki_sha256
from tests.keys.making import NOW, certificate, oid, openssl, pem, pkcs1, qc_statements, sequence, text
from tests.keys.seals import ISSUER, Issuer, der, self_made, subject, usage

ROOT = Path(__file__).parents[2]
COMPLIANCE = sequence(oid("0.4.0.1862.1.1"))
ESEAL = sequence(oid("0.4.0.1862.1.6"), sequence(oid("0.4.0.1862.1.6.2")))
UNKNOWN_ROLE = sequence(COMPLIANCE, ESEAL, sequence(oid("0.4.0.19495.2"), sequence(
    sequence(*(sequence(oid(f"0.4.0.19495.1.{last}"), text("PSP")) for last in (2, 3, 9))), text("N"),
    text("FI-FINFSA"))))


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    return Issuer()


def ids(encoded: bytes, chain: tuple[bytes, ...] = (), spki: str | None = None) -> list[str]:
    return [finding.id for finding in lint(encoded, chain, spki, NOW)]


SEALS = {
    "proper": ({}, []),
    "only_psp_ic": ({"statements": qc_statements(("PSP_IC",))}, ["only_psp_ic"]),
    "no PSP_PI": ({"statements": qc_statements(("PSP_AI", "PSP_IC"))}, ["missing_psp_pi"]),
    "no PSP_AI, no PSP_AS": ({"statements": qc_statements(("PSP_PI", "PSP_IC"))}, ["missing_psp_ai"]),
    "PSP_AS will do": ({"statements": qc_statements(("PSP_PI", "PSP_AS"))}, []),
    "no roles": ({"statements": qc_statements(())}, ["missing_psp_pi", "missing_psp_ai"]),
    "an unknown role": ({"statements": UNKNOWN_ROLE}, ["role_unknown"]),
    "no statements": ({"statements": None}, ["no_psd2_statement"]),
    "no PSD2 statement": ({"statements": qc_statements(None)}, ["no_psd2_statement"]),
    "web": ({"statements": qc_statements(qc_type="web")}, ["qc_type_web"]),
    "esign": ({"statements": qc_statements(qc_type="esign")}, ["qc_type_esign"]),
    "no type": ({"statements": qc_statements(qc_type=None)}, ["qc_type_absent"]),
    "advanced": ({"statements": sequence(ESEAL)}, ["no_psd2_statement", "qc_compliance_absent"]),
    "expired": ({"days": -1}, ["expired"]),
    "not yet valid": ({"before": 1}, ["not_yet_valid"]),
    "30 days": ({"days": 30}, []),
    "29 days": ({"days": 29.9}, ["expires_within_30_days"]),
    "14 days": ({"days": 14}, ["expires_within_30_days"]),
    "13 days": ({"days": 13.9}, ["expires_within_14_days"]),
    "6 days": ({"days": 6.9}, ["expires_within_7_days"]),
    "the last second": ({"days": 0}, ["expires_within_7_days"]),
    "no identifier": ({"identifier": None}, ["organization_identifier_missing"]),
    "a bare identifier": ({"identifier": "112233"}, ["organization_identifier_malformed"]),
    "a VAT identifier": ({"identifier": "VATFI-11223344"}, ["organization_identifier_malformed"]),
    "a lower-case country": ({"identifier": "PSDfi-FINFSA-1"}, ["organization_identifier_malformed"]),
    "another authority": ({"identifier": "PSDSE-FINA-556677"}, ["authority_differs"]),
    "no usage": ({"key_usage": None}, ["key_usage_absent"]),
    "a TLS client's usage": ({"key_usage": usage(key_encipherment=True)}, ["key_usage_unfit"]),
    "nonRepudiation alone": ({"key_usage": usage(content_commitment=True)}, []),
    "several at once": ({"days": -1, "identifier": None, "statements": qc_statements(("PSP_IC",), "web")},
                        ["only_psp_ic", "qc_type_web", "organization_identifier_missing", "expired"]),
}


@pytest.mark.parametrize(("changes", "expected"), SEALS.values(), ids=SEALS)
def test_a_certificate_says_exactly_this(changes, expected, issuer: Issuer, key: RSAPrivateKey) -> None:
    assert ids(der(issuer.issue(key.public_key(), **changes)), (issuer.der,)) == expected


def test_the_pair(issuer: Issuer, key: RSAPrivateKey, other_key: RSAPrivateKey) -> None:
    seal = der(issuer.issue(key.public_key()))
    assert ids(seal, (issuer.der,), spki_sha256(key.public_key())) == []
    assert ids(seal, (issuer.der,), spki_sha256(other_key.public_key())) == ["key_pair_mismatch"]


def test_the_kind_of_key(issuer: Issuer, weak_key: RSAPrivateKey) -> None:
    assert ids(der(issuer.issue(weak_key.public_key())), (issuer.der,)) == ["key_too_small"]
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    assert ids(der(issuer.issue(curve)), (issuer.der,)) == ["key_not_rsa"]


def test_a_key_that_is_bound_to_pss(tmp_path: Path) -> None:
    openssl("req", "-x509", "-newkey", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048", "-nodes", "-subj", "/CN=a",
            "-addext", "basicConstraints=CA:FALSE", "-keyout", str(tmp_path / "k"), "-outform", "DER", "-out",
            str(tmp_path / "c"))
    found = set(ids((tmp_path / "c").read_bytes()))
    assert {"key_pss_only", "pss_signature", "self_signed", "no_psd2_statement"} <= found
    assert not {"key_not_rsa", "key_too_small"} & found


def test_the_signature(key: RSAPrivateKey, other_key: RSAPrivateKey) -> None:
    assert ids(self_made(other_key, pss=True)) == ["pss_signature", "chain_incomplete"]
    assert ids(self_made(other_key)) == ["chain_incomplete"]
    assert ids(self_made(key, subject())) == ["self_signed"]


def test_a_weak_hash(key: RSAPrivateKey, tmp_path: Path) -> None:
    """The library signs nothing with SHA-1 any more, so openssl does."""
    (tmp_path / "k").write_bytes(pkcs1(key))
    made = openssl("req", "-x509", "-key", str(tmp_path / "k"), "-sha1", "-subj", "/CN=a", "-outform", "DER",
                   "-addext", "basicConstraints=CA:FALSE")
    assert "signature_hash_weak" in ids(made)


def test_the_chain(issuer: Issuer, key: RSAPrivateKey) -> None:
    seal, stranger = der(issuer.issue(key.public_key())), ec.generate_private_key(ec.SECP256R1())
    assert ids(seal) == ["chain_incomplete"]
    assert ids(seal, (der(issuer.again(stranger)),)) == ["chain_broken"]
    assert ids(seal, (der(issuer.again(stranger)), issuer.der)) == []
    assert ids(seal, (der(issuer.again(days=-1)),)) == ["issuer_expired"]
    assert ids(seal, (certificate(key), seal)) == ["chain_incomplete"]


def test_an_authority_is_told_as_such(issuer: Issuer) -> None:
    assert ids(issuer.der) == ["key_not_rsa", "authority_certificate"]


def test_the_leaf_of_a_file(issuer: Issuer, key: RSAPrivateKey, other_key: RSAPrivateKey) -> None:
    one, two = der(issuer.issue(key.public_key())), der(issuer.issue(other_key.public_key(), serial=2))
    assert choose_leaf([issuer.der, one, two], None) == one
    assert choose_leaf([issuer.der, one, two], spki_sha256(other_key.public_key())) == two
    assert choose_leaf([issuer.der], None) == issuer.der


ARMOUR: dict[str, tuple[Callable[[bytes], bytes], list[str]]] = {
    "proper": (lambda whole: whole, []),
    "several": (lambda whole: whole + whole, []),
    "escaped": (lambda whole: whole.replace(b"\n", rb"\n"), ["armour_escaped"]),
    "no END": (lambda whole: whole[:whole.index(b"-----END")], ["armour_damaged"]),
    "four dashes": (lambda whole: whole.replace(b"-----BEGIN", b"----BEGIN"), ["armour_damaged"]),
    "another END": (lambda whole: whole.replace(b"END CERTIFICATE", b"END CERT"), ["armour_damaged"]),
    "old label": (lambda whole: whole.replace(b" CERTIFICATE", b" X509 CERTIFICATE"), ["armour_label"]),
    "comment": (lambda whole: b"subject=CN\n" + whole, ["armour_surroundings"]),
    "byte order mark": (lambda whole: b"\xef\xbb\xbf" + whole, ["armour_surroundings"]),
    "CRLF": (lambda whole: whole.replace(b"\n", b"\r\n"), []),
}


@pytest.mark.parametrize(("change", "expected"), ARMOUR.values(), ids=ARMOUR)
def test_the_armour(change: Callable[[bytes], bytes], expected: list[str], cert: bytes) -> None:
    body, found = recover(change(pem(cert)))
    assert [finding.id for finding in found] == expected
    assert is_certificate(body) or b"-----BEGIN " in body


def test_a_key_beside_the_certificate(cert: bytes, key: RSAPrivateKey) -> None:
    assert [finding.id for finding in recover(pem(cert) + pkcs1(key))[1]] == ["private_key_in_file"]


@pytest.mark.parametrize("data", [b"", b"-----", b"-" * 100_000, b"-----BEGIN CERTIFICATE-----", b"BEGIN\\n" * 9999])
def test_what_is_no_certificate_stays_as_it_is(data: bytes) -> None:
    assert recover(data) == (data, [])


def test_without_armour(cert: bytes) -> None:
    for data in (cert, base64.b64encode(cert)):
        assert recover(data) == (data, [])


def test_garbage_is_refused() -> None:
    with pytest.raises(KeyUnusable) as caught:
        lint(b"garbage", (), None, NOW)
    assert caught.value.code == "certificate_format"


def test_the_document_lists_every_finding() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    table = page.split("| finding | severity |")[1].split("\n\n")[0]
    rows = re.findall(r"^\| `([a-z0-9_]+)` \| (error|warning) \| (.*) \| (.*) \|$", table, re.MULTILINE)
    assert rows == [(name, *row) for name, row in FINDINGS.items()]


def test_every_finding_is_two_sentences() -> None:
    for severity, reason, advice in FINDINGS.values():
        assert severity in ("error", "warning")
        assert reason.endswith(".")
        assert advice.endswith(".")
        assert "|" not in reason + advice


def test_names_of_the_issuer_are_shown(issuer: Issuer, key: RSAPrivateKey) -> None:
    (finding,) = lint(der(issuer.issue(key.public_key())), (), None, NOW)
    assert ISSUER.rfc4514_string() in finding.reason
    assert isinstance(issuer.certificate, x509.Certificate)

"""Only the issuer, or whom it has named, is believed about a certificate's status."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.keys.revocation import Services, ocsp_request, read_crl, read_ocsp, services_of
from tests.keys.making import NOW, openssl, pem
from tests.keys.responder import delegate, ocsp_answer, revocation_list
from tests.keys.seals import Issuer, der


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture(scope="module")
def seal(issuer: Issuer, key: RSAPrivateKey) -> x509.Certificate:
    return issuer.issue(key.public_key(), ocsp="http://ocsp.example/", crl="http://crl.example/x.crl")


def said(answer: bytes, seal: x509.Certificate, issuer: Issuer) -> tuple[str, str]:
    status = read_ocsp(answer, seal, issuer.certificate, NOW)
    return status.state, status.detail


@pytest.mark.parametrize("state", ["good", "revoked", "unknown"])
def test_the_issuers_word(state: str, seal: x509.Certificate, issuer: Issuer) -> None:
    assert said(ocsp_answer(issuer, seal, state, NOW), seal, issuer)[0] == state
    by_delegate = ocsp_answer(issuer, seal, state, NOW, signer=delegate(issuer))
    assert said(by_delegate, seal, issuer)[0] == state


def test_since_when(seal: x509.Certificate, issuer: Issuer) -> None:
    assert said(ocsp_answer(issuer, seal, "revoked", NOW), seal, issuer)[1] == "since 2026-05-31 12:00 UTC"


def test_strangers_are_not_believed(seal: x509.Certificate, issuer: Issuer) -> None:
    stranger = Issuer()
    forged = ocsp_answer(stranger, seal, "good", NOW)
    assert said(forged, seal, issuer) == ("unreachable", "the answer is not signed by the issuer or for it")
    for signer in (delegate(issuer, named=False), delegate(stranger)):
        answer = ocsp_answer(issuer, seal, "good", NOW, signer=signer)
        assert said(answer, seal, issuer)[0] == "unreachable"


def test_another_certificates_status(seal: x509.Certificate, issuer: Issuer, key: RSAPrivateKey) -> None:
    other = issuer.issue(key.public_key(), serial=5)
    assert said(ocsp_answer(issuer, other, "good", NOW), seal, issuer)[1] == "the answer is about another certificate"


@pytest.mark.parametrize("minutes", [(-120, -60), (60, 120)])
def test_an_answer_that_is_not_in_date(minutes: tuple[int, int], seal: x509.Certificate, issuer: Issuer) -> None:
    assert said(ocsp_answer(issuer, seal, "good", NOW, minutes=minutes), seal, issuer)[1] == "it is not in date"


def test_a_responder_that_refuses(seal: x509.Certificate, issuer: Issuer) -> None:
    refusal = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
    assert said(refusal.public_bytes(Encoding.DER), seal, issuer) == ("unreachable", "the responder says try_later")


@settings(max_examples=100, deadline=None, derandomize=True, database=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 10_000), value=st.integers(0, 255), cut=st.booleans())
def test_damage_is_never_good(position: int, value: int, cut: bool, seal: x509.Certificate, issuer: Issuer) -> None:
    for whole, read in ((ocsp_answer(issuer, seal, "revoked", NOW), read_ocsp),
                        (revocation_list(issuer, (seal.serial_number,), NOW), read_crl)):
        at = position % len(whole)
        damaged = whole[:at] if cut else whole[:at] + bytes([value]) + whole[at + 1:]
        assert read(damaged, seal, issuer.certificate, NOW).state in ("revoked", "unreachable")


def test_openssl_reads_the_question(seal: x509.Certificate, issuer: Issuer, tmp_path: Path) -> None:
    (tmp_path / "q").write_bytes(ocsp_request(seal, issuer.certificate))
    text = openssl("ocsp", "-reqin", str(tmp_path / "q"), "-req_text", "-noverify").decode()
    assert "Serial Number: 0A1B2C3D" in text
    (tmp_path / "i.pem").write_bytes(pem(issuer.der))
    (tmp_path / "c.pem").write_bytes(pem(der(seal)))
    own = openssl("ocsp", "-issuer", str(tmp_path / "i.pem"), "-cert", str(tmp_path / "c.pem"), "-no_nonce", "-reqout",
                  str(tmp_path / "own"))
    assert own == b""
    assert (tmp_path / "own").read_bytes() == (tmp_path / "q").read_bytes()


def test_the_list(seal: x509.Certificate, issuer: Issuer) -> None:
    def state(encoded: bytes) -> str:
        return read_crl(encoded, seal, issuer.certificate, NOW).state

    assert state(revocation_list(issuer, (1, 2), NOW)) == "good"
    assert state(revocation_list(issuer, (seal.serial_number,), NOW)) == "revoked"
    assert state(revocation_list(issuer, (), NOW, key=ec.generate_private_key(ec.SECP256R1()))) == "unreachable"
    assert state(revocation_list(issuer, (), NOW, days=-1)) == "unreachable"
    assert state(revocation_list(issuer, (), NOW, extra=((x509.DeltaCRLIndicator(1), True),))) == "unreachable"
    part = x509.IssuingDistributionPoint(None, None, False, True, None, False, False)
    assert state(revocation_list(issuer, (), NOW, extra=((part, True),))) == "unreachable"


def test_addresses(seal: x509.Certificate, issuer: Issuer, key: RSAPrivateKey) -> None:
    assert services_of(seal) == Services(("http://ocsp.example/",), ("http://crl.example/x.crl",))
    assert services_of(issuer.issue(key.public_key())) == Services((), ())
    local = issuer.issue(key.public_key(), ocsp="file:///etc/passwd", crl="ldap://x/")
    assert services_of(local) == Services((), ())

"""Lets a key into service only after everything has been checked that can be checked without the bank.

Every key source ends here, so that a key from a file, from Vault or from an HSM passes the same gate.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from proxy.errors import KeyUnusable
from proxy.keys.certificate import parse_certificate, read_facts
from proxy.keys.pairing import certified_key
from proxy.keys.rsa_signer import spki_sha256
from proxy.keys.source import CertificateFacts, LoadedKey, Signer
from proxy.keys.unlock import RSASSA_PSS

MIN_BITS = 2048
EXPIRES_SOON = timedelta(days=30)

_TEST_MESSAGE = b"proxy test signature: not a request"


def admit(signer: Signer, public_key: RSAPublicKey, certificate: bytes | None, now: datetime, *,
          early: bool = False) -> LoadedKey:
    """The checked key.  certificate: DER, or None (then there are warnings instead of checks).  now: aware.
    early: its first day may still come; who uses the key must look.

    Makes and verifies one signature.  Raises KeyUnusable: key_too_small, key_type, key_pair_mismatch,
    certificate_format, certificate_expired, certificate_not_yet_valid, signing_failed.
    """
    if signer.bits < MIN_BITS:
        raise KeyUnusable("key_too_small", f"it has {signer.bits} bits")
    facts = None
    if certificate is not None:
        _check_pair(certificate, public_key)
        facts = read_facts(certificate)
        _check_dates(facts, now, early=early)
    _check_signature(signer, public_key)
    return LoadedKey(signer, facts, warnings_about(facts, now), public_key)


def warnings_about(facts: CertificateFacts | None, now: datetime) -> tuple[str, ...]:
    """One sentence for everything that the bank may well refuse, but that is no reason not to start."""
    if facts is None:
        return ("No certificate is given, so the pair, the dates and the roles are not checked.",)
    found = [_about_type(facts), _about_roles(facts), _about_begin(facts, now), _about_expiry(facts, now)]
    return tuple(sentence for sentence in found if sentence)


def _check_pair(certificate: bytes, public_key: RSAPublicKey) -> None:
    parsed = parse_certificate(certificate)
    if parsed.public_key_algorithm_oid.dotted_string == RSASSA_PSS:
        raise KeyUnusable("key_type", "the certificate allows RSASSA-PSS signatures only")
    certified = certified_key(parsed)
    if certified is None:
        raise KeyUnusable("key_type", "the certificate's key is not RSA")
    if spki_sha256(certified) != spki_sha256(public_key):
        raise KeyUnusable("key_pair_mismatch", "their public keys differ")


def _check_dates(facts: CertificateFacts, now: datetime, *, early: bool) -> None:
    # RFC 5280 section 4.1.2.5: both ends belong to the period.
    if now > facts.not_after:
        raise KeyUnusable("certificate_expired", f"it was valid until {facts.not_after:%Y-%m-%d %H:%M} UTC")
    if now < facts.not_before and not early:
        raise KeyUnusable("certificate_not_yet_valid", f"it is valid from {facts.not_before:%Y-%m-%d %H:%M} UTC")


def _check_signature(signer: Signer, public_key: RSAPublicKey) -> None:
    try:
        public_key.verify(signer.sign(_TEST_MESSAGE), _TEST_MESSAGE, PKCS1v15(), SHA256())
    except InvalidSignature:
        raise KeyUnusable("signing_failed", "the test signature does not verify") from None


def _about_type(facts: CertificateFacts) -> str:
    if not facts.qc_type and not facts.roles:
        return "The certificate has no PSD2 QCStatements, which only the bank's Premium APIs accept."
    if facts.qc_type != "eseal":
        return f"The certificate's QcType is {facts.qc_type or 'absent'}, and the bank wants an e-seal (QSealC)."
    return ""


def _about_roles(facts: CertificateFacts) -> str:
    roles = set(facts.roles)
    if roles == {"PSP_IC"}:
        return "The certificate's only role is PSP_IC, which the bank's portal denies."
    missing = [] if roles & {"PSP_AI", "PSP_AS"} else ["PSP_AI (or PSP_AS)"]
    missing += [] if "PSP_PI" in roles else ["PSP_PI"]
    if not missing or not (roles or facts.qc_type):
        return ""
    return f"The certificate lacks the role {' and '.join(missing)}, which the bank's portal asks for."


def _about_begin(facts: CertificateFacts, now: datetime) -> str:
    if now >= facts.not_before:
        return ""
    return f"The certificate is valid from {facts.not_before:%Y-%m-%d %H:%M} UTC, and its key signs nothing before."


def _about_expiry(facts: CertificateFacts, now: datetime) -> str:
    left = facts.not_after - now
    if left >= EXPIRES_SOON:
        return ""
    return f"The certificate expires in {left.days} days, on {facts.not_after:%Y-%m-%d}."

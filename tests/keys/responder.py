"""What an issuer's status service says, signed by whom it should be or not."""

from __future__ import annotations

from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.keys.seals import ISSUER, Issuer

STATES = {"good": ocsp.OCSPCertStatus.GOOD, "revoked": ocsp.OCSPCertStatus.REVOKED,
          "unknown": ocsp.OCSPCertStatus.UNKNOWN}


def ocsp_answer(
    issuer: Issuer, certificate: x509.Certificate, state: str, now: datetime, *,
    signer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None, minutes: tuple[int, int] = (-1, 60),
) -> bytes:
    """minutes: this and next update, from now.  signer: a delegate, by default the issuer."""
    revoked = state == "revoked"
    builder = ocsp.OCSPResponseBuilder().add_response(
        certificate, issuer.certificate, SHA1(), STATES[state], now + timedelta(minutes=minutes[0]),
        now + timedelta(minutes=minutes[1]), now - timedelta(days=1) if revoked else None,
        x509.ReasonFlags.key_compromise if revoked else None)
    own, key = signer or (issuer.certificate, issuer.key)
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, own)
    if signer is not None:
        builder = builder.certificates([own])
    return builder.sign(key, SHA256()).public_bytes(Encoding.DER)


def delegate(issuer: Issuer, *, named: bool = True) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A responder's certificate; named: whether the issuer has made it one."""
    key = ec.generate_private_key(ec.SECP256R1())
    usage = ExtendedKeyUsageOID.OCSP_SIGNING if named else ExtendedKeyUsageOID.CLIENT_AUTH
    return issuer.issue(key.public_key(), statements=None, serial=99, extra=(x509.ExtendedKeyUsage([usage]),)), key


def revocation_list(
    issuer: Issuer, serials: tuple[int, ...], now: datetime, *, key: ec.EllipticCurvePrivateKey | None = None,
    days: int = 1, extra: tuple[tuple[x509.ExtensionType, bool], ...] = (),
) -> bytes:
    builder = x509.CertificateRevocationListBuilder(ISSUER, now - timedelta(days=2), now + timedelta(days=days))
    for serial in serials:
        entry = x509.RevokedCertificateBuilder(serial, now - timedelta(days=1))
        builder = builder.add_revoked_certificate(entry.build())
    for extension, critical in extra:
        builder = builder.add_extension(extension, critical)
    return builder.sign(key or issuer.key, SHA256()).public_bytes(Encoding.DER)

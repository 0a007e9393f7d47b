"""Everything that people compare when they ask which certificate they have in front of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from proxy.errors import KeyUnusable
from proxy.keys.certificate import UNREADABLE, parse_certificate, read_facts, statement_infos
from proxy.keys.source import CertificateFacts
from proxy.keys.unlock import RSASSA_PSS

RSASSA_PSS_NAME = "RSASSA-PSS"
_KEY_KINDS = ((rsa.RSAPublicKey, "RSA"), (ec.EllipticCurvePublicKey, "EC"), (ed25519.Ed25519PublicKey, "Ed25519"),
              (ed448.Ed448PublicKey, "Ed448"))
# RFC 8017 appendix C, RFC 5758 section 3.2, RFC 8410 section 3
_SIGNATURES = {
    "1.2.840.113549.1.1.4": "md5WithRSAEncryption", "1.2.840.113549.1.1.5": "sha1WithRSAEncryption",
    "1.2.840.113549.1.1.10": RSASSA_PSS_NAME, "1.2.840.113549.1.1.11": "sha256WithRSAEncryption",
    "1.2.840.113549.1.1.12": "sha384WithRSAEncryption", "1.2.840.113549.1.1.13": "sha512WithRSAEncryption",
    "1.2.840.10045.4.3.2": "ecdsa-with-SHA256", "1.2.840.10045.4.3.3": "ecdsa-with-SHA384",
    "1.2.840.10045.4.3.4": "ecdsa-with-SHA512", "1.3.101.112": "Ed25519",
}


@dataclass(frozen=True, slots=True)
class CertificateDetails:
    """key_type: "RSA", "EC", … or "unknown".  key_bits: 0 when unknown.  signature_algorithm: name, or
    dotted number.  signature_hash: such as "sha256", or empty.

    pss_only: the key is bound to RSASSA-PSS (RFC 4055).  key_usage: RFC 5280 names, None without the extension.
    statements: dotted numbers of the QCStatements, None without the extension.
    spki_sha256, fingerprint_sha1: lower-case hex.
    """

    facts: CertificateFacts
    key_type: str
    key_bits: int
    pss_only: bool
    signature_algorithm: str
    signature_hash: str
    key_usage: tuple[str, ...] | None
    statements: tuple[str, ...] | None
    is_authority: bool
    self_issued: bool
    fingerprint_sha1: str
    spki_sha256: str


def read_details(encoded: bytes) -> CertificateDetails:
    """encoded: one DER certificate.  Raises KeyUnusable: certificate_format."""
    facts = read_facts(encoded)
    certificate = parse_certificate(encoded)
    kind, bits, spki = _key(certificate)
    number = certificate.signature_algorithm_oid.dotted_string
    try:
        usage, authority = _key_usage(certificate), _is_authority(certificate)
        infos = statement_infos(certificate)
    except UNREADABLE:
        raise KeyUnusable("certificate_format", "an extension of the certificate is not well-formed DER") from None
    return CertificateDetails(
        facts=facts, key_type=kind, key_bits=bits,
        pss_only=certificate.public_key_algorithm_oid.dotted_string == RSASSA_PSS,
        signature_algorithm=_SIGNATURES.get(number, number), signature_hash=_signature_hash(certificate),
        key_usage=usage, statements=None if infos is None else tuple(infos), is_authority=authority,
        self_issued=certificate.issuer == certificate.subject,
        fingerprint_sha1=certificate.fingerprint(SHA1()).hex(),  # noqa: S303 - it is what portals display
        spki_sha256=spki,
    )


def _signature_hash(certificate: x509.Certificate) -> str:
    """Such as "sha256"; empty where the algorithm has none, or an unknown one."""
    try:
        algorithm = certificate.signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm):
        return ""
    return algorithm.name if algorithm is not None else ""


def _key(certificate: x509.Certificate) -> tuple[str, int, str]:
    """Kind, size in bits, and SHA-256 over SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7)."""
    try:
        key = certificate.public_key()
        spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm):
        return "unknown", 0, ""
    kind = next((name for cls, name in _KEY_KINDS if isinstance(key, cls)), "unknown")
    return kind, getattr(key, "key_size", 256), hashlib.sha256(spki).hexdigest()


_USAGES = {"digital_signature": "digitalSignature", "content_commitment": "nonRepudiation",
           "key_encipherment": "keyEncipherment", "data_encipherment": "dataEncipherment",
           "key_agreement": "keyAgreement", "key_cert_sign": "keyCertSign", "crl_sign": "cRLSign"}


def _key_usage(certificate: x509.Certificate) -> tuple[str, ...] | None:
    """RFC 5280 section 4.2.1.3."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None
    return tuple(name for attribute, name in _USAGES.items() if getattr(usage, attribute))


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False

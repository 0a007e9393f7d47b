"""Finds who issued a certificate among those at hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from proxy.keys.details import read_details


def issuers_by_name(certificate: x509.Certificate, pool: Iterable[x509.Certificate]) -> list[x509.Certificate]:
    """Those of the pool whose subject is the certificate's issuer; whether they signed it is another question."""
    return [other for other in pool if other.subject == certificate.issuer and other != certificate]


def signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the issuer's key made the signature (RFC 5280 section 6.1.3 a 1)."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def choose_leaf(certificates: Sequence[bytes], key_spki: str | None) -> bytes:
    """The certificate of a file that is meant: the key's own, else the first that is no authority, else the first.

    certificates: DER, at least one.  key_spki: hex SHA-256 over SubjectPublicKeyInfo.
    Raises KeyUnusable: certificate_format.
    """
    details = [read_details(encoded) for encoded in certificates]
    for one in details:
        if key_spki is not None and one.spki_sha256 == key_spki:
            return one.facts.der
    return next((one.facts.der for one in details if not one.is_authority), certificates[0])

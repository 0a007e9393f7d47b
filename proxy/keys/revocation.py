"""Reads what an issuer says about a certificate's status; asking it is the command line's work.

Sources: OCSP (RFC 6960 sections 4.1 and 4.2), its SHA-1 CertID (RFC 5019 section 2.1.1), CRL (RFC 5280 section 5).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from proxy.keys.certificate import UNREADABLE
from proxy.keys.chain import signed_by

CLOCK_DIFFERENCE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Status:
    """state: unreachable stands for every answer that cannot be used; unpublished: the certificate names nobody to ask;
    unchecked: without the issuer there is no question.

    detail: a clause.  source: "OCSP", "CRL" or "".
    """

    state: Literal["good", "revoked", "unknown", "unreachable", "unpublished", "unchecked"]
    detail: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Services:
    """URLs that the certificate names; http and https only."""

    ocsp: tuple[str, ...]
    crl: tuple[str, ...]


def services_of(certificate: x509.Certificate) -> Services:
    """RFC 5280 sections 4.2.2.1 and 4.2.1.13."""
    return Services(_web(_ocsp_names(certificate)), _web(_crl_names(certificate)))


def ocsp_request(certificate: x509.Certificate, issuer: x509.Certificate) -> bytes:
    """DER.  SHA-1 only names the issuer here, and is the one hash that every responder knows."""
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, SHA1())  # noqa: S303
    return builder.build().public_bytes(Encoding.DER)


def read_ocsp(encoded: bytes, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> Status:
    """encoded: DER of an OCSPResponse.  now: aware."""
    try:
        response = ocsp.load_der_ocsp_response(encoded)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return _unusable("OCSP", f"the responder says {response.response_status.name.lower()}")
        if not _trusted(response, issuer, now):
            return _unusable("OCSP", "the answer is not signed by the issuer or for it")
        wanted = ocsp.load_der_ocsp_request(ocsp_request(certificate, issuer))
        return _answer([one for one in response.responses if _is_about(one, wanted)], now)
    except UNREADABLE:
        return _unusable("OCSP", "the answer is no OCSP response")


def read_crl(encoded: bytes, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> Status:
    """encoded: DER or PEM of a complete CRL of the issuer itself.  now: aware."""
    try:
        load = x509.load_pem_x509_crl if encoded.startswith(b"-----") else x509.load_der_x509_crl
        crl = load(encoded)
        if crl.issuer != issuer.subject or not crl.is_signature_valid(issuer.public_key()):  # type: ignore[arg-type]
            return _unusable("CRL", "the list is not signed by the issuer")
        if not _current(crl.last_update_utc, crl.next_update_utc, now):
            return _unusable("CRL", "the list is not in date")
        if any(extension.critical and not isinstance(extension.value, x509.IssuingDistributionPoint)
               for extension in crl.extensions) or not _complete(crl):
            return _unusable("CRL", "the list is a part of a kind that is not read here")
        entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
    except UNREADABLE:
        return _unusable("CRL", "the answer is no certificate revocation list")
    if entry is None:
        return Status("good", source="CRL")
    return Status("revoked", f"since {entry.revocation_date_utc:%Y-%m-%d %H:%M} UTC", "CRL")


def _answer(singles: list[ocsp.OCSPSingleResponse], now: datetime) -> Status:
    current = [one for one in singles if _current(one.this_update_utc, one.next_update_utc, now)]
    if not current:
        return _unusable("OCSP", "the answer is about another certificate" if not singles else "it is not in date")
    single = current[0]
    if single.certificate_status is ocsp.OCSPCertStatus.REVOKED:
        since = single.revocation_time_utc
        return Status("revoked", f"since {since:%Y-%m-%d %H:%M} UTC" if since else "", "OCSP")
    good = single.certificate_status is ocsp.OCSPCertStatus.GOOD
    return Status("good" if good else "unknown", source="OCSP")


def _is_about(single: ocsp.OCSPSingleResponse, wanted: ocsp.OCSPRequest) -> bool:
    return (single.serial_number == wanted.serial_number and single.issuer_key_hash == wanted.issuer_key_hash
            and single.issuer_name_hash == wanted.issuer_name_hash)


def _current(since: datetime, until: datetime | None, now: datetime) -> bool:
    return since <= now + CLOCK_DIFFERENCE and (until is None or until >= now - CLOCK_DIFFERENCE)


def _trusted(response: ocsp.OCSPResponse, issuer: x509.Certificate, now: datetime) -> bool:
    """By the issuer, or by a responder that the issuer has named (RFC 6960 section 4.2.2.2)."""
    delegates = [one for one in response.certificates if _may_answer(one, issuer, now)]
    return any(_made_by(response, one) for one in (issuer, *delegates))


def _may_answer(delegate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> bool:
    try:
        usage = delegate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    in_date = delegate.not_valid_before_utc <= now <= delegate.not_valid_after_utc
    return ExtendedKeyUsageOID.OCSP_SIGNING in usage and in_date and signed_by(delegate, issuer)


def _made_by(response: ocsp.OCSPResponse, signer: x509.Certificate) -> bool:
    try:
        key, algorithm = signer.public_key(), response.signature_hash_algorithm
        if isinstance(key, rsa.RSAPublicKey) and algorithm is not None:
            key.verify(response.signature, response.tbs_response_bytes, PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey) and algorithm is not None:
            key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(algorithm))
        else:
            return False
    except (ValueError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _complete(crl: x509.CertificateRevocationList) -> bool:
    try:
        point = crl.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value
    except x509.ExtensionNotFound:
        return True
    return not (point.indirect_crl or point.only_contains_ca_certs or point.only_some_reasons
                or point.only_contains_attribute_certs)


def _unusable(source: str, clause: str) -> Status:
    return Status("unreachable", clause, source)


def _ocsp_names(certificate: x509.Certificate) -> list[x509.GeneralName]:
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, *UNREADABLE):
        return []
    return [one.access_location for one in access if one.access_method == AuthorityInformationAccessOID.OCSP]


def _crl_names(certificate: x509.Certificate) -> list[x509.GeneralName]:
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except (x509.ExtensionNotFound, *UNREADABLE):
        return []
    return [name for point in points for name in point.full_name or ()]


def _web(names: Iterable[x509.GeneralName]) -> tuple[str, ...]:
    urls = [name.value for name in names if isinstance(name, x509.UniformResourceIdentifier)]
    return tuple(url for url in urls if url.lower().startswith(("http://", "https://")))

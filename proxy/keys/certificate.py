"""Reads what a QSealC certificate says about its holder.

Sources: X.509 (RFC 5280); QCStatements (RFC 3739 section 3.2.6); QcCompliance and QcType (ETSI EN 319 412-5 sections
4.2.1 and 4.2.3); roles and authority (ETSI TS 119 495 section 5.1); organizationIdentifier (ETSI EN 319 412-1 section
5.1.4).
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import NameOID

from proxy.errors import KeyUnusable
from proxy.keys import der
from proxy.keys.source import CertificateFacts

QC_STATEMENTS = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.3")
PSD2 = "0.4.0.19495.2"
QC_COMPLIANCE = "0.4.0.1862.1.1"
QC_TYPE = "0.4.0.1862.1.6"
ROLES = {
    "0.4.0.19495.1.1": "PSP_AS",
    "0.4.0.19495.1.2": "PSP_PI",
    "0.4.0.19495.1.3": "PSP_AI",
    "0.4.0.19495.1.4": "PSP_IC",
}
QC_TYPES = {"0.4.0.1862.1.6.2": "eseal", "0.4.0.1862.1.6.1": "esign", "0.4.0.1862.1.6.3": "web"}
UNREADABLE = (
    ValueError,
    TypeError,
    IndexError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
DN_NAMES = {NameOID.ORGANIZATION_IDENTIFIER: "organizationIdentifier"}


@dataclass(frozen=True, slots=True)
class _Statements:
    roles: tuple[str, ...] = ()
    authority_name: str = ""
    authority_id: str = ""
    qc_type: str = ""


def parse_certificate(encoded: bytes) -> x509.Certificate:
    """The library's view of a DER certificate.  Raises KeyUnusable: certificate_format."""
    try:
        return x509.load_der_x509_certificate(encoded)
    except UNREADABLE:
        raise KeyUnusable("certificate_format", "the bytes are not one DER certificate") from None


def is_certificate(data: bytes) -> bool:
    try:
        parse_certificate(data)
    except KeyUnusable:
        return False
    return True


def read_facts(encoded: bytes) -> CertificateFacts:
    """encoded: one DER certificate.  Roles are in certificate order; a role nobody has named keeps its dotted number.

    Raises KeyUnusable: certificate_format.
    """
    certificate = parse_certificate(encoded)
    try:
        return _facts(certificate, encoded)
    except UNREADABLE:
        raise KeyUnusable("certificate_format", "a part of the certificate is not well-formed DER") from None


def armourless(encoded: bytes) -> str:
    """One line of base64 without BEGIN and END: the only form in which the bank's portal accepts an upload."""
    return base64.b64encode(encoded).decode("ascii")


def _facts(certificate: x509.Certificate, encoded: bytes) -> CertificateFacts:
    identifiers = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_IDENTIFIER)
    statements = _statements(certificate)
    return CertificateFacts(
        subject=certificate.subject.rfc4514_string(DN_NAMES),
        issuer=certificate.issuer.rfc4514_string(DN_NAMES),
        serial=f"{certificate.serial_number:x}",
        organization_identifier=str(identifiers[0].value) if identifiers else "",
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        roles=statements.roles,
        authority_name=statements.authority_name,
        authority_id=statements.authority_id,
        qc_type=statements.qc_type,
        fingerprint_sha256=hashlib.sha256(encoded).hexdigest(),
        der=encoded,
    )


def statement_infos(certificate: x509.Certificate) -> dict[str, list[der.Element]] | None:
    """The QCStatements by dotted number, each with its info; None without the extension.

    QCStatements ::= SEQUENCE OF SEQUENCE { id OID, info ANY OPTIONAL }.  Raises one of UNREADABLE.
    """
    try:
        extension = certificate.extensions.get_extension_for_oid(QC_STATEMENTS).value
    except x509.ExtensionNotFound:
        return None
    infos: dict[str, list[der.Element]] = {}
    for statement in der.single(extension.public_bytes(), der.SEQUENCE).children():
        name, *info = statement.expect(der.SEQUENCE).children()
        infos[der.dotted(name)] = info
    return infos


def _statements(certificate: x509.Certificate) -> _Statements:
    """Statements of no interest pass unread."""
    infos = statement_infos(certificate) or {}
    qc_type = _qc_type(infos[QC_TYPE]) if QC_TYPE in infos else ""
    if PSD2 not in infos:
        return _Statements(qc_type=qc_type)
    roles, authority_name, authority_id = infos[PSD2][0].expect(der.SEQUENCE).children()
    return _Statements(_roles(roles), _text(authority_name), _text(authority_id), qc_type)


def _roles(roles: der.Element) -> tuple[str, ...]:
    """RolesOfPSP ::= SEQUENCE OF SEQUENCE { oid, name UTF8String }: the number counts, not the name beside it."""
    numbers = [der.dotted(role.expect(der.SEQUENCE).children()[0]) for role in roles.expect(der.SEQUENCE).children()]
    return tuple(ROLES.get(number, number) for number in numbers)


def _qc_type(info: list[der.Element]) -> str:
    """QcType ::= SEQUENCE OF OID.  A certificate for several uses is a seal when one of them is."""
    claimed = [der.dotted(use) for use in info[0].expect(der.SEQUENCE).children()]
    return next((name for number, name in QC_TYPES.items() if number in claimed), "")


def _text(element: der.Element) -> str:
    return element.expect(der.UTF8_STRING).value.decode("utf-8")

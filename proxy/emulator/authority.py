"""Tests and `make run` need certificates that nobody else trusts, so an authority is made for the occasion.

Nothing here is ever committed: every private key is born at run time and written with mode 0600.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from proxy.emulator import der

ROLE_OIDS = {
    "PSP_AS": "0.4.0.19495.1.1",
    "PSP_PI": "0.4.0.19495.1.2",
    "PSP_AI": "0.4.0.19495.1.3",
    "PSP_IC": "0.4.0.19495.1.4",
}
QC_TYPES = {"eseal": "0.4.0.1862.1.6.2", "web": "0.4.0.1862.1.6.3"}
QC_STATEMENTS = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.3")
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
BANK_NAMES = ("open.nordea.com", "api.nordeaopenbanking.com")

_QC_COMPLIANCE, _QC_TYPE, _PSD2 = "0.4.0.1862.1.1", "0.4.0.1862.1.6", "0.4.0.19495.2"

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Validity:
    """From when to when; the default starts an hour ago, so that a clock a little behind does not matter."""

    not_before: datetime
    not_after: datetime

    @classmethod
    def days(cls, count: float = 90) -> Self:
        """A negative count has expired that many days ago."""
        now = datetime.now(UTC).replace(microsecond=0)
        end = now + timedelta(days=count)
        return cls(min(now, end) - timedelta(hours=1), end)


@dataclass(frozen=True, slots=True)
class Pair:
    """A private key and its certificate, as PEM."""

    key_pem: bytes
    certificate_pem: bytes

    def __repr__(self) -> str:
        return "Pair(…)"

    def write(self, directory: Path, key_name: str, certificate_name: str) -> tuple[Path, Path]:
        """Returns the two paths: key, certificate."""
        key, certificate = directory / key_name, directory / certificate_name
        write_private(key, self.key_pem)
        certificate.write_bytes(self.certificate_pem)
        return key, certificate


@dataclass(frozen=True, slots=True)
class Seal:
    """What a QSealC says about its holder."""

    roles: tuple[str, ...] = ("PSP_AS", "PSP_PI", "PSP_AI", "PSP_IC")
    organization_identifier: str = "PSDFI-FINFSA-112233"
    organization: str = "Example Payments Oy"
    authority_name: str = "Finanssivalvonta"
    authority_id: str = "FI-FINFSA"
    qc_type: str = "eseal"


class Authority:
    """A certificate authority that lives as long as the object."""

    def __init__(self, validity: Validity | None = None) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Throw-away test authority")])
        usage = _usage(digital_signature=True, key_cert_sign=True, crl_sign=True)
        builder = _builder(self._name, self._name, self._key.public_key(), validity or Validity.days())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(usage, critical=True)
        self._certificate = builder.sign(self._key, hashes.SHA256())
        self.pem = self._certificate.public_bytes(serialization.Encoding.PEM)

    def server(self, names: Iterable[str] = (*LOCAL_NAMES, *BANK_NAMES), validity: Validity | None = None) -> Pair:
        """A TLS server's leaf for these DNS names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bank emulator")])
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.SubjectAlternativeName([_general_name(name) for name in names]), False),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
            (_usage(digital_signature=True), True),
        ]
        return self._issue(subject, key, validity, extensions)

    def seal(
        self,
        key: rsa.RSAPrivateKey | None = None,
        *,
        key_bits: int = 2048,
        validity: Validity | None = None,
        holder: Seal | None = None,
    ) -> Pair:
        """A QSealC-like certificate (ETSI TS 119 495) for this key, or for one generated here."""
        holder = holder or Seal()
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (_usage(digital_signature=True, content_commitment=True), True),
            (x509.UnrecognizedExtension(QC_STATEMENTS, qc_statements(holder)), False),
        ]
        if holder.qc_type == "web":
            extensions.append((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False))
        key = key or rsa.generate_private_key(public_exponent=65537, key_size=key_bits)
        return self._issue(_holder_name(holder), key, validity, extensions)

    def _issue(
        self,
        subject: x509.Name,
        key: PrivateKey,
        validity: Validity | None,
        extensions: Iterable[tuple[x509.ExtensionType, bool]],
    ) -> Pair:
        builder = _builder(subject, self._name, key.public_key(), validity or Validity.days())
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        for extension, critical in (*extensions, (issuer_key, False)):
            builder = builder.add_extension(extension, critical=critical)
        certificate = builder.sign(self._key, hashes.SHA256())
        return Pair(_key_pem(key), certificate.public_bytes(serialization.Encoding.PEM))


def qc_statements(holder: Seal) -> bytes:
    """RFC 3739 QCStatements: compliance, type, and the PSD2 statement with roles and competent authority."""
    roles = [der.sequence(der.oid(ROLE_OIDS[role]), der.utf8(role)) for role in holder.roles]
    psd2 = der.sequence(der.sequence(*roles), der.utf8(holder.authority_name), der.utf8(holder.authority_id))
    return der.sequence(
        der.sequence(der.oid(_QC_COMPLIANCE)),
        der.sequence(der.oid(_QC_TYPE), der.sequence(der.oid(QC_TYPES[holder.qc_type]))),
        der.sequence(der.oid(_PSD2), psd2),
    )


def write_private(path: Path, content: bytes) -> None:
    """Only the owner may read it, also when the file was there before with other permissions."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)
        file.write(content)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey,
    validity: Validity,
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public_key)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(validity.not_before).not_valid_after(validity.not_after)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)


def _usage(**granted: bool) -> x509.KeyUsage:
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: granted.get(name, False) for name in names})


def _holder_name(holder: Seal) -> x509.Name:
    return x509.Name([
        x509.NameAttribute(NameOID.COUNTRY_NAME, "FI"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, holder.organization),
        x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, holder.organization_identifier),
        x509.NameAttribute(NameOID.COMMON_NAME, holder.organization),
    ])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )

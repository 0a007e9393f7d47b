"""Certificates as trust service providers issue them, and as they should not: an issuer, a proper seal, and changes."""

from __future__ import annotations

from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from tests.keys.making import NOW, qc_statements

QC_STATEMENTS = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.3")
ISSUER = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Throw-Away Trust, CA")])


def usage(**granted: bool) -> x509.KeyUsage:
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: granted.get(name, False) for name in names})


SEAL_USAGE = usage(digital_signature=True, content_commitment=True)


def subject(identifier: str | None = "PSDFI-FINFSA-112233") -> x509.Name:
    given = [(NameOID.COUNTRY_NAME, "FI"), (NameOID.ORGANIZATION_NAME, "Throw-Away Payments Oy"),
             (NameOID.ORGANIZATION_IDENTIFIER, identifier), (NameOID.COMMON_NAME, "Throw-Away Seal")]
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in given if value is not None])


class Issuer:
    """A trust service provider's authority."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self.again()

    def again(self, key: ec.EllipticCurvePrivateKey | None = None, days: int = 1000) -> x509.Certificate:
        """Its own certificate; another key makes one that only shares the name; negative days: expired."""
        own, end = key or self.key, self.now + timedelta(days=days)
        builder = x509.CertificateBuilder(ISSUER, ISSUER, own.public_key(), 1, min(self.now, end) - timedelta(days=1),
                                          end)
        builder = builder.add_extension(x509.BasicConstraints(True, 0), True)
        return builder.add_extension(usage(key_cert_sign=True), True).sign(own, SHA256())

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    def issue(
        self, public_key: object, *, days: float = 300, before: float = -10, statements: bytes | None = b"",
        identifier: str | None = "PSDFI-FINFSA-112233", key_usage: x509.KeyUsage | None = SEAL_USAGE,
        serial: int = 0x0A1B2C3D, ocsp: str | None = None, crl: str | None = None,
        extra: tuple[x509.ExtensionType, ...] = (), name: x509.Name | None = None,
    ) -> x509.Certificate:
        """statements: the extension's DER, b"" for a proper QSealC's, None for none."""
        builder = x509.CertificateBuilder(ISSUER, name or subject(identifier), public_key, serial,
                                          self.now + timedelta(days=before), self.now + timedelta(days=days))
        extensions = [*extra]
        if statements is not None:
            extensions.append(x509.UnrecognizedExtension(QC_STATEMENTS, statements or qc_statements()))
        if key_usage is not None:
            extensions.append(key_usage)
        if ocsp is not None:
            extensions.append(x509.AuthorityInformationAccess([x509.AccessDescription(
                AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(ocsp))]))
        if crl is not None:
            extensions.append(x509.CRLDistributionPoints([x509.DistributionPoint(
                [x509.UniformResourceIdentifier(crl)], None, None, None)]))
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self.key, SHA256())


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def self_made(key: rsa.RSAPrivateKey, name: x509.Name = ISSUER, *, pss: bool = False,
              algorithm: HashAlgorithm | None = None) -> bytes:
    """A seal's certificate signed by an RSA key: its own, or one that stands for the issuer's.  DER."""
    builder = x509.CertificateBuilder(name, subject(), key.public_key(), 7, NOW - timedelta(days=1),
                                      NOW + timedelta(days=300))
    builder = builder.add_extension(x509.UnrecognizedExtension(QC_STATEMENTS, qc_statements()), critical=False)
    builder = builder.add_extension(SEAL_USAGE, critical=True)
    options = {"rsa_padding": padding.PSS(padding.MGF1(SHA256()), 32)} if pss else {}
    return builder.sign(key, algorithm or SHA256(), **options).public_bytes(Encoding.DER)

"""A company's own authority, with certificates for servers and for clients that tell them apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from proxy.emulator.authority import write_private


class Company:
    """Writes ca.pem, and for each name NAME.crt and NAME.key, into directory.  pem: the authority's."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a company's authority")])
        certificate = self._builder(self._name, self._key).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(self._key, SHA256())
        self.pem = certificate.public_bytes(Encoding.PEM)
        (directory / "ca.pem").write_bytes(self.pem)

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key.public_key())
                .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(hours=1))
                .not_valid_after(now + timedelta(days=1)))

    def server(self, name: str, *hosts: str) -> None:
        self._issue(name, [x509.DNSName(host) for host in hosts], ExtendedKeyUsageOID.SERVER_AUTH)

    def client(self, name: str, *names: x509.GeneralName, common_name: str | None = None) -> None:
        self._issue(name, list(names), ExtendedKeyUsageOID.CLIENT_AUTH, common_name)

    def _issue(self, name: str, names: list[x509.GeneralName], usage: x509.ObjectIdentifier,
               common_name: str | None = None) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name or name)])
        builder = self._builder(subject, key).add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(self._key, SHA256())
        (self.directory / f"{name}.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
        write_private(self.directory / f"{name}.key",
                      key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

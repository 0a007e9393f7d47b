"""`make run` needs a proxy and a bank that agree, so one directory holds what both are started with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from proxy.emulator.authority import Authority, write_private
from proxy.emulator.server import CA_NAME, SERVER_CERTIFICATE_NAME, SERVER_KEY_NAME

SEAL_KEY_NAME, SEAL_CERTIFICATE_NAME, SECRET_NAME = "qsealc.key", "qsealc.crt", "client_secret"
_LEFT = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Material:
    """Where the files are; keys and the secret have mode 0600."""

    client_id: str
    directory: Path

    @property
    def ca(self) -> Path:
        return self.directory / CA_NAME

    @property
    def server_certificate(self) -> Path:
        return self.directory / SERVER_CERTIFICATE_NAME

    @property
    def server_key(self) -> Path:
        return self.directory / SERVER_KEY_NAME

    @property
    def seal_key(self) -> Path:
        return self.directory / SEAL_KEY_NAME

    @property
    def seal_certificate(self) -> Path:
        return self.directory / SEAL_CERTIFICATE_NAME

    @property
    def client_secret(self) -> Path:
        return self.directory / SECRET_NAME


def make_material(directory: Path, *, client_id: str, client_secret: str, key_bits: int = 2048) -> Material:
    """Keys and certificates already there are kept while they last, so that a restarted bank knows the same proxy."""
    directory.mkdir(parents=True, exist_ok=True)
    material = Material(client_id, directory)
    if not _usable(material):
        authority = Authority()
        authority.server().write(directory, SERVER_KEY_NAME, SERVER_CERTIFICATE_NAME)
        authority.seal(key_bits=key_bits).write(directory, SEAL_KEY_NAME, SEAL_CERTIFICATE_NAME)
        material.ca.write_bytes(authority.pem)
    write_private(material.client_secret, client_secret.encode())
    return material


def _usable(material: Material) -> bool:
    certificates = (material.ca, material.server_certificate, material.seal_certificate)
    if not all(path.exists() for path in (*certificates, material.server_key, material.seal_key)):
        return False
    loaded = (x509.load_pem_x509_certificate(path.read_bytes()) for path in certificates)
    return all(certificate.not_valid_after_utc > datetime.now(UTC) + _LEFT for certificate in loaded)

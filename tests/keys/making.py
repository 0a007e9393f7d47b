"""Throw-away keys, certificates and files, made when the tests run."""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

from proxy.keys.der import Element, elements

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
PASSWORD = b"CANARY-of-the-password"
ROLES = {"PSP_AS": 1, "PSP_PI": 2, "PSP_AI": 3, "PSP_IC": 4}
QC_TYPES = {"esign": 1, "eseal": 2, "web": 3}


def tlv(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    width = (size.bit_length() + 7) // 8
    return bytes([tag, 0x80 | width]) + size.to_bytes(width, "big") + content


def oid(dotted: str) -> bytes:
    """As the library encodes it, so that the reader under test does not check itself."""
    builder = x509.CertificateBuilder().add_extension(x509.ExtendedKeyUsage([x509.ObjectIdentifier(dotted)]), False)
    return builder._extensions[0].value.public_bytes()[2:]


def sequence(*parts: bytes) -> bytes:
    return tlv(0x30, *parts)


def text(value: str) -> bytes:
    return tlv(0x0C, value.encode())


def qc_statements(roles: tuple[str, ...] | None = ("PSP_PI", "PSP_AI"), qc_type: str | None = "eseal") -> bytes:
    statements = [sequence(oid("0.4.0.1862.1.1")), sequence(oid("0.4.0.1862.1.3"), tlv(0x02, b"\x14"))]
    if qc_type:
        kind = sequence(oid(f"0.4.0.1862.1.6.{QC_TYPES[qc_type]}"))
        statements.append(sequence(oid("0.4.0.1862.1.6"), kind))
    if roles is not None:
        listed = sequence(*(sequence(oid(f"0.4.0.19495.1.{ROLES[role]}"), text(role)) for role in roles))
        info = sequence(listed, text("Finanssivalvonta"), text("FI-FINFSA"))
        statements.append(sequence(oid("0.4.0.19495.2"), info))
    return sequence(*statements)


def certificate(
    key: RSAPrivateKey,
    *,
    before: datetime = NOW - timedelta(days=10),
    after: datetime = NOW + timedelta(days=300),
    statements: bytes | None = b"",
    serial: int = 0x0A1B2C3D,
    public_key: object = None,
) -> bytes:
    """DER.  statements: the extension's DER, b"" for a proper QSealC's, None for none."""
    subject = x509.Name([
        x509.NameAttribute(NameOID.COUNTRY_NAME, "FI"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Throw-Away Payments Oy"),
        x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, "PSDFI-FINFSA-112233"),
        x509.NameAttribute(NameOID.COMMON_NAME, "Throw-Away Seal"),
    ])
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Throw-Away Trust, CA")])
    builder = x509.CertificateBuilder(issuer, subject, public_key or key.public_key(), serial, before, after)
    if statements is not None:
        extension = x509.UnrecognizedExtension(
            x509.ObjectIdentifier("1.3.6.1.5.5.7.1.3"), statements or qc_statements()
        )
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, SHA256()).public_bytes(Encoding.DER)


def pkcs1(key: RSAPrivateKey, encoding: Encoding = Encoding.PEM) -> bytes:
    return key.private_bytes(encoding, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def pkcs8(key: RSAPrivateKey, encoding: Encoding = Encoding.PEM, password: bytes | None = None) -> bytes:
    protection = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(encoding, PrivateFormat.PKCS8, protection)


def pem(certificate_der: bytes) -> bytes:
    return x509.load_der_x509_certificate(certificate_der).public_bytes(Encoding.PEM)


def keystore(key: RSAPrivateKey | None, cert: bytes | None, *others: bytes, password: bytes | None = PASSWORD) -> bytes:
    protection = BestAvailableEncryption(password) if password else NoEncryption()
    chain = [x509.load_der_x509_certificate(other) for other in others]
    own = x509.load_der_x509_certificate(cert) if cert else None
    return pkcs12.serialize_key_and_certificates(b"throw-away", key, own, chain or None, protection)


def with_rounds(encoded: bytes, rounds: int) -> bytes:
    """The same PKCS#8 or PKCS#12, asking for so many rounds wherever it asks for more than a thousand."""
    return b"".join(_with_rounds(one, rounds) for one in elements(encoded))


def _with_rounds(one: Element, rounds: int) -> bytes:
    number = int.from_bytes(one.value, "big") if one.tag == 0x02 else 0
    if 1000 < number < 1 << 24 and len(one.value) < 4:
        return tlv(0x02, rounds.to_bytes((rounds.bit_length() + 8) // 8, "big"))
    if one.tag & 0x20 or (one.tag == 0x04 and one.value[:1] == b"\x30"):
        try:
            return tlv(one.tag, with_rounds(one.value, rounds))
        except ValueError:
            return one.raw
    return one.raw


def write(path: Path, content: bytes, mode: int = 0o600) -> str:
    """Replaces the file in one step, as careful deployers do."""
    fresh = path.with_name(path.name + ".fresh")
    fresh.write_bytes(content)
    fresh.chmod(mode)
    os.replace(fresh, path)
    return str(path)


def openssl(*arguments: str, given: bytes = b"") -> bytes:
    """Standard output of the openssl command line."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("The openssl command line is missing: install the package openssl.")
    done = subprocess.run([program, *arguments], input=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout

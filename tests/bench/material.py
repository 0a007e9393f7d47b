"""Throw-away keys and certificates, made for one run.

One CA issues the upstream's certificate (localhost, 127.0.0.1) and, for every RSA size, a QSealC-like certificate whose
QCStatements name the roles PSP_AI and PSP_PI (ETSI TS 119 495) and the type e-seal (ETSI EN 319 412-5).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID, ObjectIdentifier

_SEQUENCE, _OID, _UTF8 = 0x30, 0x06, 0x0C
_PSD2_STATEMENT, _QC_TYPE, _QC_TYPE_ESEAL = "0.4.0.19495.2", "0.4.0.1862.1.6", "0.4.0.1862.1.6.2"
_ROLES = {"PSP_AI": "0.4.0.19495.1.3", "PSP_PI": "0.4.0.19495.1.2"}


@dataclass(frozen=True, slots=True)
class Application:
    """What a signing peer signs with."""

    bits: int
    key_file: Path
    certificate_file: Path
    public_key: rsa.RSAPublicKey
    client_id: str
    client_secret: str
    client_secret_file: Path


@dataclass(frozen=True, slots=True)
class Material:
    ca_file: Path
    server_certificate: Path
    server_key: Path
    applications: dict[int, Application]


def make(root: Path, sizes: tuple[int, ...]) -> Material:
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench CA")])
    ca = _builder(ca_name, ca_name, ca_key.public_key())
    ca = ca.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    ca = ca.add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
    ca = ca.add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)

    server_key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))]
    server_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    server = _issued(_builder(server_name, ca_name, server_key.public_key()), ca_key)
    server = server.add_extension(x509.SubjectAlternativeName(names), critical=False)
    server = server.add_extension(_usage(digital_signature=True), critical=True)

    material = Material(root / "ca.crt", root / "server.crt", root / "server.key", {})
    material.ca_file.write_bytes(_pem(ca.sign(ca_key, hashes.SHA256())))
    material.server_certificate.write_bytes(_pem(server.sign(ca_key, hashes.SHA256())))
    _write_key(material.server_key, server_key)
    for bits in sizes:
        material.applications[bits] = _application(root, bits, ca_key, ca_name)
    return material


def _application(root: Path, bits: int, ca_key: ec.EllipticCurvePrivateKey, ca_name: x509.Name) -> Application:
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    subject = x509.Name([
        x509.NameAttribute(NameOID.COUNTRY_NAME, "FI"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Bench Oy"),
        x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, "PSDFI-FINFSA-112233"),
        x509.NameAttribute(NameOID.COMMON_NAME, f"bench seal {bits}"),
    ])
    builder = _issued(_builder(subject, ca_name, key.public_key()), ca_key)
    builder = builder.add_extension(_usage(digital_signature=True, content_commitment=True), critical=True)
    builder = builder.add_extension(
        x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.5.5.7.1.3"), _qc_statements()), critical=False)
    application = Application(
        bits, root / f"seal-{bits}.key", root / f"seal-{bits}.crt", key.public_key(),
        f"0a1b2c3d-4e5f-6071-8293-a4b5c6d7{bits}", f"s{bits}-bench-secret", root / f"seal-{bits}.secret")
    application.certificate_file.write_bytes(_pem(builder.sign(ca_key, hashes.SHA256())))
    application.client_secret_file.write_text(application.client_secret + "\n")
    application.client_secret_file.chmod(0o600)
    _write_key(application.key_file, key)
    return application


def _builder(subject: x509.Name, issuer: x509.Name,
             public_key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=365)))


def _issued(builder: x509.CertificateBuilder, ca_key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    return (builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False))


def _usage(**on: bool) -> x509.KeyUsage:
    every = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**dict.fromkeys(every, False) | on)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    path.write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    path.chmod(0o600)


def _tlv(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    length = len(content)
    return bytes([tag, length] if length < 128 else [tag, 0x81, length]) + content


def _oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    content = bytearray([first * 40 + second])
    for number in rest:
        septets = [number & 0x7F]
        while number := number >> 7:
            septets.append(0x80 | number & 0x7F)
        content += bytes(reversed(septets))
    return _tlv(_OID, bytes(content))


def _qc_statements() -> bytes:
    roles = _tlv(_SEQUENCE, *(
        _tlv(_SEQUENCE, _oid(oid), _tlv(_UTF8, name.encode())) for name, oid in _ROLES.items()))
    psd2 = _tlv(_SEQUENCE, roles, _tlv(_UTF8, b"Finanssivalvonta"), _tlv(_UTF8, b"FI-FINFSA"))
    return _tlv(
        _SEQUENCE,
        _tlv(_SEQUENCE, _oid(_QC_TYPE), _tlv(_SEQUENCE, _oid(_QC_TYPE_ESEAL))),
        _tlv(_SEQUENCE, _oid(_PSD2_STATEMENT), psd2))

"""Makes the certificates of the interception authority; pure but for the random numbers.

Two authorities, not one: Java 17 ignores name constraints of a certificate that it was told to trust, and honours them
below it.  The trusted one signs a single time, and its key is gone when it has; the issuer under it has the key that
stays, and can sign for the bank hosts only, whoever gets hold of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from proxy.keys.constraints import general_name, limited_to

AUTHORITY_LIFE = timedelta(days=730)
LEAF_LIFE = timedelta(days=7)
EARLIER = timedelta(hours=24)
"""Certificates begin that much before they are made, for clients whose clock is late."""

CaKey = EllipticCurvePrivateKey | RSAPrivateKey


@dataclass(frozen=True, slots=True)
class NewAuthority:
    """PEM: what is trusted, what issues, and the issuer's key (PKCS#8, not encrypted)."""

    anchor: bytes
    issuer: bytes
    key: bytes

    def __repr__(self) -> str:
        return "NewAuthority(…)"


@dataclass(frozen=True, slots=True)
class Leaf:
    """certificate: PEM of the leaf alone.  key: PEM.  not_after: aware, UTC."""

    certificate: bytes
    key: bytes
    not_after: datetime

    def __repr__(self) -> str:
        return "Leaf(…)"


def new_authority(hosts: Sequence[str], now: datetime) -> NewAuthority:
    """hosts: at least one, DNS names and IP addresses.  now: aware."""
    anchor_key, issuer_key = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())
    mark = f"{x509.random_serial_number():040x}"[-8:]  # so that clients can tell one from the next of the same name
    name, issuer_name = _name(f"signing-proxy {mark}"), _name(f"signing-proxy {mark} issuer")
    begin, end = now - EARLIER, now + AUTHORITY_LIFE
    anchor = _authority(name, name, anchor_key, anchor_key, 1, hosts, begin, end)
    issuer = _authority(issuer_name, name, issuer_key, anchor_key, 0, hosts, begin, end)
    return NewAuthority(anchor.public_bytes(Encoding.PEM), issuer.public_bytes(Encoding.PEM), key_pem(issuer_key))


def new_leaf(host: str, issuer: x509.Certificate, issuer_key: CaKey, now: datetime, until: datetime) -> Leaf:
    """A server certificate for one host, with a key of its own.

    now, until: aware; until: the end of its issuers, which it does not outlive.  Raises ValueError when that is past.
    """
    key = generate_private_key(SECP256R1())
    not_after = min(now + LEAF_LIFE, until).replace(microsecond=0)
    not_before = max(now - EARLIER, issuer.not_valid_before_utc)
    # A space in the name keeps programs from judging it as a host name.
    builder = _builder(_name("signing-proxy leaf"), issuer.subject, key, not_before, not_after)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(digital_signature=True), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    builder = builder.add_extension(x509.SubjectAlternativeName([general_name(host)]), critical=False)
    builder = builder.add_extension(_key_identifier(issuer), critical=False)
    certificate = builder.sign(issuer_key, SHA256())
    return Leaf(certificate.public_bytes(Encoding.PEM), key_pem(key), not_after)


def key_pem(key: CaKey) -> bytes:
    """PKCS#8, not encrypted."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _authority(name: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, signing_key: EllipticCurvePrivateKey,
               path_length: int, hosts: Sequence[str], begin: datetime, end: datetime) -> x509.Certificate:
    builder = _builder(name, issuer, key, begin, end)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    builder = builder.add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
    builder = builder.add_extension(limited_to(hosts), critical=True)
    if key is not signing_key:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key())
        builder = builder.add_extension(identifier, critical=False)
    return builder.sign(signing_key, SHA256())


def _builder(subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, begin: datetime,
             end: datetime) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number(), begin, end)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


def _key_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """The issuer's own, which a foreign authority may have made in another way than RFC 5280 suggests."""
    try:
        own = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier(x509.SubjectKeyIdentifier.from_public_key(issuer.public_key()).digest,
                                           None, None)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "psd2-signing-proxy"),
                      x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(**granted: bool) -> x509.KeyUsage:
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: granted.get(name, False) for name in names})

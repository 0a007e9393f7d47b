"""Key material enters the command line only through proxy.keys, so that its checks hold here too."""

from __future__ import annotations

import os

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from proxy.errors import KeyUnusable
from proxy.keys.certificate import parse_certificate
from proxy.keys.chain import choose_leaf
from proxy.keys.guarded import read_public_file, read_secret_file, shown
from proxy.keys.material import read_certificates, read_material
from proxy.keys.source import Signer
from proxy.keys.unlock import Lock


def password(file: str | None, env: str | None = None) -> bytes | None:
    """A key's password without the line break that editors leave at its end.  Raises KeyUnusable."""
    if file is not None:
        return read_secret_file(file, allow_group_read=True).removesuffix(b"\n").removesuffix(b"\r")
    return os.environ[env].encode() if env is not None and env in os.environ else None


def from_certificate_file(path: str, secret: bytes | None = None) -> tuple[RSAPublicKey, bytes]:
    """The public key of the first certificate that is no authority's, and that (DER).  Raises KeyUnusable."""
    encoded = choose_leaf(read_certificates(read_public_file(path), Lock(shown(path), secret)), None)
    return from_certificate(encoded), encoded


def from_certificate(encoded: bytes) -> RSAPublicKey:
    try:
        return _rsa(parse_certificate(encoded).public_key())
    except (ValueError, UnsupportedAlgorithm):
        raise KeyUnusable("key_type", "the certificate's key cannot be read") from None


def from_key_file(path: str, secret: bytes | None, *, allow_group_read: bool) -> RSAPublicKey:
    """The public half of the first RSA key in the file.  Raises KeyUnusable."""
    lock = Lock(shown(path), secret)
    material = read_material(read_secret_file(path, allow_group_read=allow_group_read), lock)
    if not material.keys:
        lock.refuse("key_type" if material.useless_keys else "key_format", "holds no RSA private key")
    return material.keys[0].public_key()


def from_signer(signer: Signer) -> RSAPublicKey:
    """The public half as the token tells it, for keys that nobody can read.  Raises KeyUnusable."""
    key = getattr(signer, "public_key", None)
    if key is None:
        raise KeyUnusable("key_unavailable", "its source tells no public key")
    return _rsa(key)


def from_public_key_file(path: str) -> RSAPublicKey:
    """SubjectPublicKeyInfo or PKCS#1, PEM or DER.  Raises KeyUnusable."""
    data = read_public_file(path)
    try:
        key = load_pem_public_key(data) if b"-----BEGIN" in data else load_der_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise KeyUnusable("key_format", f"{shown(path)} holds no public key in PEM or DER") from None
    return _rsa(key)


def _rsa(key: object) -> RSAPublicKey:
    if not isinstance(key, RSAPublicKey):
        raise KeyUnusable("key_type")
    return key

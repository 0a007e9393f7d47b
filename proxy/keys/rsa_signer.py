"""Signs with an RSA key held in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final, NoReturn

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from proxy.errors import KeyUnusable

INLINE_BITS: Final = 2048
"""Up to this modulus one signature takes about 0.25 ms, which the event loop may spend; RSA-3072 takes 0.7 ms."""

_PADDING: Final = PKCS1v15()
_HASH: Final = SHA256()


def spki_sha256(key: RSAPublicKey) -> str:
    """Hex SHA-256 over the DER SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7)."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


class RsaSigner:
    """A `Signer` (proxy/keys/source.py) over one RSA private key; immutable, safe in any thread."""

    __slots__ = ("_sign", "bits", "inline", "spki_sha256")

    _sign: Callable[..., bytes]
    bits: int
    inline: bool
    spki_sha256: str

    def __init__(self, key: RSAPrivateKey) -> None:
        bind = object.__setattr__
        bind(self, "_sign", key.sign)
        bind(self, "bits", key.key_size)
        bind(self, "inline", key.key_size <= INLINE_BITS)
        bind(self, "spki_sha256", spki_sha256(key.public_key()))

    def sign(self, message: bytes) -> bytes:
        """RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 section 8.2).  Raises KeyUnusable: signing_failed."""
        try:
            return self._sign(message, _PADDING, _HASH)
        except (ValueError, UnsupportedAlgorithm, InternalError):
            raise KeyUnusable("signing_failed", "the cryptographic library refused") from None

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a signer is immutable: a rotation makes a new one")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a signer is immutable")

    def __repr__(self) -> str:
        return f"RsaSigner(bits={self.bits}, spki_sha256={self.spki_sha256})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signing key is not pickled")

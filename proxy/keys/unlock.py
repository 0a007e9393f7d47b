"""Opens one private key, encrypted or not, so that library errors end here.

The library tells a wrong password, a damaged file or a missing cipher apart only in prose; this module asks in an order
that makes the difference visible: first without a password, then with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.decrepit.ciphers.algorithms import RC2
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPrivateNumbers
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.modes import CBC

from proxy.errors import KeyUnusable
from proxy.keys import der
from proxy.keys.rounds import MOST, asks_too_much

RSASSA_PSS = "1.2.840.113549.1.1.10"  # RFC 4055 section 3.1: a key bound to PSS must not make PKCS#1 v1.5 signatures

_PKCS12_PBE = bytes.fromhex("060a2a864886f70d010c01")  # RFC 7292 appendix C; .1 .2 are RC4, .5 .6 are RC2
_PKCS5_PBE1 = bytes.fromhex("06092a864886f70d0105")  # RFC 8018 appendix A.3: DES and RC2 with MD2, MD5, SHA-1
_LEGACY_OIDS = (
    *(_PKCS12_PBE + bytes([last]) for last in (1, 2, 5, 6)),
    *(_PKCS5_PBE1 + bytes([last]) for last in (1, 3, 4, 6, 10, 11)),
)
_LEGACY_PEM = b"DEK-Info: DES-CBC,"


class Loader(Protocol):
    def __call__(self, data: bytes, password: bytes | None, *,
                 unsafe_skip_rsa_key_validation: bool) -> PrivateKeyTypes: ...


@dataclass(frozen=True, slots=True)
class Lock:
    """What opens a file, with the name by which sentences call the file.

    where: a path, never content.  password: None when none is configured.
    """

    where: str
    password: bytes | None

    def refuse(self, code: str, clause: str) -> NoReturn:
        raise KeyUnusable(code, f"{self.where} {clause}") from None

    def require_few_rounds(self, encoded: bytes) -> None:
        """encoded: DER that will be decrypted.  Raises KeyUnusable: key_format."""
        if asks_too_much(encoded):
            self.refuse("key_format", f"asks for more than {MOST:,} rounds to open it, so it is damaged, or has to be "
                                      "exported anew with fewer")

    def refuse_password(self, body: bytes) -> NoReturn:
        """Why an encrypted body did not open.  body: DER, or the PEM block."""
        if needs_legacy(body) and not legacy_available():
            self.refuse(
                "key_format",
                "uses RC2 or DES encryption, which needs OpenSSL's legacy provider, so re-export it with AES"
                " (openssl pkcs12 -legacy -in old.p12 -nodes | openssl pkcs12 -export -out new.p12)",
            )
        if self.password is None:
            self.refuse("key_password", "is encrypted and no password is configured")
        self.refuse("key_password", "is encrypted with another password, or damaged")

    def open(self, load: Loader, body: bytes) -> tuple[RSAPrivateKey | None, bool]:
        """The key, or None when it is not RSA, and whether it was encrypted.

        Raises KeyUnusable: key_format, key_password.
        """
        try:
            return _rsa(load(body, None, unsafe_skip_rsa_key_validation=True)), False
        except TypeError:
            pass  # the library's way to say that it is encrypted
        except (ValueError, UnsupportedAlgorithm):
            self.refuse("key_format", "is damaged or of an unknown format")
        if self.password is None:
            self.refuse_password(body)
        try:
            return _rsa(load(body, self.password, unsafe_skip_rsa_key_validation=True)), True
        except (ValueError, UnsupportedAlgorithm):
            self.refuse_password(body)


def is_pss(pkcs8: bytes) -> bool:
    """Whether unencrypted PKCS#8 (RFC 5958) says PSS only.  The library forgets it, so the bytes are asked."""
    try:
        version, algorithm, *_ = der.single(pkcs8, der.SEQUENCE).children()
        version.expect(der.INTEGER)
        return der.dotted(algorithm.expect(der.SEQUENCE).children()[0]) == RSASSA_PSS
    except (ValueError, IndexError):
        return False


def needs_legacy(body: bytes) -> bool:
    """Whether the encryption named in body has been moved to OpenSSL 3's legacy provider."""
    return _LEGACY_PEM in body or any(oid in body for oid in _LEGACY_OIDS)


def legacy_available() -> bool:
    try:
        Cipher(RC2(bytes(16)), CBC(bytes(8))).encryptor()
    except UnsupportedAlgorithm:
        return False
    return True


def _rsa(key: PrivateKeyTypes) -> RSAPrivateKey | None:
    """Raises ValueError for numbers that are no RSA key's."""
    if not isinstance(key, RSAPrivateKey):
        return None
    if not _fits_together(key.private_numbers()):
        raise ValueError("the numbers of the key do not fit together")
    return key


def _fits_together(numbers: RSAPrivateNumbers) -> bool:
    """RFC 8017 section 3.2, but for the question whether p and q are prime.

    That one takes the library 20 to 300 ms in which no other thread runs, so that a reload would stop all requests.
    Every key makes a test signature before it serves (admission.py), and with factors that are not prime it is wrong.
    """
    p, q, d = numbers.p, numbers.q, numbers.d
    e, n = numbers.public_numbers.e, numbers.public_numbers.n
    return (min(p, q) > 2 and p * q == n and e > 2 and 1 < d < n
            and d * e % (p - 1) == 1 and d * e % (q - 1) == 1
            and numbers.dmp1 == d % (p - 1) and numbers.dmq1 == d % (q - 1) and numbers.iqmp * q % p == 1)

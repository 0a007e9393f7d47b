"""Reads PKCS#12, which may hold several keys, and whose library reader hands out only the first.

The file's integrity and the certificates are the library's work.  Keys beyond the first are found here, in the safe
that is not encrypted as a whole (RFC 7292 section 4.2: each key there is encrypted by itself); where a file is laid out
in another way, the first key is all there is.  Which key belongs to which certificate is settled by the public key
(`proxy/keys/pairing.py`): localKeyID only hints at that.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_der_private_key
from cryptography.hazmat.primitives.serialization.pkcs12 import PKCS12KeyAndCertificates, load_pkcs12

from proxy.keys import der
from proxy.keys.unlock import Lock, is_pss

_DATA = "1.2.840.113549.1.7.1"
_KEY_BAGS = ("1.2.840.113549.1.12.10.1.1", "1.2.840.113549.1.12.10.1.2")


def looks_like_keystore(data: bytes) -> bool:
    """PFX ::= SEQUENCE { version INTEGER {v3(3)}, … (RFC 7292 section 4); BER lengths are allowed for."""
    return data[:1] == b"\x30" and b"\x02\x01\x03" in data[2:10]


@dataclass(frozen=True, slots=True)
class Keystore:
    """keys: RSA, in file order.  useless_keys: how many were not RSA, or PSS only.  certificates: DER."""

    keys: tuple[RSAPrivateKey, ...]
    useless_keys: int
    certificates: tuple[bytes, ...]


def read_keystore(data: bytes, lock: Lock) -> Keystore:
    """Raises KeyUnusable: key_password, key_format."""
    store = _load(data, lock)
    keys = _keys(store, _key_bags(data), lock)
    certificates = [*([store.cert] if store.cert else []), *store.additional_certs]
    return Keystore(
        keys=tuple(key for key in keys if key is not None),
        useless_keys=keys.count(None),
        certificates=tuple(entry.certificate.public_bytes(Encoding.DER) for entry in certificates),
    )


def _keys(store: PKCS12KeyAndCertificates, bags: list[bytes], lock: Lock) -> list[RSAPrivateKey | None]:
    """Every key, None standing for one that is of no use."""
    if len(bags) > 1:
        return [None if is_pss(bag) else lock.open(load_der_private_key, bag)[0] for bag in bags]
    if store.key is None:
        return []
    bound_to_pss = any(map(is_pss, bags))
    return [store.key if isinstance(store.key, RSAPrivateKey) and not bound_to_pss else None]


def _load(data: bytes, lock: Lock) -> PKCS12KeyAndCertificates:
    try:
        return load_pkcs12(data, lock.password)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        lock.refuse_password(data)


def _key_bags(data: bytes) -> list[bytes]:
    """PKCS#8 of every key bag in the safes that are readable without a password; nothing where they are not DER."""
    try:
        return [bag for safe in _open_safes(data) for bag in _bags_of(safe)]
    except (ValueError, IndexError):
        return []


def _open_safes(data: bytes) -> list[bytes]:
    _version, authenticated, *_mac = der.single(data, der.SEQUENCE).children()
    infos = der.single(_content(authenticated), der.SEQUENCE).children()
    return [_content(info) for info in infos if der.dotted(info.children()[0]) == _DATA]


def _content(info: der.Element) -> bytes:
    """ContentInfo ::= SEQUENCE { type OID, content [0] EXPLICIT OCTET STRING } (RFC 2315 section 7)."""
    wrapped = info.expect(der.SEQUENCE).children()[1].expect(der.CONTEXT_0)
    return der.single(wrapped.value, der.OCTET_STRING).value


def _bags_of(safe: bytes) -> list[bytes]:
    """SafeBag ::= SEQUENCE { id OID, value [0] EXPLICIT ANY, attributes SET OPTIONAL } (RFC 7292 section 4.2)."""
    bags = [bag.children() for bag in der.single(safe, der.SEQUENCE).children()]
    return [bag[1].expect(der.CONTEXT_0).value for bag in bags if der.dotted(bag[0]) in _KEY_BAGS]

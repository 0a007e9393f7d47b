"""Reads PKCS#12, which may hold several keys, and whose library reader hands out only the first.

Keys are found here, in the safe that is not encrypted as a whole (RFC 7292 section 4.2: each key there is encrypted by
itself), and opened one by one; certificates are the library's work, on the rest of the file.  What is laid out in
another way the library opens whole, with one key: it looks for a tenth of a second whether the primes are some, in
which no other thread runs, so that a reload stops all requests for as long.  Which key belongs to which certificate is
settled by the public key (`proxy/keys/pairing.py`): localKeyID only hints at that.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_der_private_key
from cryptography.hazmat.primitives.serialization.pkcs12 import PKCS12KeyAndCertificates, load_pkcs12

from proxy.keys import der, integrity
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
    lock.require_few_rounds(data)
    parts = _taken_apart(data)
    if parts.is_whole(lock.password):
        store = _load(parts.rest, lock)
        keys = _opened(parts.keys, lock)
    else:
        store = _load(data, lock)
        keys = _opened(parts.keys, lock) if len(parts.keys) > 1 else _only(store, parts.keys)
    certificates = [*([store.cert] if store.cert else []), *store.additional_certs]
    return Keystore(
        keys=tuple(key for key in keys if key is not None),
        useless_keys=keys.count(None),
        certificates=tuple(entry.certificate.public_bytes(Encoding.DER) for entry in certificates),
    )


def _opened(bags: list[bytes], lock: Lock) -> list[RSAPrivateKey | None]:
    """None stands for one that is of no use."""
    return [None if is_pss(bag) else lock.open(load_der_private_key, bag)[0] for bag in bags]


def _only(store: PKCS12KeyAndCertificates, bags: list[bytes]) -> list[RSAPrivateKey | None]:
    if store.key is None:
        return []
    bound_to_pss = any(map(is_pss, bags))
    return [store.key if isinstance(store.key, RSAPrivateKey) and not bound_to_pss else None]


def _load(data: bytes, lock: Lock) -> PKCS12KeyAndCertificates:
    try:
        return load_pkcs12(data, lock.password)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        lock.refuse_password(data)


@dataclass(frozen=True, slots=True)
class _Parts:
    """keys: PKCS#8, encrypted or not; none where the layout is not one that is read here.

    rest: the file without them, and so without its MAC.  content, mac: what was sealed, and the seal; None for none.
    """

    keys: list[bytes]
    rest: bytes = b""
    content: bytes = b""
    mac: der.Element | None = None

    def is_whole(self, password: bytes | None) -> bool:
        """Whether the MAC holds; False also where the library has to say so."""
        if not self.keys or self.mac is None or password is None:
            return False
        try:
            return integrity.is_whole(self.content, self.mac, password)
        except (ValueError, IndexError):
            return False


def _taken_apart(data: bytes) -> _Parts:
    keys: list[bytes] = []
    try:
        version, authenticated, *mac = der.single(data, der.SEQUENCE).children()
        content = _content(authenticated)
        safes = [_without_keys(info, keys) for info in der.single(content, der.SEQUENCE).children()]
    except (ValueError, IndexError):
        return _Parts([])
    rest = der.written(der.SEQUENCE, version.raw, _data(authenticated, der.written(der.SEQUENCE, *safes)))
    return _Parts(keys, rest, content, mac[0] if mac else None)


def _without_keys(info: der.Element, keys: list[bytes]) -> bytes:
    """A safe without its keys, which are appended to keys; one that is encrypted as a whole stays what it is."""
    if der.dotted(info.children()[0]) != _DATA:
        return info.raw
    others = []
    for bag in der.single(_content(info), der.SEQUENCE).children():
        # SafeBag ::= SEQUENCE { id OID, value [0] EXPLICIT ANY, attributes SET OPTIONAL } (RFC 7292 section 4.2)
        kind, value, *_ = bag.children()
        if der.dotted(kind) in _KEY_BAGS:
            keys.append(value.expect(der.CONTEXT_0).value)
        else:
            others.append(bag.raw)
    return _data(info, der.written(der.SEQUENCE, *others))


def _content(info: der.Element) -> bytes:
    """ContentInfo ::= SEQUENCE { type OID, content [0] EXPLICIT OCTET STRING } (RFC 2315 section 7)."""
    wrapped = info.expect(der.SEQUENCE).children()[1].expect(der.CONTEXT_0)
    return der.single(wrapped.value, der.OCTET_STRING).value


def _data(info: der.Element, content: bytes) -> bytes:
    """The same ContentInfo around something else."""
    wrapped = der.written(der.CONTEXT_0, der.written(der.OCTET_STRING, content))
    return der.written(der.SEQUENCE, info.children()[0].raw, wrapped)

"""Finds the private keys and certificates in a file, whatever container they came in."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

from proxy.keys.certificate import is_certificate
from proxy.keys.keystore import looks_like_keystore, read_keystore
from proxy.keys.unlock import Lock, is_pss

_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----")
_ARMOUR = b"-----BEGIN "
_CERTIFICATE_LABELS = (b"CERTIFICATE", b"X509 CERTIFICATE")
_KEY_LABEL = b"PRIVATE KEY"
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Material:
    """keys: RSA, in file order.  useless_keys: how many were not RSA, or PSS only.  certificates: DER, in file order.

    encrypted: a password was needed.
    """

    keys: tuple[RSAPrivateKey, ...] = ()
    useless_keys: int = 0
    certificates: tuple[bytes, ...] = ()
    encrypted: bool = False


def read_material(data: bytes, lock: Lock) -> Material:
    """PEM, DER or bare base64 of PKCS#1, PKCS#8, PKCS#12 and X.509.

    Raises KeyUnusable: key_format, key_password, certificate_format (a CERTIFICATE block that holds none).
    """
    if _ARMOUR in data:
        return _from_pem(data, lock)
    body = _decoded(data)
    if looks_like_keystore(body):
        store = read_keystore(body, lock)
        return Material(store.keys, store.useless_keys, store.certificates, encrypted=True)
    if is_certificate(body):
        return Material(certificates=(body,))
    return _from_key(body, lock)


def read_certificates(data: bytes, lock: Lock) -> tuple[bytes, ...]:
    """DER of every certificate in data, in file order, at least one; keys beside them stay closed.

    Raises KeyUnusable: certificate_format, key_password (PKCS#12 encrypts certificates too).
    """
    if _ARMOUR in data:
        found = _pem_certificates(data, lock)
    else:
        body = _decoded(data)
        found = (body,) if is_certificate(body) else ()
        if looks_like_keystore(body):
            found = read_keystore(body, lock).certificates
    if not found:
        lock.refuse("certificate_format", "holds no certificate that can be read")
    return found


def _from_pem(data: bytes, lock: Lock) -> Material:
    """Every key and certificate block of the file (RFC 7468); what stands between the blocks is commentary."""
    keys: list[RSAPrivateKey] = []
    useless, encrypted = 0, False
    for block in _blocks(data):
        if not block.label.endswith(_KEY_LABEL):
            continue
        body = _decoded(block.body)
        lock.require_few_rounds(body)
        key, locked = lock.open(load_pem_private_key, block.whole + b"\n")
        encrypted |= locked
        if key is None or is_pss(body):
            useless += 1
        else:
            keys.append(key)
    return Material(tuple(keys), useless, _pem_certificates(data, lock), encrypted)


class _Block(NamedTuple):
    label: bytes
    body: bytes
    whole: bytes


def _blocks(data: bytes) -> Iterator[_Block]:
    """Each BEGIN whose next dashed line is its own END; in linear time.

    No regular expression over the whole block: possessive repeats, which this would need, are broken in Python 3.11.2,
    the one of Debian 12.
    """
    for begin in _BEGIN.finditer(data):
        end_line = b"-----END " + begin[1] + b"-----"
        end = data.find(b"-----", begin.end())
        if end >= 0 and data.startswith(end_line, end):
            yield _Block(begin[1], data[begin.end():end], data[begin.start():end + len(end_line)])


def _pem_certificates(data: bytes, lock: Lock) -> tuple[bytes, ...]:
    found = tuple(_decoded(block.body) for block in _blocks(data) if block.label in _CERTIFICATE_LABELS)
    if not all(map(is_certificate, found)):
        lock.refuse("certificate_format", "holds a CERTIFICATE block that cannot be read")
    return found


def _from_key(body: bytes, lock: Lock) -> Material:
    lock.require_few_rounds(body)
    key, encrypted = lock.open(load_der_private_key, body)
    if key is None or is_pss(body):
        return Material(useless_keys=1, encrypted=encrypted)
    return Material(keys=(key,), encrypted=encrypted)


def _decoded(data: bytes) -> bytes:
    """The bytes behind a bare base64 body, line breaks and all; data itself when it is something else."""
    try:
        return base64.b64decode(b"".join(data.removeprefix(_BOM).split()), validate=True)
    except binascii.Error:
        return data

"""Keys and certificates on an open session.  Everything here runs in the module's thread (thread.py)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from proxy.errors import KeyUnusable
from proxy.keys.pkcs11.settings import Name

_DIGEST_INFO: Final = bytes.fromhex("3031300d060960864801650304020105000420")
"""DigestInfo of SHA-256 up to the digest (RFC 8017 section 9.2, note 1)."""


@dataclass(frozen=True, slots=True)
class Key:
    """A private RSA key by its handle, which lives as long as its session.

    modulus: names the key also where labels repeat.  each_time: the PIN goes along with every signature
    (CKA_ALWAYS_AUTHENTICATE, PKCS#11 section 4.9).
    """

    handle: Any
    modulus: int
    exponent: int | None
    each_time: bool


@dataclass(frozen=True, slots=True)
class Mechanisms:
    """How this token signs.  hashes: it has CKM_SHA256_RSA_PKCS; else CKM_RSA_PKCS over our DigestInfo
    (PKCS#11 mechanisms, RSA PKCS #1 v1.5)."""

    hashes: bool
    mechanism: Any


def mechanisms(library: Any, offered: Any, where: str) -> Mechanisms:
    """library: the python-pkcs11 package.  Raises KeyUnusable: pkcs11_token."""
    known = library.Mechanism
    if known.SHA256_RSA_PKCS in offered:
        return Mechanisms(True, known.SHA256_RSA_PKCS)
    if known.RSA_PKCS in offered:
        return Mechanisms(False, known.RSA_PKCS)
    raise KeyUnusable("pkcs11_token", f"{where} does not make RSASSA-PKCS1-v1_5 signatures")


def sign(key: Key, how: Mechanisms, message: bytes, pin: str) -> bytes:
    """RSASSA-PKCS1-v1_5 with SHA-256 over message; the exceptions are the module's."""
    data = message if how.hashes else _DIGEST_INFO + hashlib.sha256(message).digest()
    signature: bytes = key.handle.sign(data, mechanism=how.mechanism, **({"pin": pin} if key.each_time else {}))
    return signature


def find_key(library: Any, session: Any, name: Name, where: str, *, modulus: int | None = None) -> Key:
    """The one private RSA key of that name that may sign.  modulus: which one, where it is known already.

    Raises KeyUnusable: pkcs11_key, key_type.
    """
    found = _objects(library, session, library.ObjectClass.PRIVATE_KEY, name)
    rsa = [handle for handle in found if _attribute(library, handle, "KEY_TYPE") == library.KeyType.RSA]
    if found and not rsa:
        raise KeyUnusable("key_type", f"{where}, key with {name}")
    keys = {key.modulus: key for key in (_key(library, session, handle, name) for handle in reversed(rsa))}
    if modulus is not None:
        keys = {number: key for number, key in keys.items() if number == modulus}
    if not keys:
        raise KeyUnusable("pkcs11_key", f"{where} holds no private key with {name}")
    if len(keys) > 1:
        raise KeyUnusable("pkcs11_key", f"{where} holds {len(keys)} private keys with {name}")
    (key,) = keys.values()
    if _attribute(library, key.handle, "SIGN") is False:
        raise KeyUnusable("pkcs11_key", f"the key with {name} on {where} may not sign (CKA_SIGN is false)")
    return key


def find_certificates(library: Any, session: Any, name: Name, where: str) -> tuple[bytes, ...]:
    """DER of every certificate of that name, at least one.  Raises KeyUnusable: pkcs11_certificate."""
    found = _objects(library, session, library.ObjectClass.CERTIFICATE, name)
    values = tuple(bytes(value) for value in (_attribute(library, handle, "VALUE") for handle in found) if value)
    if not values:
        raise KeyUnusable("pkcs11_certificate", f"{where} holds none with {name}")
    return values


def _key(library: Any, session: Any, handle: Any, name: Name) -> Key:
    modulus, exponent = _attribute(library, handle, "MODULUS"), _attribute(library, handle, "PUBLIC_EXPONENT")
    if not modulus or not exponent:
        # A private key object may leave the exponent out (PKCS#11, RSA private key objects).
        for public in _objects(library, session, library.ObjectClass.PUBLIC_KEY, name):
            its_modulus = _attribute(library, public, "MODULUS")
            if its_modulus and (not modulus or its_modulus == modulus):
                modulus, exponent = its_modulus, _attribute(library, public, "PUBLIC_EXPONENT")
    return Key(handle, int.from_bytes(modulus or b"", "big"), int.from_bytes(exponent, "big") if exponent else None,
               _attribute(library, handle, "ALWAYS_AUTHENTICATE") is True)


def _objects(library: Any, session: Any, kind: Any, name: Name) -> Sequence[Any]:
    wanted = {library.Attribute.CLASS: kind}
    if name.label is not None:
        wanted[library.Attribute.LABEL] = name.label
    if name.id is not None:
        wanted[library.Attribute.ID] = name.id
    return list(session.get_objects(wanted))        # to its end, or the search stays open on the session


def _attribute(library: Any, handle: Any, attribute: str) -> Any:
    """None where the token does not tell."""
    try:
        return handle[getattr(library.Attribute, attribute)]
    except (library.AttributeTypeInvalid, library.AttributeSensitive, KeyError):
        return None

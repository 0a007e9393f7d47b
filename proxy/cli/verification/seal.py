"""RSA lets the public key recover the hash that was signed, so "wrong key" and "wrong string" can be told apart."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import MD5, SHA1, SHA224, SHA256, SHA384, SHA512, HashAlgorithm

from proxy.cli.verification.findings import Finding

_HASHES: tuple[HashAlgorithm, ...] = (SHA256(), SHA1(), SHA512(), SHA384(), SHA224(), MD5())  # noqa: S303
_PSS_HASHES = ("sha256", "sha1", "sha384", "sha512")


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key that may have signed.  label: such as "the certificate".  role: whose it is by what is known.

    "bank": what the bank verifies with.  "own": another one of the caller's.  "demo": the sandbox's published one.
    """

    label: str
    key: RSAPublicKey
    role: str = "bank"


@dataclass(frozen=True, slots=True)
class Opened:
    """What a signature says of itself.  by: whose it is; None without RSA.  findings: what is wrong with the scheme.

    is_signed: whether it is over these bytes; None where nobody can tell.  hash: in hex, "" with PSS, which hides it.
    """

    by: KnownKey | None
    findings: tuple[Finding, ...]
    is_signed: Callable[[bytes], bool] | None
    hash: str = ""


def open_signature(signature: bytes, keys: Sequence[KnownKey]) -> Opened | None:
    """None when none of the keys made it."""
    for known in keys:
        if len(signature) == (known.key.key_size + 7) // 8:
            for opened in _by_key(known, signature):
                return opened
    return _no_rsa(signature)


def _by_key(known: KnownKey, signature: bytes) -> Iterator[Opened]:
    for algorithm in _HASHES:
        digest = _recovered(known.key, signature, algorithm)
        if digest is not None:
            name = algorithm.name
            findings = () if name == "sha256" else (Finding("other_hash", f"it is {name.upper()}"),)
            yield Opened(known, findings, _hashes_to(name, digest), digest.hex())
    bare = _recovered(known.key, signature, None)
    if bare is not None and len(bare) >= 16:
        yield from _without_name(known, bare)
    if _looks_like_pss(known.key, signature):
        yield Opened(known, (Finding("pss_padding"),), _Pss(known.key, signature))


def _without_name(known: KnownKey, data: bytes) -> Iterator[Opened]:
    """What was encrypted without saying which hash it is: the hash, its text, or something else."""
    finding = (Finding("other_hash", "the hash was encrypted without naming SHA-256"),)
    yield Opened(known, finding, lambda string: data in (
        hashlib.sha256(string).digest(), hashlib.sha256(string).hexdigest().encode(), string))


def _recovered(key: RSAPublicKey, signature: bytes, algorithm: HashAlgorithm | None) -> bytes | None:
    try:
        return key.recover_data_from_signature(signature, PKCS1v15(), algorithm)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return None


def _hashes_to(name: str, digest: bytes) -> Callable[[bytes], bool]:
    return lambda string: hashlib.new(name, string, usedforsecurity=False).digest() == digest


def _no_rsa(signature: bytes) -> Opened | None:
    """A hash or a signature of another kind in its place."""
    if len(signature) == 32:
        finding = Finding("not_rsa", "it has 32 bytes, as a hash or an HMAC has")
        return Opened(None, (finding,), _hashes_to("sha256", signature), signature.hex())
    if 64 <= len(signature) <= 72 and (signature[0] == 0x30 or len(signature) == 64):
        finding = Finding("not_rsa", f"it has {len(signature)} bytes, as of an elliptic curve")
        return Opened(None, (finding,), None)
    return None


class _Pss:
    """EMSA-PSS (RFC 8017 section 9.1.2) with MGF1 over the same hash; any length of salt."""

    def __init__(self, key: RSAPublicKey, signature: bytes) -> None:
        self._parts = [(name, *parts) for name in _PSS_HASHES
                       if (parts := _unmasked(key, signature, name)) is not None]

    def __call__(self, string: bytes) -> bool:
        for name, salt, expected in self._parts:
            inner = hashlib.new(name, string, usedforsecurity=False).digest()
            if hashlib.new(name, bytes(8) + inner + salt, usedforsecurity=False).digest() == expected:
                return True
        return False

    @property
    def plausible(self) -> bool:
        return bool(self._parts)


def _looks_like_pss(key: RSAPublicKey, signature: bytes) -> bool:
    return _Pss(key, signature).plausible


def _unmasked(key: RSAPublicKey, signature: bytes, name: str) -> tuple[bytes, bytes] | None:
    """Salt and hash, or None where the padding is not there."""
    numbers = key.public_numbers()
    bits = numbers.n.bit_length() - 1
    number = pow(int.from_bytes(signature, "big"), numbers.e, numbers.n)
    length = (bits + 7) // 8
    if number.bit_length() > bits:
        return None
    encoded = number.to_bytes(length, "big")
    size = hashlib.new(name, usedforsecurity=False).digest_size
    masked, digest, end = encoded[:-size - 1], encoded[-size - 1:-1], encoded[-1]
    mask = b"".join(hashlib.new(name, digest + count.to_bytes(4, "big"), usedforsecurity=False).digest()
                    for count in range(len(masked) // size + 1))
    block = bytearray(one ^ other for one, other in zip(masked, mask, strict=False))
    block[0] &= 0xFF >> (8 * length - bits)
    zeros, one, salt = bytes(block).partition(b"\x01")
    return (salt, digest) if end == 0xBC and one and not any(zeros) else None

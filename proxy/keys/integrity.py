"""Checks the MAC over a PKCS#12 file (RFC 7292 section 5.1 and appendix B).

The loops are Python's on purpose: other threads get their turn between two rounds, and requests are signed meanwhile.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from proxy.keys import der

_HASHES: Final = {"1.3.14.3.2.26": "sha1", "2.16.840.1.101.3.4.2.1": "sha256", "2.16.840.1.101.3.4.2.2": "sha384",
                  "2.16.840.1.101.3.4.2.3": "sha512"}
_FOR_MACS: Final = 3
_MOST_ROUNDS: Final = 50_000


def is_whole(content: bytes, mac: der.Element, password: bytes) -> bool:
    """Whether this MacData was made over content with this password (UTF-8).

    Raises ValueError, IndexError for what is not read here: another kind of MAC, or more rounds than a file needs.
    """
    info, salt, *rounds = mac.expect(der.SEQUENCE).children()
    algorithm, digest = info.expect(der.SEQUENCE).children()
    name = _HASHES.get(der.dotted(algorithm.children()[0]))
    count = int.from_bytes(rounds[0].expect(der.INTEGER).value, "big") if rounds else 1
    if name is None or not 1 <= count <= _MOST_ROUNDS:
        raise ValueError("another kind of MAC")
    key = _key(name, password, salt.expect(der.OCTET_STRING).value, count)
    return hmac.compare_digest(hmac.digest(key, content, name), digest.expect(der.OCTET_STRING).value)


def _key(name: str, password: bytes, salt: bytes, rounds: int) -> bytes:
    """Appendix B.2, as long as the hash, for which one block is enough.  Raises ValueError: no UTF-8."""
    make = getattr(hashlib, name)
    block = make().block_size
    text = (password.decode() + "\0").encode("utf-16-be")
    digest: bytes = bytes([_FOR_MACS]) * block + _filled(salt, block) + _filled(text, block)
    for _ in range(rounds):
        digest = make(digest).digest()
    return digest


def _filled(pattern: bytes, block: int) -> bytes:
    """As many copies as fill whole blocks."""
    size = -(-len(pattern) // block) * block
    return (pattern * (size // len(pattern) + 1))[:size] if pattern else b""

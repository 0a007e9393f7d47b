"""How many rounds a file asks for to turn its password into a key, before anybody turns them.

The library counts as far as the file says, up to hours in which no other thread runs, and panics beyond that: one bit
that has flipped in a key file would stop every request at the next reload.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from proxy.keys import der

MOST: Final = 2_000_000
"""A second or so; tools write 2,048 to 600,000.  As scrypt's N it is 2 GiB of memory, which no tool asks for either."""

_DEEPEST: Final = 16
_CONSTRUCTED: Final = 0x20
_LONG: Final = 0x80
_SEQUENCE: Final = bytes([der.SEQUENCE])


def asks_too_much(encoded: bytes) -> bool:
    """encoded: PKCS#8 or PKCS#12, as well-formed or damaged as it comes: what opens it is more tolerant than DER.

    PBKDF2 (RFC 8018 appendix A.2), PKCS#12's own (RFC 7292 appendix C), its MAC (section 4) and scrypt (RFC 7914
    section 7) all have the salt, an OCTET STRING, and behind it the count.
    """
    return any(count > MOST for count in _counts(encoded, _DEEPEST))


def _counts(data: bytes, deeper: int) -> Iterator[int]:
    """Each INTEGER that follows an OCTET STRING, also inside of what may be further elements."""
    after_salt, start = False, 0
    while start + 2 <= len(data):
        tag = data[start]
        content, end = _bounds(data, start)
        value = data[content:end]
        if after_salt and tag == der.INTEGER:
            yield int.from_bytes(value, "big")
        after_salt = tag == der.OCTET_STRING
        if deeper and (tag & _CONSTRUCTED or value[:1] == _SEQUENCE):
            yield from _counts(value, deeper - 1)
        start = end


def _bounds(data: bytes, start: int) -> tuple[int, int]:
    """Where the value begins and ends; one of indefinite length (X.690 section 8.1.3.6) with all that follows."""
    length, content = data[start + 1], start + 2
    if length <= _LONG:
        return content, len(data) if length == _LONG else content + length
    width = length & ~_LONG
    return content + width, content + width + int.from_bytes(data[content : content + width], "big")

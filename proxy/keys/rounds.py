"""How many rounds a file asks for to turn its password into a key, before anybody turns them.

The library counts as far as the file says, up to hours in which no other thread runs, and panics beyond that: one bit
that has flipped in a key file would stop every request at the next reload.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from proxy.keys import der

MOST: Final = 2_000_000
"""A second or so; tools write 2,048 to 600,000.  As scrypt's N it is 2 GiB of memory, which no tool asks for either."""

_DEEPEST: Final = 16
_CONSTRUCTED: Final = 0x20
_SEQUENCE: Final = bytes([der.SEQUENCE])


def asks_too_much(encoded: bytes) -> bool:
    """encoded: DER of PKCS#8 or PKCS#12; what is neither is not judged here.

    PBKDF2 (RFC 8018 appendix A.2), PKCS#12's own (RFC 7292 appendix C), its MAC (section 4) and scrypt (RFC 7914
    section 7) all have the salt, an OCTET STRING, and behind it the count.
    """
    try:
        return any(count > MOST for count in _counts(der.elements(encoded), _DEEPEST))
    except ValueError:
        return False


def _counts(side_by_side: list[der.Element], deeper: int) -> Iterator[int]:
    for salt, count in pairwise(side_by_side):
        if salt.tag == der.OCTET_STRING and count.tag == der.INTEGER:
            yield int.from_bytes(count.value, "big")
    for element in side_by_side if deeper else ():
        if element.tag & _CONSTRUCTED:
            yield from _counts(element.children(), deeper - 1)
        elif element.tag == der.OCTET_STRING and element.value[:1] == _SEQUENCE:
            yield from _inside(element, deeper - 1)


def _inside(element: der.Element, deeper: int) -> Iterator[int]:
    """PKCS#12 keeps its safes in OCTET STRINGs; what is encrypted only looks like one of them by chance."""
    try:
        yield from _counts(element.children(), deeper)
    except ValueError:
        return

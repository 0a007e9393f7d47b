"""QCStatements are not in any certificate library, so this writes the few DER forms they need.

X.690: identifier octet, length octets (definite form), content octets.
"""

from __future__ import annotations

_SEQUENCE, _OBJECT_IDENTIFIER, _UTF8_STRING = 0x30, 0x06, 0x0C


def element(tag: int, content: bytes) -> bytes:
    """Tag, length, content."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def sequence(*items: bytes) -> bytes:
    return element(_SEQUENCE, b"".join(items))


def utf8(text: str) -> bytes:
    return element(_UTF8_STRING, text.encode())


def oid(dotted: str) -> bytes:
    """8.19: the first two arcs share an octet, the others are base 128, high bit set on all octets but the last."""
    first, second, *others = (int(arc) for arc in dotted.split("."))
    content = b"".join(_base128(arc) for arc in (first * 40 + second, *others))
    return element(_OBJECT_IDENTIFIER, content)


def _base128(arc: int) -> bytes:
    octets = [arc & 0x7F]
    while arc := arc >> 7:
        octets.append(0x80 | (arc & 0x7F))
    return bytes(reversed(octets))

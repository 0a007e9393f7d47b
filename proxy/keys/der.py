"""Reads and writes the few ASN.1 structures that no public API of `cryptography` knows.

Strict DER (X.690 section 10) with bounds: one-byte tags, definite minimal lengths, a ceiling on size and on elements.
Whatever is wrong with the bytes is a ValueError, never another exception.
"""

from __future__ import annotations

from dataclasses import dataclass

SEQUENCE = 0x30
SET = 0x31
INTEGER = 0x02
OCTET_STRING = 0x04
OBJECT_IDENTIFIER = 0x06
UTF8_STRING = 0x0C
CONTEXT_0 = 0xA0

MAX_BYTES = 1 << 20
MAX_ELEMENTS = 256


@dataclass(frozen=True, slots=True)
class Element:
    """One tag-length-value.  raw: all of it; value: its content."""

    tag: int
    value: bytes
    raw: bytes

    def children(self) -> list[Element]:
        return elements(self.value)

    def expect(self, tag: int) -> Element:
        if self.tag != tag:
            raise ValueError("an element of another type was expected")
        return self


def elements(data: bytes) -> list[Element]:
    """The elements that lie side by side in data, without anything left over."""
    if len(data) > MAX_BYTES:
        raise ValueError("more bytes than any certificate or key needs")
    found: list[Element] = []
    start = 0
    while start < len(data):
        if len(found) == MAX_ELEMENTS:
            raise ValueError("more elements than any certificate or key needs")
        content, end = _bounds(data, start)
        found.append(Element(data[start], data[content:end], data[start:end]))
        start = end
    return found


def single(data: bytes, tag: int) -> Element:
    """The one element that fills data."""
    found = elements(data)
    if len(found) != 1:
        raise ValueError("exactly one element was expected")
    return found[0].expect(tag)


def written(tag: int, *parts: bytes) -> bytes:
    """One element with these parts as its content."""
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    width = (size.bit_length() + 7) // 8
    return bytes([tag, 0x80 | width]) + size.to_bytes(width, "big") + content


def dotted(element: Element) -> str:
    """An object identifier as text such as "1.2.840.113549" (X.690 section 8.19)."""
    arcs: list[int] = []
    arc, fresh = 0, True
    for byte in element.expect(OBJECT_IDENTIFIER).value[:64]:
        if fresh and byte == 0x80:
            raise ValueError("an object identifier has a padded arc")
        arc = arc << 7 | byte & 0x7F
        fresh = byte < 0x80
        if fresh:
            arcs.append(arc)
            arc = 0
    if not arcs or not fresh or len(element.value) > 64:
        raise ValueError("an object identifier is cut off or too long")
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]]))


def _bounds(data: bytes, start: int) -> tuple[int, int]:
    """Where the content of the element at start begins and ends."""
    if data[start] & 0x1F == 0x1F:
        raise ValueError("a tag of several bytes")
    if start + 2 > len(data):
        raise ValueError("cut off inside a length")
    length, content = data[start + 1], start + 2
    if length >= 0x80:
        width = length & 0x7F
        octets = data[content : content + width]
        length, content = int.from_bytes(octets, "big"), content + width
        if not 1 <= width <= 4 or len(octets) != width or octets[0] == 0 or length < 0x80:
            raise ValueError("a length that is not definite and minimal")
    if content + length > len(data):
        raise ValueError("cut off inside a value")
    return content, content + length

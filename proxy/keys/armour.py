"""Certificates are pasted, mailed and put into variables before they come here; this says what that did to them."""

from __future__ import annotations

import base64
import binascii
import re

from proxy.keys.certificate import is_certificate
from proxy.keys.findings import Finding

_BOM = b"\xef\xbb\xbf"
_DASHED = re.compile(rb"-{1,10} {0,3}(?:BEGIN|END)[A-Z0-9 ]{0,40}-{0,10}|-{3,10}[A-Z ]{0,30}\s{0,4}\Z|-{3,}")
_BLOCK = re.compile(rb"-----(BEGIN|END) ([A-Z0-9 ]{1,40})-----")
_LABELS = (b"CERTIFICATE",)


def recover(data: bytes) -> tuple[bytes, list[Finding]]:
    """data, or the DER that is in it in spite of its armour, and what is wrong with the armour.

    Data that is no text with dashes is returned as it is: it has no armour.
    """
    if b"-----" not in data and b"BEGIN" not in data:
        return data, []
    text = data.replace(b"\\r", b"").replace(b"\\n", b"\n")
    found = [Finding("armour_escaped")] if text != data else []
    if not _well_formed(text):
        body = _body(text)
        if body is None:
            return data, []
        return body, [*found, Finding("armour_damaged"), *_key_beside(text)]
    return text, [*found, *_label(text), *_surroundings(text), *_key_beside(text)]


def _well_formed(text: bytes) -> bool:
    """BEGIN and END alternate with equal labels (RFC 7468 section 2), and a certificate is among them."""
    marks = _BLOCK.findall(text)
    pairs = list(zip(marks[::2], marks[1::2], strict=False))
    balanced = len(marks) % 2 == 0 and all(
        begin[0] == b"BEGIN" and end[0] == b"END" and begin[1] == end[1] for begin, end in pairs)
    return balanced and any(begin[1].endswith(b"CERTIFICATE") for begin, _ in pairs)


def _body(text: bytes) -> bytes | None:
    """The certificate between lines that were meant as armour, where there is exactly one."""
    try:
        body = base64.b64decode(b"".join(_DASHED.sub(b"", text.removeprefix(_BOM)).split()), validate=True)
    except binascii.Error:
        return None
    return body if is_certificate(body) else None


def _label(text: bytes) -> list[Finding]:
    labels = [label for mark, label in _BLOCK.findall(text) if mark == b"BEGIN" and label.endswith(b"CERTIFICATE")]
    return [] if all(label in _LABELS for label in labels) else [Finding("armour_label")]


def _surroundings(text: bytes) -> list[Finding]:
    """Whether anything but white space stands outside the blocks."""
    outside, position = [], 0
    marks = list(_BLOCK.finditer(text))
    for begin, end in zip(marks[::2], marks[1::2], strict=True):
        outside.append(text[position:begin.start()])
        position = end.end()
    outside.append(text[position:])
    return [Finding("armour_surroundings")] if b"".join(outside).strip() else []


def _key_beside(text: bytes) -> list[Finding]:
    return [Finding("private_key_in_file")] if b"PRIVATE KEY-----" in text else []

"""What the Digest header says of a body (RFC 3230), and the bank's rule for form bodies."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256

FORM = b"application/x-www-form-urlencoded"

_ESCAPED = re.compile(rb"%([0-9A-Fa-f]{2})")
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_NEEDS_ENCODING = re.compile(rb"[&=+%\x00-\x20\x7f-\xff]")


def sha256_digest(data: bytes, prefix: bytes = b"SHA-256=") -> bytes:
    """prefix and the padded base64 of SHA-256 over data."""
    return prefix + b64encode(sha256(data).digest())


def is_form(content_type: bytes) -> bool:
    return content_type.partition(b";")[0].strip(b" \t").lower() == FORM


_LARGEST_FORM = 65536
"""Bytes up to which the rule is applied; token requests have hundreds, and a megabyte would hold up the event loop."""


@dataclass(frozen=True, slots=True)
class FormBody:
    """body: what to send.  digest_input: what to hash.  note: why the two differ or the rule could not be applied."""

    body: bytes
    digest_input: bytes
    note: str = ""


def canonical_form(body: bytes) -> FormBody:
    """The bank's form rule: fields sorted by name, values decoded, joined with "&".

    Where no decoded name or value needs encoding, that string is itself a form body and is what is sent.  Otherwise
    the body stays as it is and only the digest is over the sorted, decoded string.  A body that is no form (a bad
    escape, an empty field) or is larger than 64 KiB is sent and hashed as it came.
    """
    if len(body) > _LARGEST_FORM:
        return FormBody(body, body, "form_not_canonical")
    fields = []
    for pair in body.split(b"&") if body else ():
        name, equals, value = pair.partition(b"=")
        if not name or not equals or _BAD_ESCAPE.search(pair) is not None:
            return FormBody(body, body, "form_not_canonical")
        fields.append((_decoded(name), _decoded(value)))
    fields.sort(key=lambda field: field[0])
    normalised = b"&".join([name + b"=" + value for name, value in fields])
    if any(_NEEDS_ENCODING.search(part) for field in fields for part in field):
        return FormBody(body, normalised, "form_digest_over_decoded")
    return FormBody(normalised, normalised, "" if normalised == body else "form_sorted")


def _decoded(text: bytes) -> bytes:
    return _ESCAPED.sub(lambda match: bytes((int(match[1], 16),)), text.replace(b"+", b" "))

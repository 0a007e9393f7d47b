"""The normalised form of a form body, over which the bank's digest is: fields sorted by name, values decoded."""

from __future__ import annotations

import re
from operator import itemgetter
from urllib.parse import unquote_to_bytes

_TYPE = re.compile(rb"application/x-www-form-urlencoded[ \t]*(?:;.*)?", re.IGNORECASE | re.DOTALL)
_FIELD = re.compile(rb"((?:[^%=&]++|%[0-9A-Fa-f]{2})++)=((?:[^%&]++|%[0-9A-Fa-f]{2})*+)", re.DOTALL)
_LARGEST = 1 << 16
"""Bytes up to which the rule is applied; as docs/operations.md says among the limits."""


def is_form(content_type: bytes) -> bool:
    return _TYPE.fullmatch(content_type) is not None


def normalised(body: bytes) -> bytes:
    """What is hashed: the body itself where the rule cannot be applied (a bad escape, an empty field, too long)."""
    if not body or len(body) > _LARGEST:
        return body
    fields = []
    for pair in body.split(b"&"):
        found = _FIELD.fullmatch(pair)
        if found is None:
            return body
        fields.append(tuple(unquote_to_bytes(part.replace(b"+", b" ")) for part in found.groups()))
    return b"&".join(b"=".join(field) for field in sorted(fields, key=itemgetter(0)))

"""The bank hashes form bodies in a way of its own, so the digests it takes are listed in one place."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Literal
from urllib.parse import unquote_to_bytes

FormRule = Literal["either", "canonical", "raw"]

FORM = "application/x-www-form-urlencoded"
DIGEST = re.compile(r"(?:SHA|sha)-256=([A-Za-z0-9+/]{43}=)")


def sha256_base64(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def accepted_digests(content_type: str, body: bytes, rule: FormRule) -> dict[str, str]:
    """Digest (base64, without prefix) -> what it is a digest of."""
    media_type = content_type.partition(";")[0].strip().lower()
    exact = {sha256_base64(body): "the bytes as received"}
    if media_type != FORM or rule == "raw":
        return exact
    canonical = {sha256_base64(normalised_form(body)): "the normalised form"}
    return canonical if rule == "canonical" else exact | canonical


def normalised_form(body: bytes) -> bytes:
    """Nordea's swagger: fields sorted by name, values decoded, joined by `=` and `&`."""
    pairs = (field.partition(b"=") for field in body.split(b"&") if field)
    decoded = [(_decoded(name), _decoded(value)) for name, _, value in pairs]
    return b"&".join(name + b"=" + value for name, value in sorted(decoded, key=lambda pair: pair[0]))


def form_fields(body: bytes) -> dict[str, str]:
    """Fields of a token request; of repeated ones the last."""
    pairs = (field.partition(b"=") for field in body.split(b"&") if field)
    return {_decoded(name).decode("utf-8", "replace"): _decoded(value).decode("utf-8", "replace")
            for name, _, value in pairs}


def _decoded(part: bytes) -> bytes:
    return unquote_to_bytes(part.replace(b"+", b" "))

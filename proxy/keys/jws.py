"""Signs and reads JSON Web Signatures in compact form, RS256 only.

Sources: RFC 7515 (JWS), RFC 7518 section 3.3 (RS256), RFC 7638 (thumbprint), RFC 8725 section 3.1 (one algorithm only).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from proxy.keys.source import Signer

MAX_CHARACTERS = 1 << 18


@dataclass(frozen=True, slots=True)
class Compact:
    """header, claims: the two JSON objects.  signing_input: the ASCII bytes that were signed."""

    header: dict[str, object]
    claims: dict[str, object]
    signing_input: bytes
    signature: bytes


def sign_compact(header: Mapping[str, object], claims: Mapping[str, object], signer: Signer) -> str:
    """header.claims.signature (RFC 7515 section 7.1).  Raises KeyUnusable: signing_failed."""
    signing_input = f"{_encoded(header)}.{_encoded(claims)}"
    return f"{signing_input}.{base64url(signer.sign(signing_input.encode('ascii')))}"


def read_compact(text: str) -> Compact:
    """The parts, nothing verified.  Raises ValueError with a clause that says which part is wrong and how."""
    if len(text) > MAX_CHARACTERS:
        raise ValueError("it is longer than any assertion")
    parts = text.split(".")
    if len(parts) != 3:
        raise ValueError(f"it has {len(parts)} parts between dots, and a signed JWT has three")
    header, claims = _object(parts[0], "header"), _object(parts[1], "payload")
    return Compact(header, claims, f"{parts[0]}.{parts[1]}".encode("ascii"), _bytes(parts[2], "signature"))


def verifies(compact: Compact, key: RSAPublicKey) -> bool:
    """RSASSA-PKCS1-v1_5 with SHA-256, whatever the header says."""
    try:
        key.verify(compact.signature, compact.signing_input, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def base64url(data: bytes) -> str:
    """Without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def thumbprint(key: RSAPublicKey) -> str:
    """The key's SHA-256 thumbprint (RFC 7638 section 3.2), a kid that anybody can compute."""
    numbers = key.public_numbers()
    members = {"e": _number(numbers.e), "kty": "RSA", "n": _number(numbers.n)}
    return base64url(hashlib.sha256(json.dumps(members, separators=(",", ":")).encode()).digest())


def _number(value: int) -> str:
    return base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _encoded(value: Mapping[str, object]) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return base64url(text.encode("utf-8"))


def _bytes(part: str, name: str) -> bytes:
    """Strict: the alphabet of RFC 4648 section 5, no padding, no spare bits."""
    try:
        data = base64.b64decode(part.encode("ascii") + b"=" * (-len(part) % 4), b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        data = b""
    if not part or base64url(data) != part:
        raise ValueError(f"its {name} is not base64url without padding")
    return data


def _object(part: str, name: str) -> dict[str, object]:
    data = _bytes(part, name)
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_distinct, parse_constant=_constant)
    except (ValueError, RecursionError):
        raise ValueError(f"its {name} is not JSON with distinct names, in UTF-8") from None
    if not isinstance(value, dict):
        raise ValueError(f"its {name} is not a JSON object")  # noqa: TRY004 - one kind of exception for callers
    return value


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """RFC 7519 section 4: claim names are unique."""
    if len(found := dict(pairs)) != len(pairs):
        raise ValueError
    return found


def _constant(_: str) -> NoReturn:
    raise ValueError

"""Whether Digest is that of the body, and if not, of what it is."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator

from proxy.cli.verification.bodies import normalised_form, other_bodies
from proxy.cli.verification.captured import Captured
from proxy.cli.verification.findings import Finding

_STRICT = re.compile(r"(?:SHA-256|sha-256)=([A-Za-z0-9+/]{43}=)")
_PREFIX = re.compile(r"(?i)\s*(?:sha-?(?:1|224|256|384|512)|md5)\s*[=:]\s*")
_HASHES = {16: "md5", 20: "sha1", 28: "sha224", 32: "sha256", 48: "sha384", 64: "sha512"}
_LONGEST = 1024


def hashed(data: bytes) -> str:
    """Padded base64 of SHA-256."""
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def right_digest(message: Captured) -> str:
    """The header's value over the bytes that were sent."""
    return "SHA-256=" + hashed(message.body)


def check_digest(message: Captured) -> Iterator[Finding]:
    """Nothing when it is that of the body; the form rule's two digests both pass."""
    sent = message.one("digest")
    if sent is None or not message.whole:
        return
    accepted = (hashed(message.body), hashed(normalised_form(message)))
    strict = _STRICT.fullmatch(sent)
    if strict is not None and strict[1] in accepted:
        return
    show = {"signed": sent[:200], "expected": right_digest(message)}
    form, raw = _decoded(sent)
    if form:
        yield Finding(form[0], form[1], **show)
    algorithm = _HASHES.get(len(raw), "")
    if algorithm not in ("", "sha256"):
        yield Finding("digest_hash", f"it has {len(raw)} bytes, as of {algorithm.upper()}", **show)
    if algorithm:
        yield from _of_what(message, raw, algorithm, show, formed=not form)


def _of_what(message: Captured, raw: bytes, algorithm: str, show: dict[str, str], *, formed: bool) -> Iterator[Finding]:
    """One finding, unless the hash is that of the body."""
    if raw in (_hash(algorithm, message.body), _hash(algorithm, normalised_form(message))):
        return
    for cause, what, data in other_bodies(message):
        if _hash(algorithm, data) == raw:
            yield Finding(cause, f"it is that of {what}", **show)
            return
    if formed or algorithm == "sha256":
        yield Finding("digest_other_bytes", **show)


def _hash(algorithm: str, data: bytes) -> bytes:
    return hashlib.new(algorithm, data, usedforsecurity=False).digest()


def _decoded(sent: str) -> tuple[tuple[str, str] | None, bytes]:
    """What is wrong with the writing (cause, detail), and the bytes of the hash; b"" when they cannot be told."""
    if len(sent) > _LONGEST:
        return ("digest_form", f"it has {len(sent)} characters"), b""
    text = sent.strip().strip("\"'")
    prefix = _PREFIX.match(text)
    value = text[prefix.end():].strip("\"'") if prefix else text
    form = None if _STRICT.fullmatch(sent) else ("digest_form", "" if prefix else "the prefix is missing")
    if re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", value) and len(value) // 2 in _HASHES:
        return ("digest_hex", ""), bytes.fromhex(value)
    raw = _base64(value)
    if re.fullmatch(rb"(?:[0-9A-Fa-f]{2})+", raw) and len(raw) // 2 in _HASHES:
        return ("digest_hex", "it is the base64 of hexadecimal text"), bytes.fromhex(raw.decode())
    if set(value) & set("-_"):
        form = ("digest_form", "it is base64url, with '-' and '_'")
    elif prefix and raw and len(value) % 4:
        form = ("digest_form", "the '=' at its end is missing")
    elif prefix and form and len(raw) == 32 and prefix[0].lower() != "sha-256=":
        form = ("digest_form", f"its prefix is {prefix[0].strip()!r}")
    elif len(raw) in _HASHES and len(raw) != 32 and prefix:
        form = None
    return form, raw


def _base64(value: str) -> bytes:
    plain = value.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""

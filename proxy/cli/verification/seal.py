"""RSA lets the public key recover the hash that was signed, so "wrong key" and "wrong string" can be told apart."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import MD5, SHA1, SHA256, SHA384, SHA512, HashAlgorithm

from proxy.cli.verification import rules
from proxy.cli.verification.captured import Captured
from proxy.cli.verification.findings import Finding

_OTHER_HASHES: tuple[HashAlgorithm, ...] = (SHA1(), SHA512(), SHA384(), MD5())  # noqa: S303


def signing_string(message: Captured, names: tuple[str, ...]) -> tuple[str, list[Finding]]:
    """One 'name: value' line per covered name, joined by LF, none at the end; and the names that were not sent."""
    lines, findings = [], []
    for name in names:
        if name == rules.TARGET:
            target = message.target.removesuffix("?") if message.target.count("?") == 1 else message.target
            lines.append(f"{name}: {message.method.lower()} {target}")
            continue
        value = message.one(name)
        if value is None and not message.all(name):
            findings.append(Finding("covered_not_sent", name[:64]))
        lines.append(f"{name}: {value or ''}")
    return "\n".join(lines), findings


def check_seal(message: Captured, signature: bytes, expected: str, key: RSAPublicKey) -> Iterator[Finding]:
    """Nothing when key signed expected with RSASSA-PKCS1-v1_5 and SHA-256, else why not."""
    if len(signature) * 8 != (key.key_size + 7) // 8 * 8:
        yield Finding("another_key", f"a signature of {len(signature)} bytes cannot be by an RSA key of "
                                     f"{key.key_size} bits")
        return
    hashed = _recovered(key, signature, SHA256())
    wanted = expected.encode("latin-1")
    if hashed is None:
        yield _not_sha256(key, signature, wanted)
    elif hashed != hashlib.sha256(wanted).digest():
        yield from _other_string(message, hashed, expected)


def _recovered(key: RSAPublicKey, signature: bytes, algorithm: HashAlgorithm | None) -> bytes | None:
    try:
        return key.recover_data_from_signature(signature, PKCS1v15(), algorithm)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return None


def _not_sha256(key: RSAPublicKey, signature: bytes, wanted: bytes) -> Finding:
    for algorithm in _OTHER_HASHES:
        if _recovered(key, signature, algorithm) is not None:
            return Finding("other_hash", f"it is {algorithm.name.upper()}")
    if _recovered(key, signature, None) is not None:
        return Finding("other_hash", "the hash was encrypted without naming SHA-256")
    try:
        key.verify(signature, wanted, PSS(MGF1(SHA256()), PSS.AUTO), SHA256())
    except (InvalidSignature, ValueError):
        return Finding("another_key")
    return Finding("pss_padding")


def _other_string(message: Captured, hashed: bytes, expected: str) -> Iterator[Finding]:
    from proxy.cli.verification.mistakes import candidates

    digest = hashlib.sha256(expected.encode("latin-1"))
    for again in (digest.digest(), digest.hexdigest().encode(), base64.b64encode(digest.digest())):
        if hashlib.sha256(again).digest() == hashed:
            yield Finding("hashed_twice")
            return
    for names, text in candidates(expected, message):
        if hashlib.sha256(text.encode("latin-1", "replace")).digest() == hashed:
            signed, right = _first_difference(text, expected)
            yield from (Finding(name, signed=signed if name == names[0] else "",
                                expected=right if name == names[0] else "") for name in names)
            return
    yield Finding("other_string")


def _first_difference(signed: str, expected: str) -> tuple[str, str]:
    """The first line that differs, as repr without quotes so that line ends show."""
    left, right = signed.splitlines(keepends=True), expected.splitlines(keepends=True)
    for index in range(max(len(left), len(right))):
        one = left[index] if index < len(left) else ""
        other = right[index] if index < len(right) else ""
        if one != other:
            return _visible(one), _visible(other)
    return "", ""


def _visible(line: str) -> str:
    return line.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")

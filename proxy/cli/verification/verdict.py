"""The person who asks has one question, "why was it refused?", so the first difference leads and the rest follows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from proxy.cli.verification import header, rules, seal
from proxy.cli.verification.captured import Captured
from proxy.cli.verification.findings import Finding

_SKIP = "SKIP_SIGNATURE_VALIDATION_FOR_SANDBOX"


@dataclass(frozen=True, slots=True)
class Verdict:
    """findings: what is wrong, the first difference first; empty when the bank would accept the request.

    signing_string: as derived from the message.  key: SHA-256 over the DER SubjectPublicKeyInfo, in hex.
    """

    findings: tuple[Finding, ...]
    signing_string: str
    key: str
    notes: tuple[str, ...] = ()

    @property
    def valid(self) -> bool:
        return not self.findings


def judge(message: Captured, key: RSAPublicKey) -> Verdict:
    """Whether the bank, holding this key, would accept the message's seal."""
    info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    findings, expected = _findings(message, key)
    return Verdict(tuple(findings), expected, hashlib.sha256(info).hexdigest(), message.notes + _notes(message))


def _findings(message: Captured, key: RSAPublicKey) -> tuple[list[Finding], str]:
    preferred, _ = seal.signing_string(message, rules.wanted(message)[0])
    sent = message.all("signature")
    if not any(sent):
        return [Finding("signature_missing")], preferred
    if len(sent) > 1 or sent == [_SKIP]:
        return [Finding("signature_twice" if len(sent) > 1 else "signature_skipped")], preferred
    signature, findings = header.read(sent[0])
    if signature is None:
        return findings, preferred
    findings += rules.check_parameters(message, signature)
    findings += rules.check_message(message)
    findings += rules.check_digest(message)
    names = tuple(name.lower() for name in signature.headers.split())
    expected, missing = seal.signing_string(message, names)
    findings += missing
    if signature.value:
        findings += seal.check_seal(message, signature.value, expected, key)
    return findings, expected


def _notes(message: Captured) -> tuple[str, ...]:
    notes = []
    if message.method in ("POST", "PUT", "PATCH") and not message.body and message.one("digest") is None:
        notes.append("an empty body that is not covered: the bank's Premium APIs take it (empty_body: omit)")
    digest = message.one("digest") or ""
    if message.body != rules.normalised_form(message) and digest.endswith(rules.hashed(rules.normalised_form(message))):
        notes.append("the digest is over the form's sorted, decoded fields, as the bank's form rule asks")
    return tuple(notes)

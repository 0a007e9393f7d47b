"""The person who asks has one question, "why was it refused?", so the first difference leads and the rest follows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from proxy.cli.verification import header, rules
from proxy.cli.verification.bodies import normalised_form
from proxy.cli.verification.captured import Captured
from proxy.cli.verification.digests import check_digest, hashed, right_digest
from proxy.cli.verification.findings import Finding
from proxy.cli.verification.published import demo_key
from proxy.cli.verification.seal import KnownKey, Opened, open_signature
from proxy.cli.verification.search import Found, search
from proxy.cli.verification.strings import TARGET, Line, SigningString

_SKIP = "SKIP_SIGNATURE_VALIDATION_FOR_SANDBOX"


@dataclass
class _Case:
    """What is found out on the way."""

    findings: list[Finding] = field(default_factory=list)
    derived: SigningString | None = None
    opened: Opened | None = None
    found: Found | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """findings: what is wrong, the first difference first; empty when the bank would accept the request.

    signing_string: as derived from the message.  key: SHA-256 over the DER SubjectPublicKeyInfo, in hex, "" without.
    right: the string the bank builds.  signed: the one that was signed, None where nobody knows.  signed_by: the key
    that made the signature.  hash: what was signed, in hex, where RSA tells.  attempts: strings that were tried.
    """

    findings: tuple[Finding, ...]
    signing_string: str
    key: str
    notes: tuple[str, ...] = ()
    right: str = ""
    signed: str | None = None
    signed_by: str = ""
    hash: str = ""
    attempts: int = 0

    @property
    def valid(self) -> bool:
        return not self.findings


def judge(message: Captured, key: RSAPublicKey) -> Verdict:
    """Whether the bank, holding this key, would accept the message's seal."""
    return _judged(message, (KnownKey("this key", key),), thorough=False)


def explain(message: Captured, keys: Sequence[KnownKey]) -> Verdict:
    """The same with several keys, the bank's first, and with what the bank demands besides the seal.

    Without keys everything is judged but who signed what.
    """
    demo = demo_key()
    keys = (demo, *keys) if is_for_the_sandbox(message) else (*keys, demo) if keys else ()
    return _judged(message, keys, thorough=True)


def is_for_the_sandbox(message: Captured) -> bool:
    """By the host the request went to, or else by the one it names."""
    sent_to = rules.without_port(message.one("host") or "")
    named = rules.without_port(message.one(rules.HOST) or "")
    return sent_to == rules.SANDBOX or (named == rules.SANDBOX and sent_to != rules.PRODUCTION)


def spki_sha256(key: RSAPublicKey) -> str:
    info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(info).hexdigest()


def _judged(message: Captured, keys: Sequence[KnownKey], *, thorough: bool) -> Verdict:
    case = _Case()
    right = _right_string(message)
    _examine(message, keys, case, thorough=thorough)
    if thorough:
        mentioned = {finding.detail.lower() for finding in case.findings if finding.cause == "covered_not_sent"}
        case.findings += rules.check_demands(message, mentioned)
    signed = case.found.string.text() if case.found is not None and case.found.string is not None else None
    return Verdict(
        findings=tuple(case.findings), signing_string=(case.derived or right).text(),
        key=spki_sha256(keys[0].key) if keys else "", notes=message.notes + tuple(_notes(message)), right=right.text(),
        signed=signed, signed_by=case.opened.by.label if case.opened and case.opened.by else "",
        hash=case.opened.hash if case.opened else "", attempts=case.found.attempts if case.found else 0)


def _examine(message: Captured, keys: Sequence[KnownKey], case: _Case, *, thorough: bool) -> None:
    """Fills the case, from the form of the header to what was signed."""
    text = _header(message, case, thorough=thorough)
    if text is None:
        if thorough:
            case.findings += [*rules.check_message(message), *check_digest(message)]
        return
    signature, findings = header.read(text)
    case.findings += findings
    if signature is not None:
        case.findings += rules.check_parameters(message, signature)
    if signature is not None or thorough:
        case.findings += [*rules.check_message(message), *check_digest(message)]
    if signature is None:
        return
    case.derived, missing = signing_string(message, tuple(name.lower() for name in signature.headers.split()))
    case.findings += missing
    if signature.value and keys:
        _open(message, signature.value, keys, case)


def _header(message: Captured, case: _Case, *, thorough: bool) -> str | None:
    """The one Signature header's value, or None when there is nothing to read."""
    sent = message.all("signature")
    if any(sent):
        if len(sent) == 1 and sent != [_SKIP]:
            return sent[0]
        case.findings.append(Finding("signature_twice" if len(sent) > 1 else "signature_skipped"))
        return None
    elsewhere = [value for value in message.all("authorization") if value.lower().startswith("signature ")]
    if elsewhere:
        case.findings.append(Finding("in_authorization"))
        return elsewhere[0][len("signature "):].lstrip()
    nothing = thorough and not message.all("digest")
    case.findings.append(Finding("nothing_signed" if nothing else "signature_missing"))
    return None


def signing_string(message: Captured, names: Sequence[str]) -> tuple[SigningString, list[Finding]]:
    """The lines of these names with the values that were sent; and the names that were not sent."""
    lines, findings = [], []
    for name in names:
        values = [""] if name == TARGET else message.all(name)
        if not values:
            findings.append(Finding("covered_not_sent", name[:64]))
        lines.append(Line(name, values[0] if values else "", name))
    target = message.target.removesuffix("?") if message.target.count("?") == 1 else message.target
    return SigningString(message.method.lower(), target, tuple(lines)), findings


def _right_string(message: Captured) -> SigningString:
    """What the bank builds for the request as it should have been."""
    string, _ = signing_string(message, rules.wanted(message)[0])
    host = message.one(rules.HOST) or message.one("host") or ""
    string = string.with_value(rules.HOST, rules.without_port(host))
    if not message.one("content-type"):
        string = string.with_value("content-type", "application/json")
    if message.whole and (message.one("digest") is None or any(check_digest(message))):
        string = string.with_value("digest", right_digest(message))
    return string


def _open(message: Captured, signature: bytes, keys: Sequence[KnownKey], case: _Case) -> None:
    """Who signed, how, and what."""
    opened = case.opened = open_signature(signature, keys)
    if opened is None:
        case.findings.append(_by_nobody(signature, keys))
        return
    case.findings += _by_another(opened, keys[0])
    case.findings += opened.findings
    if opened.is_signed is None or case.derived is None:
        return
    found = case.found = search(case.derived, message, opened.is_signed)
    if found.string is None:
        if opened.by is not None:
            case.findings.append(Finding("other_string"))
        return
    signed, right = _first_difference(found.string.text(), case.derived.text())
    for index, mistake in enumerate(found.mistakes):
        shown = (signed, right) if index == 0 else ("", "")
        case.findings.append(Finding(mistake.cause, mistake.detail, *shown))


def _by_nobody(signature: bytes, keys: Sequence[KnownKey]) -> Finding:
    sizes = dict.fromkeys(known.key.key_size for known in keys)
    fits = any(len(signature) == (size + 7) // 8 for size in sizes)
    detail = "" if fits else (f"a signature of {len(signature)} bytes cannot be by an RSA key of "
                              f"{' or '.join(map(str, sizes))} bits")
    return Finding("not_the_demo_key" if keys[0].role == "demo" else "another_key", detail)


def _by_another(opened: Opened, bank: KnownKey) -> Iterator[Finding]:
    """Signed by a key that is known, and is not the one the bank verifies with."""
    if opened.by is None or opened.by.key.public_numbers() == bank.key.public_numbers():
        return
    if bank.role == "demo":
        yield Finding("not_the_demo_key", f"it is by {opened.by.label}")
    elif opened.by.role == "demo":
        yield Finding("demo_key")
    else:
        yield Finding("key_not_pair", f"it is by {opened.by.label}, and the bank verifies with {bank.label}")


def _first_difference(signed: str, expected: str) -> tuple[str, str]:
    """The first line that differs, with its line end as an escape."""
    left, right = signed.splitlines(keepends=True), expected.splitlines(keepends=True)
    for index in range(max(len(left), len(right))):
        one = left[index] if index < len(left) else ""
        other = right[index] if index < len(right) else ""
        if one != other:
            return visible(one), visible(other)
    return "", ""


def visible(text: str) -> str:
    """With escapes for what nobody sees."""
    return text.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n").replace("\t", "\\t")


def _notes(message: Captured) -> Iterator[str]:
    if message.method in ("POST", "PUT", "PATCH") and message.one("digest") is None and message.whole \
            and not message.body:
        yield "an empty body that is not covered: the bank's Premium APIs take it (empty_body: omit)"
    digest = message.one("digest") or ""
    if message.body != normalised_form(message) and digest.endswith(hashed(normalised_form(message))):
        yield "the digest is over the form's sorted, decoded fields, as the bank's form rule asks"
    if not message.whole:
        yield "the body is not in what was given, so the digest is not judged; --body-file adds it"

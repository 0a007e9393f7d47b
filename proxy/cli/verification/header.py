"""The Signature header fails on its form more often than on its mathematics, so the form is mended and named."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from proxy.cli.verification.findings import Finding

_STRICT = re.compile(
    r'keyId="(?P<keyId>[^"\\\r\n]+)",algorithm="(?P<algorithm>[^"\\\r\n]+)",'
    r'headers="(?P<headers>[^"\\\r\n]+)",signature="(?P<signature>[^"\r\n]*[^"\\\r\n])"')
_PARAMETER = re.compile(r"""(?<![A-Za-z])([A-Za-z]+)\s?=\s?["']?([^"',]*)["']?""")
_LONGEST = 16384
_NAMES = ("keyId", "algorithm", "headers", "signature")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}){128,}")
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_OUTSIDE = re.compile(r'([,=])\s+|(?<!\s)\s+([,=])')


@dataclass(frozen=True, slots=True)
class Signature:
    """The four parameters; value is the raw signature, empty when it could not be decoded."""

    key_id: str
    algorithm: str
    headers: str
    value: bytes


def read(text: str) -> tuple[Signature | None, list[Finding]]:
    """The parameters as meant, and what is wrong with how they are written."""
    findings: list[Finding] = []
    if len(text) > _LONGEST:
        return None, [Finding("parameters", f"it has {len(text)} characters")]
    for cause, mend in _MENDS:
        if _STRICT.fullmatch(text) is not None:
            break
        mended = mend(text)
        if mended != text:
            findings.append(Finding(cause))
            text = mended
    match = _STRICT.fullmatch(text)
    if match is not None:
        parameters = match.groupdict()
    else:
        parameters = _loosely(text)
        missing = [name for name in _NAMES if not parameters.get(name)]
        findings.append(Finding("parameters", f"{missing[0]} is missing" if missing else _oddity(text)))
        if missing:
            return None, findings
    value, fault, detail = _decoded(parameters["signature"])
    if fault:
        findings.append(Finding(fault, detail))
    return Signature(parameters["keyId"], parameters["algorithm"], parameters["headers"], value), findings


def _loosely(text: str) -> dict[str, str]:
    """Whatever looks like one of the four, in any spelling and order."""
    names = {name.lower(): name for name in _NAMES}
    return {names[name.lower()]: value.strip() for name, value in _PARAMETER.findall(text) if name.lower() in names}


def _oddity(text: str) -> str:
    """What is strange about parameters that are all there."""
    found = [name for name, _ in _PARAMETER.findall(text)]
    if "'" in text and '"' not in text:
        return "the values are in single quotes"
    if '"' not in text:
        return "the values have no quotes"
    extra = [name for name in found if name.lower() not in {known.lower() for known in _NAMES}]
    if extra:
        return f"{extra[0][:32]} is not expected"
    if any(name not in _NAMES for name in found):
        return "the names are spelled in another way"
    return "the order is " + ", ".join(found[:4]) if found != list(_NAMES) else "the separators are no single commas"


def _without_prefix(text: str) -> str:
    return re.sub(r"^\s*[Ss]ignature:?\s+", "", text)


def _without_extra_quotes(text: str) -> str:
    if text[:1] in ('"', "'") and text[-1:] == text[:1] and not text.startswith('"keyId"'):
        text = text[1:] if text[0] == '"' and not text.endswith('""') else text[1:-1]
    return re.sub(r'"{2,}', '"', text)


_MENDS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("line_break", lambda text: re.sub(r"\s{0,64}[\r\n]\s{0,64}", "", text)),
    ("scheme_prefix", _without_prefix),
    ("html_escapes", lambda text: text.replace("&quot;", '"').replace("&#34;", '"').replace("&amp;", "&")),
    ("backslashes", lambda text: re.sub(r"\\(?![nr])", "", text)),
    ("extra_quotes", _without_extra_quotes),
    ("header_spaces", lambda text: _OUTSIDE.sub(lambda match: match[1] or match[2], text).strip()),
)


def _decoded(text: str) -> tuple[bytes, str, str]:
    """The signature's bytes, and cause and detail when they were not padded standard base64."""
    colonless = text.replace(":", "")
    if _HEX.fullmatch(colonless):
        return bytes.fromhex(colonless), "signature_hex", ""
    raw = _base64(text)
    if raw is not None and _BASE64.fullmatch(text):
        return _doubly(raw)
    for detail, mended in _repairs(text):
        raw = _base64(mended)
        if raw is not None:
            return raw, "signature_base64", detail
    return b"", "signature_base64", ""


def _doubly(raw: bytes) -> tuple[bytes, str, str]:
    """What base64 was applied to may have been text already."""
    inner = raw.decode("latin-1")
    if _HEX.fullmatch(inner):
        return bytes.fromhex(inner), "signature_hex", "it is the base64 of hexadecimal text"
    again = _base64(inner) if len(inner) >= 340 and _BASE64.fullmatch(inner) else None
    return (raw, "", "") if again is None else (again, "signature_base64", "it was encoded twice")


def _repairs(text: str) -> Iterator[tuple[str, str]]:
    """(what was done to it, the text without that)"""
    plain = re.sub(r"\\[nr]|\s", "", text)
    if "\\n" in text or "\\r" in text:
        yield "it holds the two characters '\\n'", plain
    if "%" in text:
        yield "it is URL-encoded", re.sub("%([0-9A-Fa-f]{2})", lambda match: chr(int(match[1], 16)), text)
    if " " in text.strip():
        yield "its '+' became spaces", text.strip().replace(" ", "+")
    yield "it holds white space", plain
    if set(text) & set("-_"):
        yield "it is base64url, with '-' and '_'", plain.replace("-", "+").replace("_", "/")
    yield "the '=' at its end is missing or doubled", plain.replace("-", "+").replace("_", "/").rstrip("=")


def _base64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None

"""The Signature header fails on its form more often than on its mathematics, so the form is mended and named."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from proxy.cli.verification.findings import Finding

_STRICT = re.compile(
    r'keyId="(?P<keyId>[^"\\\r\n]+)",algorithm="(?P<algorithm>[^"\\\r\n]+)",'
    r'headers="(?P<headers>[^"\\\r\n]+)",signature="(?P<signature>[^"\\\r\n]+)"')
_PARAMETER = re.compile(r'([A-Za-z]+)\s*=\s*"?([^",]*)"?')
_NAMES = ("keyId", "algorithm", "headers", "signature")
_OUTSIDE = re.compile(r'([,=])\s+|\s+([,=])')


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
        parameters = dict(_PARAMETER.findall(text))
        missing = [name for name in _NAMES if not parameters.get(name)]
        findings.append(Finding("parameters", f"{missing[0]} is missing" if missing else ""))
        if missing:
            return None, findings
    value, fault = _decoded(parameters["signature"])
    if fault:
        findings.append(Finding(fault))
    return Signature(parameters["keyId"], parameters["algorithm"], parameters["headers"], value), findings


def _without_prefix(text: str) -> str:
    return re.sub(r"^\s*[Ss]ignature:?\s+", "", text)


def _without_extra_quotes(text: str) -> str:
    if text[:1] in ('"', "'") and text[-1:] == text[:1] and not text.startswith('"keyId"'):
        text = text[1:] if text[0] == '"' and not text.endswith('""') else text[1:-1]
    return re.sub(r'"{2,}', '"', text)


_MENDS = (
    ("line_break", lambda text: re.sub(r"\s*[\r\n]\s*", "", text)),
    ("scheme_prefix", _without_prefix),
    ("backslashes", lambda text: text.replace("\\", "")),
    ("extra_quotes", _without_extra_quotes),
    ("header_spaces", lambda text: _OUTSIDE.sub(lambda match: match[1] or match[2], text).strip()),
)


def _decoded(text: str) -> tuple[bytes, str]:
    """The signature's bytes, and the cause when they were not padded standard base64."""
    if re.fullmatch(r"(?:[0-9a-fA-F]{2}){128,}", text):
        return bytes.fromhex(text), "signature_hex"
    try:
        return base64.b64decode(text, validate=True), ""
    except binascii.Error:
        plain = text.strip().rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True), "signature_base64"
    except (binascii.Error, ValueError):
        return b"", "signature_base64"

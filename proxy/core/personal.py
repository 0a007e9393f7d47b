"""What a bank's support may read of a call: values of known harmless names, and no person's.

Account numbers, names, amounts of money between people: in a text that leaves the company nothing of it is needed to
find out why a signature was refused.  So the names of values that stay are listed, and all others are masked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from proxy.core.json_values import replaced_values
from proxy.core.message import Field

_HARMLESS: Final = frozenset((
    "accesstype", "algorithm", "category", "code", "contenttype", "country", "creationdatetime", "currency",
    "description", "duration", "environment", "error", "errorcode", "errordescription", "expiresin", "granttype",
    "headers", "host", "httpcode", "httpmessage", "httpstatus", "language", "maxtransactionhistory", "message",
    "messageidentification", "method", "moreinformation", "path", "paymentstatus", "redirecturi", "rel", "responsetype",
    "scope", "skipaccountselection", "status", "timestamp", "tokentype", "traceid", "type", "url", "version"))
_SHOWN_HEADERS: Final = frozenset((
    b"accept", b"accept-encoding", b"accept-language", b"allow", b"cache-control", b"connection", b"content-encoding",
    b"content-length", b"content-type", b"date", b"digest", b"host", b"retry-after", b"server", b"signature",
    b"transfer-encoding", b"user-agent", b"www-authenticate", b"x-global-transaction-id", b"x-ibm-client-id",
    b"x-nordea-originating-date", b"x-nordea-originating-host", b"x-request-id", b"x-response-scenarios"))
_SHOWN_PREFIXES: Final = (b"x-ratelimit-", b"x-burstlimit-")
_SEPARATORS = re.compile(r"[^a-z0-9]")
_IBAN = re.compile(rb"(?<![A-Za-z0-9])(?:[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?"
                   rb"|[A-Za-z]{2}[0-9]{2}[A-Za-z0-9]{10,30})(?![A-Za-z0-9])")
_NUMBER = re.compile(rb"(?<![A-Za-z0-9])[0-9](?:[ .-]?[0-9]){6,}(?![A-Za-z0-9])")
_ADDRESS = re.compile(rb"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,255}|%40")
_IDENTIFYING = re.compile(rb"[0-9@%]")
_PARAMETER = re.compile(rb"([?&][A-Za-z0-9_.%-]{1,64})=([^&\s\"'<>]+)")
_VALUE_OF_FORM = re.compile(rb"(^|&)([A-Za-z0-9_.%-]{1,64})=([^&]*)")


def is_personal(name: str, *, in_errors: bool) -> bool:
    """Whether the value of a key with this name is masked; case and separators do not count."""
    return _SEPARATORS.sub("", name[:64].lower()) not in _HARMLESS


def impersonal_json(text: bytes) -> bytes:
    """JSON with its names, without the values of persons.  What stays is looked through for account numbers."""
    return impersonal_text(replaced_values(text, is_personal, _typed, whole=False))


def impersonal_form(text: bytes) -> bytes:
    return _VALUE_OF_FORM.sub(lambda match: b"%b%b=%b" % (match[1], match[2], _kept(match[2], match[3])), text)


def impersonal_text(text: bytes) -> bytes:
    """Account numbers and addresses in running text."""
    for pattern, mask in ((_IBAN, b"<IBAN>"), (_ADDRESS, b"<address>"), (_NUMBER, b"<number>")):
        text = pattern.sub(mask, text)
    return text


def impersonal_target(target: bytes) -> bytes:
    """Path segments that may name somebody, and values of parameters, as "*"."""
    path, mark, query = target.partition(b"?")
    segments = [b"*" if len(segment) >= 4 and _IDENTIFYING.search(segment) else segment for segment in path.split(b"/")]
    query = _PARAMETER.sub(lambda match: b"%b=%b" % (match[1], _kept(match[1][1:], match[2])), b"?" + query)[1:]
    return b"/".join(segments) + mark + query


def impersonal_fields(fields: Iterable[Field]) -> list[tuple[bytes, bytes]]:
    return [(spelled, value if name in _SHOWN_HEADERS or name.startswith(_SHOWN_PREFIXES) or value.startswith(b"***")
             else b"<masked>") for name, spelled, value in fields]


def _kept(name: bytes, value: bytes) -> bytes:
    return b"*" if is_personal(name.decode("latin-1"), in_errors=False) else impersonal_text(value)


def _typed(value: bytes) -> bytes:
    """Says what stood there, so that a wrong type can still be seen."""
    if value.startswith(b"***"):
        return b'"***"'
    kind = b"number" if re.fullmatch(rb"-?[0-9.eE+]+", value) else b"text of %d" % len(value)
    return b'"<IBAN>"' if _IBAN.fullmatch(value) else b'"<%b>"' % kind

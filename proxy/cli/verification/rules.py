"""A right seal over the wrong parts is still refused by the bank, so this judges what must hold apart from it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from proxy.cli.verification.captured import Captured
from proxy.cli.verification.findings import Finding
from proxy.cli.verification.header import Signature

TARGET = "(request-target)"
HOST = "x-nordea-originating-host"
DATE = "x-nordea-originating-date"
BARE = (TARGET, HOST, DATE)
FULL = (*BARE, "content-type", "digest")

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(rf"({'|'.join(_DAYS)}), (\d\d) ({'|'.join(_MONTHS)}) (\d{{4}}) (\d\d):(\d\d):(\d\d) GMT", re.ASCII)
_DIGEST = re.compile(r"(?:SHA-256|sha-256)=([A-Za-z0-9+/]{43}=)")
_HEX = re.compile(r"(?:(?i:SHA-256)=)?([0-9A-Fa-f]{64})")
_HOST_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.\-]*[a-z0-9])?")
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def wanted(message: Captured) -> list[tuple[str, ...]]:
    """The covered lists that are right for this request, the preferred one first."""
    if message.method in ("POST", "PUT", "PATCH"):
        return [FULL] if message.body else [FULL, BARE]
    return [FULL] if message.method == "DELETE" and message.body else [BARE]


def check_parameters(message: Captured, signature: Signature) -> Iterator[Finding]:
    """Algorithm, keyId and the covered list."""
    if signature.algorithm != "rsa-sha256":
        yield Finding("algorithm", f"it is {signature.algorithm[:32]!r}")
    client = message.one("x-ibm-client-id")
    if client is not None and signature.key_id not in (client, "clientId"):
        yield Finding("key_id")
    yield from _check_coverage(message, signature.headers)


def _check_coverage(message: Captured, text: str) -> Iterator[Finding]:
    lists = wanted(message)
    names, right = tuple(text.split(" ")), lists[0]
    if names in lists:
        return
    lower = tuple(name.lower() for name in text.split())
    show = {"signed": text, "expected": " ".join(right)}
    missing = [name for name in right if name not in lower]
    extra = [name for name in lower if name not in right]
    if set(extra) & {"content-type", "digest"}:
        yield Finding("content_without_body", f"this is a {message.method}", **show)
    elif set(missing) & {"content-type", "digest"}:
        yield Finding("content_not_covered", f"this is a {message.method}", **show)
    elif missing:
        yield Finding("covered_missing", missing[0], **show)
    elif extra:
        yield Finding("covered_extra", extra[0][:64], **show)
    elif lower == right:
        yield Finding("names_case" if text != text.lower() else "covered_order", **show)
    else:
        yield Finding("covered_order", **show)


def check_message(message: Captured) -> Iterator[Finding]:
    """Target, body, host and date."""
    if message.method in ("GET", "HEAD") and message.body:
        yield Finding("body_not_allowed")
    if "//" in message.target.partition("?")[0]:
        yield Finding("double_slash")
    for name in (HOST, DATE, "content-type", "digest"):
        if len(message.all(name)) > 1:
            yield Finding("header_twice", name)
    host, date = message.one(HOST), message.one(DATE)
    if host is not None:
        yield from _check_host(message, host)
    if date is not None and seconds(date) is None:
        yield Finding("date_form", signed=date)


def _check_host(message: Captured, host: str) -> Iterator[Finding]:
    if _HOST_NAME.fullmatch(host) is None:
        yield Finding("host_form", signed=host, expected=without_port(host))
        return
    sent_to = without_port(message.one("host") or "")
    if sent_to and sent_to not in _LOOPBACK and sent_to != host:
        yield Finding("host_differs", signed=host, expected=sent_to)


def without_port(authority: str) -> str:
    return re.sub(r":\d*$", "", authority).lower()


def seconds(text: str) -> datetime | None:
    """An IMF-fixdate (RFC 9110 section 5.6.7), or None; the day's name must be the right one."""
    parts = _DATE.fullmatch(text)
    if parts is None:
        return None
    name, day, month, year, hour, minute, second = parts.groups()
    try:
        date = datetime(int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    except ValueError:
        return None
    return date if _DAYS[date.weekday()] == name else None


def fixdate(moment: datetime) -> str:
    return moment.strftime(f"{_DAYS[moment.weekday()]}, %d {_MONTHS[moment.month - 1]} %Y %H:%M:%S GMT")


def hashed(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def check_digest(message: Captured) -> Iterator[Finding]:
    """Whether Digest is that of the body; the form rule's two digests both pass."""
    sent = message.one("digest")
    if sent is None:
        return
    right = "SHA-256=" + hashed(message.body)
    strict = _DIGEST.fullmatch(sent)
    if strict is None:
        yield Finding("digest_hex" if _is_hex(sent) else "digest_form", signed=sent, expected=right)
        return
    if strict[1] == hashed(message.body) or strict[1] == hashed(normalised_form(message)):
        return
    for what, other in other_bodies(message):
        if hashed(other) == strict[1]:
            yield Finding("digest_other_bytes", f"it is the digest of {what}", signed=sent, expected=right)
            return
    yield Finding("digest_other_bytes", signed=sent, expected=right)


def _is_hex(text: str) -> bool:
    if _HEX.fullmatch(text):
        return True
    try:
        inner = base64.b64decode(text.partition("=")[2], validate=True)
    except (binascii.Error, ValueError):
        return False
    return re.fullmatch(rb"[0-9A-Fa-f]{64}", inner) is not None


def normalised_form(message: Captured) -> bytes:
    """Fields sorted by name, values decoded: what the bank hashes of a form.  Other bodies stay as they are."""
    kind = (message.one("content-type") or "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return message.body
    try:
        pairs = parse_qsl(message.body.decode("latin-1"), keep_blank_values=True, strict_parsing=True,
                          encoding="latin-1", max_num_fields=1000)
    except ValueError:
        return message.body
    return "&".join(f"{name}={value}" for name, value in sorted(pairs, key=lambda pair: pair[0])).encode("latin-1")


def other_bodies(message: Captured) -> Iterator[tuple[str, bytes]]:
    """What people hash by accident instead of the body that is sent."""
    body = message.body
    yield "nothing (an empty body)", b""
    yield "the body without white space at its ends", body.strip()
    yield "the body with a line break at its end", body + b"\n"
    yield "the body with CR LF line ends", body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    yield "the body with LF line ends", body.replace(b"\r\n", b"\n")
    yield "the body in quotes", b'"' + body + b'"'
    yield "the body's base64", base64.b64encode(body)
    yield "the body's hexadecimal hash", hashlib.sha256(body).hexdigest().encode()
    yield "the body in another character set", body.decode("utf-8", "replace").encode("latin-1", "replace")
    yield "the body in UTF-8", body.decode("latin-1").encode()
    try:
        value = json.loads(body)
        for ascii_only in (False, True):
            for what, layout in _LAYOUTS:
                text = json.dumps(value, ensure_ascii=ascii_only, **layout)  # type: ignore[arg-type]
                yield f"the same JSON written {what}", text.encode("utf-8", "surrogatepass")
    except (ValueError, TypeError, RecursionError):
        return      # no JSON, or none that can be written again


_LAYOUTS: tuple[tuple[str, dict[str, object]], ...] = (
    ("without white space", {"separators": (",", ":")}),
    ("with spaces", {}),
    ("indented by two", {"indent": 2}),
    ("indented by four", {"indent": 4}),
    ("with sorted names", {"separators": (",", ":"), "sort_keys": True}),
)

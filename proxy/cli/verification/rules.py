"""A right seal over the wrong parts is still refused by the bank, so this judges what must hold apart from it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from proxy.cli.verification.captured import Captured
from proxy.cli.verification.findings import Finding
from proxy.cli.verification.header import Signature
from proxy.cli.verification.strings import TARGET

HOST = "x-nordea-originating-host"
DATE = "x-nordea-originating-date"
PRODUCTION = "open.nordea.com"
SANDBOX = "api.nordeaopenbanking.com"
BARE = (TARGET, HOST, DATE)
FULL = (*BARE, "content-type", "digest")

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(rf"({'|'.join(_DAYS)}), (\d\d) ({'|'.join(_MONTHS)}) (\d{{4}}) (\d\d):(\d\d):(\d\d) GMT", re.ASCII)
_HOST_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.\-]*[a-z0-9])?")
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def wanted(message: Captured) -> list[tuple[str, ...]]:
    """The covered lists that are right for this request, the preferred one first."""
    method = message.method.upper()
    if method in ("POST", "PUT", "PATCH"):
        return [FULL] if message.body or not message.whole else [FULL, BARE]
    return [FULL] if method == "DELETE" and message.body else [BARE]


def check_parameters(message: Captured, signature: Signature) -> Iterator[Finding]:
    """Algorithm, keyId and the covered list."""
    if signature.algorithm != "rsa-sha256":
        yield Finding("algorithm", f"it is {signature.algorithm[:32]!r}")
    client = message.one("x-ibm-client-id")
    if client is not None and signature.key_id not in (client, "clientId"):
        yield Finding("key_id")
    elif signature.key_id == "clientId" != client and (message.one(HOST) or "") == PRODUCTION:
        yield Finding("key_id", "it is 'clientId', which only the sandbox takes")
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
    if message.method != message.method.upper():
        yield Finding("method_case", signed=message.method, expected=message.method.upper())
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


def check_demands(message: Captured, known: set[str]) -> Iterator[Finding]:
    """What the bank wants besides a seal.  known: names that are missing and have been mentioned."""
    demanded = ["X-IBM-Client-Id", "X-IBM-Client-Secret", "X-Nordea-Originating-Host", "X-Nordea-Originating-Date"]
    if FULL in wanted(message)[:1]:
        demanded += ["Content-Type", "Digest"]
    missing = [name for name in demanded if not any(message.all(name.lower())) and name.lower() not in known]
    if missing:
        yield Finding("header_missing", ", ".join(missing))
    if message.scheme == "http" and without_port(message.one("host") or "") in (PRODUCTION, SANDBOX):
        yield Finding("plain_http")


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

"""Judges from the raw bytes whether a peer signed as the bank demands; it knows no signer's code."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import time
from email.utils import parsedate_to_datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from .conversation import CONTENT_TYPE, TOKEN, Call
from .material import Application

_SIGNATURE = re.compile(r'keyId="([^"]*)",algorithm="rsa-sha256",headers="([^"]*)",signature="([A-Za-z0-9+/]+={0,2})"')
_DATE = re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")
_BARE = ["(request-target)", "x-nordea-originating-host", "x-nordea-originating-date"]
_COVERED = {"GET": _BARE, "POST": [*_BARE, "content-type", "digest"]}


def complaints(raw: bytes, call: Call, application: Application, host: str) -> list[str]:
    """What is wrong with the request that reached the bank; empty when the bank would accept it."""
    head, _, body = raw.partition(b"\r\n\r\n")
    request_line, *lines = head.decode("latin-1").split("\r\n")
    found: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(":")
        found.setdefault(name.lower(), []).append(value.strip(" \t"))
    wanted = {
        "x-ibm-client-id": application.client_id,
        "x-ibm-client-secret": application.client_secret,
        "x-nordea-originating-host": host,
        "authorization": f"Bearer {TOKEN}",
    }
    if call.body:
        wanted["content-type"] = CONTENT_TYPE
        wanted["digest"] = "SHA-256=" + base64.b64encode(hashlib.sha256(body).digest()).decode()
    problems = [f"{name} is {found.get(name)}" for name, value in wanted.items() if found.get(name) != [value]]
    if request_line != f"{call.method} {call.target} HTTP/1.1":
        problems.append(f"the request line is {request_line!r}")
    if body != call.body:
        problems.append("the body was changed")
    return problems + _date_problems(found) + _signature_problems(found, call, application)


def _date_problems(found: dict[str, list[str]]) -> list[str]:
    dates = found.get("x-nordea-originating-date", [])
    if len(dates) != 1 or not _DATE.fullmatch(dates[0]):
        return [f"x-nordea-originating-date is {dates}"]
    off = abs(parsedate_to_datetime(dates[0]).timestamp() - time.time())
    return [f"the date is {off:.0f} s off"] if off > 10 else []


def _signature_problems(found: dict[str, list[str]], call: Call, application: Application) -> list[str]:
    values = found.get("signature", [])
    match = _SIGNATURE.fullmatch(values[0]) if len(values) == 1 else None
    if match is None:
        return [f"the signature header is {values}"]
    key_id, names, signature = match.groups()
    if key_id != application.client_id or names.split(" ") != _COVERED[call.method]:
        return [f"the signature names keyId {key_id!r} and headers {names!r}"]
    try:
        base = "\n".join(
            f"{name}: {_value(name, found, call)}" for name in _COVERED[call.method]).encode("latin-1")
        given = base64.b64decode(signature, validate=True)
        application.public_key.verify(given, base, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, KeyError, binascii.Error):
        return ["the signature does not verify"]
    return []


def _value(name: str, found: dict[str, list[str]], call: Call) -> str:
    return f"{call.method.lower()} {call.target}" if name == "(request-target)" else found[name][0]

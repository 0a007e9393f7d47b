"""HTTP archives (HAR 1.2), whole or one entry, from browsers and proxies."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote_plus

from proxy.cli.pasted.request import capture, parse_url
from proxy.cli.verification.captured import Captured, Unreadable

_MOST = 10_000


def requests_of(document: object) -> list[object]:
    """Every request object in an archive, a list of entries, an entry, or a request by itself."""
    match document:
        case {"log": {"entries": list(entries)}} | {"entries": list(entries)} | list(entries):
            return [entry["request"] for entry in entries[:_MOST] if isinstance(entry, dict) and "request" in entry]
        case {"request": dict(request)}:
            return [request]
        case {"method": str(), "url": str()}:
            return [document]
    return []


def read_request(request: object) -> Captured:
    """Raises Unreadable."""
    match request:
        case {"method": str(method), "url": str(url)}:
            assert isinstance(request, dict)
        case _:
            raise Unreadable("an entry of the archive has no method and URL")
    fields = list(_fields(request.get("headers")))
    pseudo = {name: value for name, value in fields if name.startswith(":")}
    place = parse_url(url)
    if ":path" in pseudo and pseudo[":path"].startswith("/"):
        place = type(place)(place.scheme, pseudo.get(":authority") or place.authority, pseudo[":path"])
    return capture(method, place, fields, _body(request))


def _fields(headers: object) -> Iterator[tuple[str, str]]:
    """A list of name and value as the format has it, or the object that some tools write."""
    if isinstance(headers, dict):
        headers = [{"name": name, "value": value} for name, value in headers.items()]
    for header in headers if isinstance(headers, list) else ():
        match header:
            case {"name": str(name), "value": str(value)}:
                yield name, value


def _body(request: dict[str, Any]) -> bytes | None:
    """None: there was one, and the archive does not hold it."""
    size = request.get("bodySize", request.get("_bodySize"))
    match request.get("postData"):
        case {"text": str(text), "encoding": "base64"}:
            try:
                return base64.b64decode(text, validate=True)
            except (binascii.Error, ValueError):
                raise Unreadable("the archive's body is not base64, as it says") from None
        case {"text": str(text)} if text or not size:
            return text.encode("utf-8", "surrogatepass")
        case {"params": [*pairs]} if pairs:
            return b"&".join(_pair(pair) for pair in pairs if isinstance(pair, dict))
    return None if isinstance(size, int) and size > 0 else b""


def _pair(pair: dict[str, Any]) -> bytes:
    name, value = (quote_plus(str(pair.get(part, "")), errors="surrogatepass") for part in ("name", "value"))
    return f"{name}={value}".encode()

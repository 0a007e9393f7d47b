"""Kept calls as an HTTP archive (HAR 1.2), which browsers' tools, Postman and Charles read.

The request of an entry is the one that went to the bank, or, where none did, the caller's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, urlsplit

from proxy import __version__
from proxy.core.message import Field
from proxy.serve.inspection.kept import Asked, Body, Kept
from proxy.serve.inspection.messages import Outgoing, outgoing, text
from proxy.serve.inspection.views import body_text, pairs, verdict


def archive(calls: Iterable[Kept]) -> dict[str, Any]:
    return {"log": {
        "version": "1.2", "creator": {"name": "psd2-signing-proxy", "version": __version__},
        "comment": "Secrets are masked.", "entries": [_entry(call) for call in calls if call.asked is not None]}}


def _entry(call: Kept) -> dict[str, Any]:
    asked, timings = call.asked, call.exchange.timings
    assert asked is not None
    blocked = max(0.0, timings.queue - call.dialled)
    receive = max(0.0, timings.total - timings.queue - timings.sign - timings.upstream)
    times = {"blocked": blocked, "dns": None, "connect": call.dialled or None, "send": timings.sign,
             "wait": timings.upstream, "receive": receive}
    begun = datetime.fromtimestamp(call.at - timings.total, UTC)
    return {
        "startedDateTime": begun.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "time": _ms(sum(seconds or 0.0 for seconds in times.values())), "request": _request(asked, outgoing(call)),
        "response": _response(call), "cache": {},
        "timings": {name: _ms(seconds) if seconds is not None else -1 for name, seconds in times.items()},
        "comment": f"{verdict(call)}; send holds the operation with the key",
        "_requestId": call.exchange.request_id, "_asked": {"url": text(asked.url), "headers": _headers(asked.fields)},
    }


def _request(asked: Asked, sent: Outgoing | None) -> dict[str, Any]:
    url = sent.url if sent is not None else _whole(asked)
    fields, body = (sent.fields, sent.body) if sent is not None else (asked.fields, asked.body)
    request = {"method": text(asked.method), "url": url, "httpVersion": "HTTP/1.1", "cookies": [],
               "headers": _headers(fields), "queryString": _query(url), "headersSize": -1, "bodySize": body.size}
    if body.size:
        shown, encoding = body_text(body)
        request["postData"] = {"mimeType": _first(fields, b"content-type"), "text": shown, "params": [],
                               **({"_encoding": "base64"} if encoding == "base64" else {})}
    return request


def _whole(asked: Asked) -> str:
    """An archive has whole URLs only."""
    host = f"http://{_first(asked.fields, b'host')}" if asked.url.startswith(b"/") else ""
    return host + text(asked.url)


def _response(call: Kept) -> dict[str, Any]:
    answered, status = call.answered, call.exchange.status
    if answered is None:
        try:
            reason = HTTPStatus(status).phrase
        except ValueError:
            reason = ""
        return {"status": status, "statusText": reason, "httpVersion": "HTTP/1.1", "cookies": [], "headers": [],
                "content": {"size": 0, "mimeType": ""}, "redirectURL": "", "headersSize": -1, "bodySize": -1,
                "_error": call.exchange.code}
    return {"status": status, "statusText": text(answered.line[4:]), "httpVersion": "HTTP/1.1", "cookies": [],
            "headers": _headers(answered.fields), "content": _content(answered.body, answered.fields),
            "redirectURL": _first(answered.fields, b"location"), "headersSize": -1, "bodySize": answered.body.size}


def _content(body: Body, fields: Sequence[Field]) -> dict[str, Any]:
    shown, encoding = body_text(body)
    return {"size": len(body.data), "mimeType": _first(fields, b"content-type"), "text": shown,
            **({"encoding": "base64"} if encoding == "base64" else {}),
            **({"comment": "only the beginning"} if body.cut else {})}


def _headers(fields: Sequence[Field]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs(fields)]


def _query(url: str) -> list[dict[str, str]]:
    return [{"name": unquote(name), "value": unquote(value)}
            for name, _, value in (pair.partition("=") for pair in urlsplit(url).query.split("&")) if name]


def _first(fields: Sequence[Field], wanted: bytes) -> str:
    return next((value.decode("latin-1") for name, _, value in fields if name == wanted), "")


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)

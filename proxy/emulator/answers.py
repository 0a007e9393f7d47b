"""The bank speaks three dialects (its own envelope, the gateway's JSON, the gateway's XML); all are made here."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Literal
from xml.sax.saxutils import escape

Framing = Literal["length", "chunked", "close"]
Fields = tuple[tuple[bytes, bytes], ...]

JSON_TYPE = (b"Content-Type", b"application/json")
DESCRIPTIONS = {
    "error.signature.invalid": "Signature is invalid.",
    "error.digest.invalid": "Digest is invalid.",
    "error.date.invalid": "Date is invalid.",
    "error.certificate.invalid": "Certificate is invalid.",
    "error.security.invalid": "Unspecified error with OBI authentication.",
    "error.token.missing": "Access token is missing.",
    "error.token.invalid": "Access token is invalid.",
    "error.token.expired": "Access token has expired.",
    "error.resource.notfound": "Requested resource was not found.",
    "error.validation": "The request is not valid.",
}
_NO_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer before it is bytes.  `acted`: the bank did what was asked, so this counts as an execution."""

    status: int = 200
    fields: Fields = ()
    pieces: Iterable[bytes] = ()
    length: int = 0
    framing: Framing = "length"
    acted: bool = True

    @classmethod
    def of(cls, body: bytes, status: int = 200, fields: Fields = (JSON_TYPE,), *, acted: bool = True) -> Answer:
        return cls(status, fields, (body,) if body else (), len(body), acted=acted)

    def plus(self, *fields: tuple[bytes, bytes]) -> Answer:
        return replace(self, fields=(*self.fields, *fields))


def has_body(status: int) -> bool:
    return status >= 200 and status not in _NO_BODY


def head_bytes(answer: Answer, framing: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Status line, fields, empty line."""
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [b"HTTP/1.1 %d %s" % (answer.status, phrase.encode())]
    lines += [name + b": " + value for name, value in (*answer.fields, *framing)]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def framing_fields(answer: Answer) -> Fields:
    if not has_body(answer.status):
        return ()
    if answer.framing == "chunked":
        return ((b"Transfer-Encoding", b"chunked"),)
    if answer.framing == "close":
        return ((b"Connection", b"close"),)
    return ((b"Content-Length", b"%d" % answer.length),)


def serialise(answer: Answer, *, head_only: bool = False) -> Iterator[bytes]:
    """The head first, then the body piece by piece; `head_only` for HEAD."""
    yield head_bytes(answer, framing_fields(answer))
    if head_only or not has_body(answer.status):
        return
    for piece in answer.pieces:
        yield b"%x\r\n%b\r\n" % (len(piece), piece) if answer.framing == "chunked" else piece
    if answer.framing == "chunked":
        yield b"0\r\n\r\n"


def success(response: Any, now: float, status: int = 200) -> Answer:
    """Envelope 1 of a success: `group_header` and `response`."""
    return Answer.of(_json({"group_header": _group_header(status, now), "response": response}), status)


def failure(code: str, path: str, now: float, status: int = 401, description: str = "") -> Answer:
    """Envelope 1 of an error; the real bank's echo of the path lacks /corporate."""
    failures = [{"code": code, "description": description or DESCRIPTIONS[code]}]
    error = {"request": {"url": path.removeprefix("/corporate")}, "failures": failures}
    return Answer.of(_json({"group_header": _group_header(status, now), "error": error}), status, acted=False)


def gateway(status: int, more: str, accept: str = "") -> Answer:
    """Envelope 2: what IBM's gateway says before the bank is asked."""
    message = HTTPStatus(status).phrase
    values = {"httpCode": str(status), "httpMessage": message, "moreInformation": more}
    if "xml" not in accept:
        return Answer.of(_json(values), status, acted=False)
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in values.items())
    body = f'<?xml version="1.0" encoding="UTF-8"?><errorResponse>{inner}</errorResponse>'.encode()
    return Answer.of(body, status, ((b"Content-Type", b"application/xml"),), acted=False)


def standing_fields(served: int, now: float, used_up: str = "") -> Fields:
    """What every answer of the bank carries: rate limits that count down, a transaction id, the date.

    used_up: "too_many" or "quota", the fault by which nothing is left of one of them.
    """
    burst, rate = (129 if used_up == "too_many" else served % 29), (11_000_000 if used_up == "quota" else served)
    return (
        (b"Date", formatdate(now, usegmt=True).encode()),
        (b"X-BurstLimit-Limit", b"name=burst-limit-1,130;name=auth-v5-api-burstlimit,30;"),
        (b"X-BurstLimit-Remaining", _limits("burst-limit-1", 129 - burst, "auth-v5-api-burstlimit", 29 - burst)),
        (b"X-RateLimit-Limit", b"name=rate-limit-1,11000000;name=auth-v5-api-ratelimit,1700000;"),
        (b"X-RateLimit-Remaining", _limits("rate-limit-1", 10999999 - rate, "auth-v5-api-ratelimit", 1699999 - rate)),
        (b"X-Global-Transaction-ID", secrets.token_hex(12).encode()),
    )


def _limits(name: str, count: int, other: str, other_count: int) -> bytes:
    return f"name={name},{max(count, 0)};name={other},{max(other_count, 0)};".encode()


def _group_header(status: int, now: float) -> dict[str, Any]:
    moment = datetime.fromtimestamp(now, UTC)
    stamp = f"{moment:%Y-%m-%dT%H:%M:%S.%f}000Z"
    return {"message_identification": secrets.token_hex(16), "creation_date_time": stamp, "http_code": status}


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

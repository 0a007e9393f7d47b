"""A bank's own endpoints do not show what a proxy does to bytes, so these signed extra endpoints do."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from urllib.parse import parse_qs

from proxy.emulator.answers import JSON_TYPE, Answer, Fields, Framing
from proxy.emulator.wire import Head

_BLOCK_LINES = 4096
_LINE = 16
_BLOCK = b"".join(b"%015x\n" % number for number in range(_BLOCK_LINES))
_FRAMINGS: dict[str, Framing] = {"length": "length", "chunked": "chunked", "close": "close"}


def echo(head: Head, body: bytes) -> Answer:
    """What arrived, so that the caller can compare it with what it sent."""
    seen = {
        "method": head.method,
        "target": head.target,
        "headers": head.fields,
        "body_length": len(body),
        "body_sha256": hashlib.sha256(body).hexdigest(),
    }
    return Answer.of(json.dumps(seen).encode())


def pattern(length: int) -> Iterator[bytes]:
    """`length` bytes in blocks; each 16-byte line holds its own number, so a lost or doubled piece shows where."""
    block = bytearray(_BLOCK)
    for number, first in enumerate(range(0, length, len(block))):
        for column, digit in enumerate(b"%012x" % number):      # the other three count within the block
            block[column::_LINE] = bytes((digit,)) * _BLOCK_LINES
        yield bytes(block[: length - first])


def many_bytes(head: Head, count: int) -> Answer:
    """/bytes/{n}?framing=chunked|length|close."""
    wanted = parse_qs(head.query).get("framing", ["length"])[-1]
    fields: Fields = ((b"Content-Type", b"application/octet-stream"),)
    return Answer(200, fields, pattern(count), count, _FRAMINGS.get(wanted, "length"))


def status(code: int) -> Answer:
    fields: Fields = (JSON_TYPE,)
    if 300 <= code < 400 and code != 304:
        fields = (JSON_TYPE, (b"Location", b"https://bank.example/elsewhere?code=a%2Bb&state=1"))
    return Answer.of(b"" if code in (204, 304) else b'{"status":%d}' % code, code, fields)


def gzipped() -> Answer:
    body = gzip.compress(json.dumps({"compressed": True, "text": "x" * 2000}).encode(), mtime=0)
    return Answer.of(body, 200, (JSON_TYPE, (b"Content-Encoding", b"gzip"), (b"Vary", b"Accept-Encoding")))


def cookies() -> Answer:
    """Repeated fields, odd spelling, bytes that are not UTF-8: all must reach the caller as they are."""
    fields: Fields = (
        JSON_TYPE,
        (b"Set-Cookie", b"a=1; Path=/; HttpOnly"),
        (b"Set-Cookie", b"b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT"),
        (b"set-cookie", b"c=3"),
        (b"X-Twice", b"first"),
        (b"X-Twice", b"second"),
        (b"x-ODD-Case", b"kept"),
        (b"X-Empty", b""),
        (b"X-Latin", b"\xc5sa \xff"),
    )
    return Answer.of(b'{"cookies":3}', 200, fields)

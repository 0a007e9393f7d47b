"""Requests that a caller may send, drawn at random, and what has to reach the bank of each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random

from tests.e2e.standing import BANK_NAME

_TOKEN = "!#$%&'*+-^`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SEGMENT = "ABCxyz0189-_~!$&'()*+,;=:@."
_QUERY = _SEGMENT + "/?&&==+[]{}|^`"
_SAFE_ESCAPES = ("%41", "%c3%A4", "%2B", "%2b", "%3D", "%25", "%7e", "%20", "%26", "%2F", "%3f")
_VALUE = [*range(0x21, 0x7F), *range(0x80, 0x100)]
_PASSED_ON = ("Accept", "User-Agent", "X-Nordea-Originating-User-Ip", "X-Response-Scenarios", "Cookie",
              "Accept-Encoding", "Agreement-Number", "Idempotency-Key", "If-None-Match")
_CONTENT_TYPES = ("application/json", "application/json; charset=UTF-8", "text/plain;x=\"y z\"", "APPLICATION/JSON",
                  "application/octet-stream")
_WITH_CONTENT = ("POST", "PUT", "PATCH")


@dataclass(frozen=True, slots=True)
class Generated:
    """raw: what the caller writes.  target, body, fields: what must arrive, fields in order among themselves.

    closes: the caller asked for the connection to end, or is HTTP/1.0.
    """

    number: int
    method: str
    raw: bytes
    target: bytes
    body: bytes
    fields: tuple[bytes, ...]
    closes: bool


def generate(random: Random, number: int, form: str = "origin") -> Generated:
    """form: "origin" to the proxy itself, "absolute" through it, "connect" for the inside of a tunnel to the bank."""
    host = b"localhost" if form == "origin" else BANK_NAME.encode()
    method = random.choice(("GET", "GET", "HEAD", "POST", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
    path, query = _path(random), _query(random)
    fields = [b"X-Number: %d" % number, *(_field(random) for _ in range(random.randrange(6)))]
    body, framing = b"", []
    version, content_type = random.choice((b"1.1",) * 9 + (b"1.0",)), []
    if method in _WITH_CONTENT or (method == "DELETE" and random.random() < 0.4):
        body = _body(random)
        content_type = [b"Content-Type: " + random.choice(_CONTENT_TYPES).encode()] if random.random() < 0.9 else []
        framing, framed = _framed(random, body, chunked=version == b"1.1" and random.random() < 0.4)
    else:
        framed = b""
    closes = random.random() < 0.05
    connection = [b"Connection: close"] if closes else [b"Connection: keep-alive, x-hop", b"X-Hop: 1"]
    lines = [*fields, *content_type, *framing, *connection, b"Host: " + host]
    random.shuffle(lines)
    target = (b"http://" + host if form == "absolute" else b"") + path + query
    raw = b"\r\n".join([b"%b %b HTTP/%b" % (method.encode(), target, version), *lines, b"", b""]) + framed
    kept = tuple(line for line in lines if line in fields or line in content_type)
    return Generated(number, method, raw, path if query == b"?" else path + query, body, kept,
                     closes or version == b"1.0")


def _path(random: Random) -> bytes:
    path = b"/echo"
    for _ in range(random.randrange(5)):
        segment = _text(random, _SEGMENT, 1, 12)
        # "." and ".." (also before a path parameter, or behind an encoded slash) are refused, as tests of routes show.
        dots = [piece.partition(b";")[0].strip(b".") == b"" for piece in segment.split(b"%2F")]
        path += b"/" + (b"s" + segment.replace(b"%2F", b"%2Fs") if any(dots) else segment)
    return path + (b"/" if random.random() < 0.2 else b"")


def _query(random: Random) -> bytes:
    chance = random.random()
    return b"" if chance < 0.3 else b"?" if chance < 0.35 else b"?" + _text(random, _QUERY, 1, 40)


def _text(random: Random, alphabet: str, least: int, most: int) -> bytes:
    parts = [random.choice(_SAFE_ESCAPES) if random.random() < 0.15 else random.choice(alphabet)
             for _ in range(random.randint(least, most))]
    return "".join(parts).encode()


def _field(random: Random) -> bytes:
    if random.random() < 0.6:
        name = random.choice(_PASSED_ON)
        name = random.choice((name, name.lower(), name.upper()))
    else:
        name = "X-" + "".join(random.choices(_TOKEN, k=random.randint(1, 20)))
    words = [bytes(random.choices(_VALUE, k=random.randint(1, 12))) for _ in range(random.randrange(4))]
    return name.encode() + b": " + random.choice((b" ", b"  ", b"\t")).join(words)


def _body(random: Random) -> bytes:
    chance = random.random()
    if chance < 0.1:
        return b""
    if chance < 0.5:
        return json.dumps({"amount": random.random(), "text": "Kävely ÅÄÖ " * random.randrange(8)},
                          ensure_ascii=random.random() < 0.5).encode()
    return random.randbytes(random.choice((1, 2, 100, 1000, 5000, 70_000 if chance > 0.99 else 10)))


def _framed(random: Random, body: bytes, *, chunked: bool) -> tuple[list[bytes], bytes]:
    if not chunked:
        return [b"Content-Length: %d" % len(body)], body
    framed, rest = b"", body
    while rest:
        size = random.randint(1, len(rest))
        extension = random.choice((b"", b"", b";a=b", b';a="b c"', b";a"))
        framed += random.choice((b"%x", b"%X", b"0%x")) % size + extension + b"\r\n" + rest[:size] + b"\r\n"
        rest = rest[size:]
    return [random.choice((b"Transfer-Encoding: chunked", b"transfer-encoding: Chunked"))], framed + b"0\r\n\r\n"

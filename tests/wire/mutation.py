"""Damages messages the way attackers and broken software do; the same seed gives the same damage."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

_MARKS = (
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b" ", b"  ", b"\t", b"\x00", b"\x0b", b"\x7f", b"\xff", b",", b";", b":", b"0",
    b"5", b"+", b"-", b"_", b"0x", b'"', b"#", b"?", b"/", b"//", b"@", b"%2f", b"a", b"HTTP/1.1", b"HTTP/1.0",
    b"0\r\n\r\n", b"5\r\nhello\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

_LINES = (
    b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Content-Length : 5\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n", b"Transfer-Encoding:\r\n", b"Host: a\r\n", b"Connection: close\r\n",
    b"Connection: upgrade\r\n", b"Upgrade: h2c\r\n", b"Expect: 100-continue\r\n", b"X: y\r\n", b" folded\r\n", b"X\r\n",
    b"Trailer: X\r\n", b"TE: trailers\r\n")


def _insert(raw: bytes, chance: random.Random) -> bytes:
    at = chance.randint(0, len(raw))
    return raw[:at] + chance.choice(_MARKS) + raw[at:]


def _add_line(raw: bytes, chance: random.Random) -> bytes:
    ends = [at + 2 for at in range(len(raw)) if raw.startswith(b"\r\n", at)]
    at = chance.choice(ends or [0])
    return raw[:at] + chance.choice(_LINES) + raw[at:]


def _delete(raw: bytes, chance: random.Random) -> bytes:
    at = chance.randint(0, len(raw))
    return raw[:at] + raw[at + chance.choice((1, 1, 1, 2, 4, 16)):]


def _replace(raw: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(raw) or 1)
    return raw[:at] + bytes((chance.choice((chance.randrange(256), chance.randrange(0x20, 0x7F))),)) + raw[at + 1:]


def _repeat(raw: bytes, chance: random.Random) -> bytes:
    at = chance.randint(0, len(raw))
    end = at + chance.choice((1, 2, 9, 19, 40))
    return raw[:end] + raw[at:end] + raw[end:]


def _other_case(raw: bytes, chance: random.Random) -> bytes:
    at = chance.randint(0, len(raw))
    return raw[:at] + raw[at:at + 12].swapcase() + raw[at + 12:]


def _other_line_end(raw: bytes, chance: random.Random) -> bytes:
    lines = raw.split(b"\r\n")
    at = chance.randrange(len(lines)) + 1
    end = chance.choice((b"\n", b"\r", b"\r\r\n", b"\n\r"))
    return b"\r\n".join(lines[:at]) + end + b"\r\n".join(lines[at:])


_DAMAGES = (_insert, _insert, _add_line, _add_line, _delete, _replace, _repeat, _other_case, _other_line_end)


def mutants(whole: Sequence[bytes], seed: int, count: int) -> Iterator[bytes]:
    """Each of one to three whole messages with one to three damages."""
    chance = random.Random(seed)
    for _ in range(count):
        raw = b"".join(chance.choices(whole, k=chance.choice((1, 1, 2, 3))))
        for _ in range(chance.choice((1, 1, 2, 3))):
            raw = chance.choice(_DAMAGES)(raw, chance)
        yield raw

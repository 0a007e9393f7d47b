"""Mutants: inputs with some damage of the kinds that find bugs in readers."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence

_EVERYWHERE = (
    b"\x00",
    b"\n",
    b"\r\n",
    b"\r",
    b"\t",
    b" ",
    b"\xff",
    b"\x80",
    b"\xc3\xa9",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\xb2",
    b"'",
    b'"',
    b"\\",
    b"%",
    b"%00",
    b"..",
    b"/",
    b":",
    b";",
    b",",
    b"=",
    b"&",
    b"{",
    b"[",
    b"(",
    b"<",
)
_NUMBERS = (
    b"0",
    b"-1",
    b"00",
    b"1e999",
    b"255",
    b"256",
    b"65535",
    b"65536",
    b"2147483648",
    b"4294967295",
    b"18446744073709551616",
    b"9" * 400,
    b"9" * 4400,
    b"\xd9\xa3",
    b"0x7f",
    b"1.5",
    b"NaN",
)
_DIGITS = re.compile(rb"[0-9]+")
_REPEATS = (2, 3, 8, 40, 300)

Damage = Callable[[bytes, random.Random, Sequence[bytes], Sequence[bytes]], bytes]


def mutants(inputs: Sequence[bytes], tokens: Sequence[bytes], seed: str, count: int, largest: int) -> Iterator[bytes]:
    """count of them; the same seed gives the same ones."""
    chance = random.Random(seed)
    words = (*tokens, *_EVERYWHERE)
    for _ in range(count):
        data = chance.choice(inputs)
        for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 5))):
            data = chance.choice(_DAMAGES)(data, chance, words, inputs)
        yield data[:largest]


def _span(data: bytes, chance: random.Random) -> tuple[int, int]:
    start = chance.randint(0, len(data))
    return start, min(len(data), start + chance.choice((1, 1, 2, 3, 4, 8, 16, 64)))


def _insert(data: bytes, chance: random.Random, words: Sequence[bytes], _: Sequence[bytes]) -> bytes:
    at = chance.randint(0, len(data))
    return data[:at] + chance.choice(words) + data[at:]


def _replace(data: bytes, chance: random.Random, words: Sequence[bytes], _: Sequence[bytes]) -> bytes:
    start, end = _span(data, chance)
    return data[:start] + chance.choice(words) + data[end:]


def _byte(data: bytes, chance: random.Random, _: Sequence[bytes], __: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(data) or 1)
    return data[:at] + bytes((chance.randrange(256),)) + data[at + 1 :]


def _bit(data: bytes, chance: random.Random, _: Sequence[bytes], __: Sequence[bytes]) -> bytes:
    if not data:
        return b"\x01"
    at = chance.randrange(len(data))
    return data[:at] + bytes((data[at] ^ 1 << chance.randrange(8),)) + data[at + 1 :]


def _delete(data: bytes, chance: random.Random, _: Sequence[bytes], __: Sequence[bytes]) -> bytes:
    start, end = _span(data, chance)
    return data[:start] + data[end:]


def _cut(data: bytes, chance: random.Random, _: Sequence[bytes], __: Sequence[bytes]) -> bytes:
    return data[: chance.randint(0, len(data))]


def _repeat(data: bytes, chance: random.Random, _: Sequence[bytes], __: Sequence[bytes]) -> bytes:
    start, end = _span(data, chance)
    return data[:start] + data[start:end] * chance.choice(_REPEATS) + data[end:]


def _move(data: bytes, chance: random.Random, _: Sequence[bytes], __: Sequence[bytes]) -> bytes:
    start, end = _span(data, chance)
    rest = data[:start] + data[end:]
    at = chance.randint(0, len(rest))
    return rest[:at] + data[start:end] + rest[at:]


def _cross(data: bytes, chance: random.Random, _: Sequence[bytes], inputs: Sequence[bytes]) -> bytes:
    other = chance.choice(inputs)
    return data[: chance.randint(0, len(data))] + other[chance.randint(0, len(other)) :]


def _number(data: bytes, chance: random.Random, _: Sequence[bytes], __: Sequence[bytes]) -> bytes:
    found = list(_DIGITS.finditer(data))
    if not found:
        return data + chance.choice(_NUMBERS)
    where = chance.choice(found)
    return data[: where.start()] + chance.choice(_NUMBERS) + data[where.end() :]


_DAMAGES: tuple[Damage, ...] = (
    _insert,
    _insert,
    _insert,
    _replace,
    _replace,
    _byte,
    _bit,
    _delete,
    _cut,
    _repeat,
    _move,
    _cross,
    _number,
)

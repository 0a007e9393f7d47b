"""Framing: nothing malformed is signed, and nothing reaches the bank beyond what is strictly valid before it.

The corpus is sent as it stands; mutants of valid messages are judged by strict.py, a second reading of the RFC.  Each
ends in NUL bytes, which no request may hold, so that the proxy always ends the connection by itself.
"""

from __future__ import annotations

import logging
from collections import Counter

from proxy.emulator import Emulator
from proxy.emulator.records import Received
from tests.e2e.line import connected
from tests.e2e.standing import Proxy
from tests.torture.corpus import SMUGGLED, head, malformed, post
from tests.torture.figures import Figure, at_least, none_of, scaled
from tests.torture.ground import Ground
from tests.torture.strict import Valid, valid_prefix
from tests.wire.corpus_valid import FIELDS
from tests.wire.mutation import mutants

PROMISE = "framing"
MUTANTS, SEED, BODY = 100_000, 20261121, 1024
_END = b"\x00" * (2 * BODY) + b"\r\n\r\n"
_WHOLE = (
    head(b"GET /echo/a?b=c HTTP/1.1", b"Accept: */*"),
    post(b"Content-Length: 5", body=b"hello"),
    post(b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n3;a=b\r\nabc\r\n0\r\n\r\n", method=b"PUT"),
    head(b"GET http://localhost.bank/echo HTTP/1.1", host=b"Host: localhost.bank").replace(
        b"localhost.bank", b"open.nordea.com"
    ),
    post(b"Content-Length: 0", method=b"DELETE"),
    head(b"HEAD /echo/h HTTP/1.1", b"Connection: keep-alive"),
    SMUGGLED,
)


class _Watch(logging.Handler):
    """Keeps what must not be in the log."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.faults: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.faults.append(record.getMessage())


async def run(ground: Ground, size: float) -> list[Figure]:
    watch = _Watch()
    logging.getLogger("proxy").addHandler(watch)
    try:
        async with ground.both(limits={"body": BODY}, timeouts={"read": 3.0}, bank={"keep": 1000}) as (bank, proxy):
            figures = [
                *await _corpus(bank, proxy, size),
                *await _valid(bank, proxy),
                *await _mutants(bank, proxy, size),
            ]
    finally:
        logging.getLogger("proxy").removeHandler(watch)
    return [*figures, none_of(PROMISE, "internal errors in the log", len(watch.faults), 1, "; ".join(watch.faults[:3]))]


async def _said(proxy: Proxy, raw: bytes) -> tuple[list[int], bytes]:
    """Sends it and reads to the end. -> (the statuses, everything)"""
    async with connected(proxy.port()) as line:
        try:
            await line.send(raw)
            answers = await line.rest()
        except (ConnectionError, OSError):
            return [], b""
    return [int(part[:3]) for part in answers.split(b"HTTP/1.1 ")[1:] if part[:3].isdigit()], answers


async def _corpus(bank: Emulator, proxy: Proxy, size: float) -> list[Figure]:
    every = malformed()
    chosen = every[:: max(1, round(0.1 / size))]
    signed, faults, silent = [], [], []
    for family, raw in chosen:
        before = bank.received.total
        statuses, answers = await _said(proxy, raw + _END)
        if bank.received.total != before:
            signed.append(f"{family}: {raw[:60]!r}")
        if any(status >= 500 for status in statuses) or b"Traceback" in answers:
            faults.append(f"{family}: {raw[:60]!r}")
        if not statuses:
            silent.append(f"{family}: {raw[:60]!r}")
    return [
        at_least(PROMISE, "malformed requests of the corpus", len(every), 1500),
        none_of(PROMISE, "malformed and yet at the bank", len(signed), len(chosen), "; ".join(signed[:3])),
        none_of(PROMISE, "malformed and answered with 500 or more", len(faults), len(chosen), "; ".join(faults[:3])),
        none_of(PROMISE, "malformed and not answered", len(silent), len(chosen), "; ".join(silent[:3])),
    ]


_FRAMED = (
    (b"Content-Length: 5", b"hello"),
    (b"Content-Length: 0000005", b"hello"),
    (b"content-length:5", b"hello"),
    (b"Content-Length: \t5 \t", b"hello"),
    (b"Expect: 100-continue\r\nContent-Length: 5", b"hello"),
    *(
        (
            b"Transfer-Encoding: " + coding,
            b"".join(chunk + b"\r\n" for chunk in (size + ext, b"hello", b"0" + ext, b"")),
        )
        for coding, size, ext in (
            (b"chunked", b"5", b""),
            (b"Chunked", b"05", b""),
            (b"CHUNKED", b"00000005", b""),
            (b"\tchunked ", b"5", b";a"),
            (b"chunked", b"5", b";a=b"),
            (b"chunked", b"5", b";a=b;c=d"),
            (b"chunked", b"5", b';a="b c;d"'),
            (b"chunked", b"5", b';a="b\\"c"'),
        )
    ),
)


def valid() -> list[bytes]:
    """Odd, and yet well-formed inside the documented limits."""
    bank = b"host:\t open.nordea.com "
    lines = [line for line in FIELDS.values() if len(line) < 2000]
    every = [
        make(line)
        for line in lines
        for make in (
            lambda line: head(b"GET /echo/v HTTP/1.1", line),
            lambda line: post(line, *([] if line.lower().startswith(b"content-length") else [b"Content-Length: 0"])),
            lambda line: head(b"DELETE /echo/v HTTP/1.1", line),
            lambda line: b"\r\n" + head(b"GET /echo/v?a=b HTTP/1.1", line),
            lambda line: head(b"GET http://open.nordea.com/echo/v HTTP/1.1", line, host=bank),
        )
    ]
    return [
        *every,
        *(
            post(framing, body=body, method=method)
            for framing, body in _FRAMED
            for method in (b"POST", b"PUT", b"PATCH", b"DELETE")
        ),
    ]


async def _valid(bank: Emulator, proxy: Proxy) -> list[Figure]:
    refused, every = [], valid()
    for raw in every:
        before = bank.received.total
        await _said(proxy, raw + _END)
        if bank.received.total != before + 1 or not bank.received[-1].verdict.accepted:
            refused.append(repr(raw[:90]))
    return [
        at_least(PROMISE, "valid requests of the corpus", len(every), 150),
        none_of(PROMISE, "valid and not forwarded", len(refused), len(every), "; ".join(refused[:3])),
    ]


async def _mutants(bank: Emulator, proxy: Proxy, size: float) -> list[Figure]:
    count = scaled(MUTANTS, size)
    beyond, faults, passed = [], [], Counter[str]()
    for mutant in mutants(_WHOLE, SEED, count):
        raw = mutant + _END
        before = bank.received.total
        statuses, answers = await _said(proxy, raw)
        arrived = list(bank.received)[-(bank.received.total - before) :] if bank.received.total > before else []
        expected = valid_prefix(raw)
        passed["at the bank"] += len(arrived)
        passed["strictly valid"] += len(expected)
        if not _within(arrived, expected):
            beyond.append(repr(mutant[:120]))
        if b"Traceback" in answers or any(status == 500 for status in statuses):
            faults.append(repr(mutant[:120]))
    note = ", ".join(f"{name} {number:,}" for name, number in passed.items())
    return [
        none_of(
            PROMISE,
            "mutants of which something beyond the valid prefix came through",
            len(beyond),
            count,
            "; ".join(beyond[:3]) or note,
        ),
        none_of(PROMISE, "mutants answered with 500 or a traceback", len(faults), count, "; ".join(faults[:3])),
    ]


def _within(arrived: list[Received], expected: list[Valid]) -> bool:
    """Whether each is one of the valid requests, in their order; some may have been refused for other reasons."""
    rest = iter(expected)
    return all(any(_same(one, other) for other in rest) for one in arrived)


def _same(arrived: Received, sent: Valid) -> bool:
    method, target, _ = arrived.head.split(b" ", 2)
    absolute = sent.target.lower().startswith((b"http://", b"https://"))
    path, question, query = (sent.target[sent.target.find(b"/", 8) :] if absolute else sent.target).partition(b"?")
    expected = path + question + query if query else path
    read = arrived.method != ""  # else the emulator refuses such a target, and has not read the body
    return (method, target) == (sent.method, expected) and (not read or arrived.body == sent.body)

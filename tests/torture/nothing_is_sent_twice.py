"""No payment is sent twice, or lost without a truthful word: every kind of fault, for every method that acts.

The bank's faults are the emulator's, the link's are link.py's.  What a caller heard of each call is held against the
bank's own list of what it executed: executed twice, answered but never executed, or told "not sent" and yet executed.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from typing import Any
from unittest.mock import patch

from proxy.emulator import Emulator
from proxy.emulator.authority import Validity
from proxy.wire.breaker import BreakerSettings
from proxy.wire.dial import Resolver
from tests.torture import link
from tests.torture.figures import Figure, none_of, scaled
from tests.torture.ground import Ground
from tests.torture.outcomes import Books, told

PROMISE = "nothing twice, nothing lost"
METHODS = ("POST", "PUT", "PATCH", "DELETE")
EACH, CALLERS = 1000, 48
_NO_BREAKER = BreakerSettings(failures=0)       # it would spare the calls what this is about
_PATIENCE = {"first_byte": 0.4, "between_bytes": 0.4, "write": 0.4, "connect": 0.4}

BANK_FAULTS: dict[str, dict[str, Any]] = {kind: {} for kind in (
    "deaf", "stall_before", "close_before", "reset_before", "too_many", "unavailable", "gateway_error", "stall",
    "close_after", "reset_after", "length_twice", "length_and_chunked", "bad_chunk", "bad_header", "garbage_status",
    "switching", "interim", "unsolicited", "close_idle", "close_announced")}
BANK_FAULTS |= {"delay": {"seconds": 0.01}, "length_long": {"after": 3}, "length_short": {"after": 3},
                "drip": {"after": 40, "seconds": 0.001}, "cut_head": {"after": 1000}, "cut_body": {"after": 500}}
_ENDINGS = ("close", "abort", "reset")
_CUT = ("cut_head", "cut_body")
_LINK_BYTES = {"request cut": 2600, "answer cut": 3200, "answer ended": 3200, "stall": 3200}
_STRIDE = 1009      # coprime to the numbers of bytes: every one has its turn at full size, and the first few are spread
DIALLING = ("refused", "wrong certificate", "expired certificate", "no such name", "name changed")


async def run(ground: Ground, size: float) -> list[Figure]:
    each = scaled(EACH, size, least=6)
    books: dict[str, Books] = {}
    for kind in BANK_FAULTS:
        books[f"bank: {kind}"] = await _bank_fault(ground, kind, each)
    for kind in link.KINDS:
        books[f"link: {kind}"] = await _link_fault(ground, kind, each)
    for kind in DIALLING:
        books[f"dial: {kind}"] = await _dialling(ground, kind, each)
    return _figures(books)


def _figures(books: dict[str, Books]) -> list[Figure]:
    calls = sum(len(one.told) for one in books.values())
    figures = []
    for what, name in (("executed twice", "twice"), ("answered but not executed", "lost"),
                       ("told 'not sent' and yet executed", "lies")):
        bad = {kind: len(getattr(one, name)) for kind, one in books.items() if getattr(one, name)}
        figures.append(none_of(PROMISE, what, sum(bad.values()), calls, ", ".join(f"{k} {n}" for k, n in bad.items())))
    idle = [kind for kind, one in books.items() if not one.told]
    heard = Counter(word for one in books.values() for word in one.told.values())
    figures.append(none_of(PROMISE, f"kinds of fault that did not happen, of {len(books)} × {len(METHODS)} methods",
                           len(idle), len(books),
                           "; ".join([*idle, ", ".join(f"{k} {n:,}" for k, n in sorted(heard.items()))])))
    return figures


async def _bank_fault(ground: Ground, kind: str, each: int) -> Books:
    kept = {"keep": each * len(METHODS) + 1}
    patience = _PATIENCE if kind == "deaf" else {**_PATIENCE, "connect": 10.0}     # where that is not the fault
    async with ground.both(timeouts=patience, breaker=_NO_BREAKER, bank=kept) as (bank, proxy):
        for number in range(each):
            for method in METHODS:
                settings = BANK_FAULTS[kind]
                if kind in _CUT:
                    settings = {"after": _offset(number, settings["after"]),
                                "ending": _ENDINGS[(number + len(method)) % len(_ENDINGS)]}
                bank.faults.add(kind, method=method, path=_target(kind, method, number), **settings)
        books = await _call(proxy.port(), kind, each)
        fired = bank.faults.taken > len(books.told) / 2     # those on a connection that was just closing never arrive
        bank.faults.release()
        return _settled(books, bank) if fired else Books()


def _offset(number: int, of: int) -> int:
    return number * _STRIDE % of


def _target(kind: str, method: str, number: int) -> str:
    return f"/echo/{kind.replace('_', '-').replace(' ', '-')}/{method.lower()}/{number}/"


def _settled(books: Books, bank: Emulator) -> Books:
    books.compare(execution.target for execution in bank.executions)
    return books


async def _call(port: int, kind: str, each: int) -> Books:
    books = Books()
    calls = iter([(method, _target(kind, method, number)) for number in range(each) for method in METHODS])

    async def caller() -> None:
        for method, target in calls:
            books.told[target] = await told(port, method, target)

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return books


async def _link_fault(ground: Ground, kind: str, each: int) -> Books:
    connections = count()

    def plan() -> link.Plan:
        return link.Plan(kind, 1 + _offset(next(connections), _LINK_BYTES[kind]) if kind in _LINK_BYTES else 0)

    async with ground.bank(keep=each * len(METHODS) + 1) as bank, link.Link.open(bank.port, plan) as between:
        async with ground.proxy(f"https://127.0.0.1:{between.port}", timeouts=_PATIENCE,
                                breaker=_NO_BREAKER) as proxy:
            books = await _call(proxy.port(), kind, each)
        return _settled(books, bank) if between.accepted else Books()


async def _dialling(ground: Ground, kind: str, each: int) -> Books:
    async with _dialled(ground, kind, each) as (bank, upstream, fewest):
        timeouts = {**_PATIENCE, "resolve": 0.001, "upstream_age": 0.01}
        async with ground.proxy(upstream, timeouts=timeouts, breaker=_NO_BREAKER) as proxy:
            books = await _call(proxy.port(), kind, each)
        words = Counter(books.told.values())
        return _settled(books, bank) if words["no"] >= fewest * len(books.told) else Books()


@asynccontextmanager
async def _dialled(ground: Ground, kind: str, each: int) -> AsyncIterator[tuple[Emulator, str, float]]:
    """-> (bank, upstream, the share of calls that cannot have been sent)"""
    options: dict[str, Any] = {"keep": each * len(METHODS) + 1}
    if kind in ("wrong certificate", "expired certificate"):
        options |= {"directory": None, "authority": ground.authority}
        options |= ({"server_names": ("other.example",)} if kind == "wrong certificate" else
                    {"server_validity": Validity.days(-10)})
    async with ground.bank(**options) as bank:
        if kind == "refused":
            with socket.socket() as bound:              # bound, and nobody listens
                bound.bind(("127.0.0.1", 0))
                yield bank, f"https://127.0.0.1:{bound.getsockname()[1]}", 1.0
        elif kind in ("no such name", "name changed"):
            with _names(never=kind == "no such name"):
                yield bank, f"https://bank.test:{bank.port}", 1.0 if kind == "no such name" else 0.0
        else:
            yield bank, f"https://127.0.0.1:{bank.port}", 1.0


@contextmanager
def _names(*, never: bool) -> Iterator[None]:
    """bank.test has no address, or another one at each look: where the bank is, and where nobody listens."""
    turn = count()

    async def look_up(host: str, port: int) -> list[tuple[int, str, int]]:
        assert host == "bank.test"
        if never:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, "127.0.0.1" if next(turn) % 2 else "127.0.0.2", port)]

    with patch.object(Resolver, "_lookup", staticmethod(look_up)):
        yield

"""The keep-alive race: a bank that closes idle connections just when the next payment is written to one.

The proxy runs as a process of its own, so that its event loop and the bank's race as they would in life.  The bank ends
what has been idle for KEEP_ALIVE_S, unannounced; each caller comes back after a pause drawn from twice that time, so
that the moments of both fall together again and again.
"""

from __future__ import annotations

import asyncio
from random import Random

from tests.e2e.line import Cut, connected, post
from tests.torture.figures import Figure, at_most, none_of, scaled
from tests.torture.ground import Ground
from tests.torture.outcomes import Books, word

PROMISE = "keep-alive race"
COUNT, CALLERS, SEED = 10_000, 50, 20261121
KEEP_ALIVE_S = 0.2
ALLOWED_PERCENT = 0.01


async def run(ground: Ground, size: float) -> list[Figure]:
    each = scaled(COUNT, size, least=CALLERS * 4) // CALLERS
    books = Books()
    async with (ground.bank(keep=each * CALLERS + 1, keep_alive=KEEP_ALIVE_S) as bank,
                ground.child(bank, quiet=True) as child):
        await asyncio.gather(*(_caller(child.port, number, each, books) for number in range(CALLERS)))
        books.compare(execution.target for execution in bank.executions)
        connections = bank.connections
    calls = len(books.told)
    errors = sum(said != "answered" for said in books.told.values())
    return [at_most(PROMISE, f"payments that failed, of {calls:,}", 100 * errors / calls, ALLOWED_PERCENT, " %",
                    f"{books.summary()}; {connections:,} connections to the bank"),
            none_of(PROMISE, "executed twice, or lost without a word", books.bad, calls)]


async def _caller(port: int, name: int, count: int, books: Books) -> None:
    random = Random(f"{SEED} {name}")
    async with connected(port) as line:
        for number in range(count):
            target = f"/echo/race/{name}/{number}"
            try:
                books.told[target] = word(await line.ask(post(target)))
            except Cut:
                books.told[target] = "cut"
                return
            await asyncio.sleep(random.random() * 2 * KEEP_ALIVE_S)

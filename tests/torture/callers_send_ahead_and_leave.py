"""Callers that send several requests ahead, in any segments, and leave at any moment, before a bank that misbehaves.

Each answer that one of them still hears must be the one to its own request, and what it says must be what the bank did;
so must the log, which alone tells of those that nobody waited for.
"""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from proxy.emulator import Emulator
from proxy.wire.breaker import BreakerSettings
from tests.e2e.child import Child
from tests.e2e.line import Cut, Line, connected, post, request, reset
from tests.torture.figures import Figure, none_of, scaled
from tests.torture.ground import Ground
from tests.torture.outcomes import Books, word

PROMISE = "callers that send ahead"
CONNECTIONS, AT_ONCE, AHEAD, SEED = 3000, 40, 5, 20261121
METHODS = ("POST", "PUT", "PATCH", "DELETE")
FAULTS = ("close_after", "reset_after", "close_before", "reset_before", "cut_head", "cut_body", "unsolicited",
          "interim", "close_idle", "close_announced", "length_long", "delay")


@dataclass(slots=True)
class Crowd:
    """others: targets whose caller got another one's answer."""

    port: int
    books: Books = field(default_factory=Books)
    others: list[str] = field(default_factory=list)
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def caller(self, name: int) -> None:
        random = Random(f"{SEED} {name}")
        targets = [f"/echo/ahead/{name}x{number}" for number in range(random.randint(1, AHEAD))]
        async with self.turns:
            with suppress(Cut, OSError):
                async with connected(self.port) as line:
                    await self._talk(line, targets, random)

    async def _talk(self, line: Line, targets: list[str], random: Random) -> None:
        for target in targets:
            method = random.choice(METHODS)
            raw = request(method, target) if method == "DELETE" else post(target, method=method)
            self.books.told[target] = "unheard"
            at = random.randrange(len(raw))
            await line.send(raw[:at])
            await asyncio.sleep(random.choice((0.0, 0.0, 0.005)))
            await line.send(raw[at:])
        chance = random.random()
        if chance < 0.4:
            await asyncio.sleep(random.random() * 0.03)
            reset(line) if chance < 0.2 else line.writer.close()
            return
        if chance < 0.5:
            line.writer.write_eof()
        for target in targets:
            answer = await line.answer()
            self.books.told[target] = word(answer)
            if self.books.told[target] == "answered" and answer.json["target"] != target:
                self.others.append(target)


async def run(ground: Ground, size: float) -> list[Figure]:
    count = scaled(CONNECTIONS, size, least=100)
    async with (ground.bank(keep=count * AHEAD) as bank,
                ground.child(bank, log_paths="full", limits={"upstream_connections": 6}, min_sigterm_delay=0.0,
                             breaker=BreakerSettings(failures=0)) as child):
        crowd = Crowd(child.port)
        trouble = asyncio.create_task(_trouble(bank))
        await asyncio.gather(*(crowd.caller(name) for name in range(count)))
        trouble.cancel()
        child.signal(signal.SIGTERM)
        await child.ended()
        await child.finished()
        executed = Counter(execution.target for execution in bank.executions)
    crowd.books.compare(executed.elements())
    return _figures(crowd, executed, child)


def _figures(crowd: Crowd, executed: Counter[str], child: Child) -> list[Figure]:
    books, calls = crowd.books, len(crowd.books.told)
    logged = {line["path"]: line for line in child.logged if line.get("event") == "request"}
    untold = [target for target in executed if target not in logged]
    lies = [path for path, line in logged.items() if line["sent"] == "no" and executed[path]]
    gone = sum(line.get("code") == "caller_closed" or line["outcome"] == "client_gone" for line in logged.values())
    return [none_of(PROMISE, "executed twice", len(books.twice), calls, f"{books.summary()}; {gone} had left"),
            none_of(PROMISE, "answered but not executed, or told 'not sent' and executed",
                    len(books.lost) + len(books.lies), calls),
            none_of(PROMISE, "answers that were another request's", len(crowd.others), calls),
            none_of(PROMISE, "executed without a line in the log, or with one that says 'not sent'",
                    len(untold) + len(lies), sum(executed.values()))]


async def _trouble(bank: Emulator) -> None:
    random = Random(SEED)
    while True:
        bank.faults.add(random.choice(FAULTS), skip=random.randrange(4), after=random.randint(1, 60), seconds=0.01)
        await asyncio.sleep(0.004)

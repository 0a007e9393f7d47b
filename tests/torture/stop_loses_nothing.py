"""SIGTERM with a hundred keep-alive callers: no request is lost without a word.

Inside the drain window every request that a caller managed to send is answered.  What a caller sends after the
listener has closed was never accepted by the proxy, and is told by the kernel.
"""

from __future__ import annotations

import asyncio
import signal
import time
from dataclasses import dataclass, field

from tests.e2e.child import Child
from tests.torture.figures import Figure, at_most, none_of, scaled
from tests.torture.ground import Ground
from tests.torture.outcomes import Books, keep_calling

PROMISE = "stop and start"
RUNS, CALLERS = 50, 100
WINDOW_S, GRACE_S = 0.5, 5.0


async def run(ground: Ground, size: float) -> list[Figure]:
    return await _terminated(ground, scaled(RUNS, size, least=1))


@dataclass(slots=True)
class Crowd:
    """Callers that go on until nobody listens.  sent: when each call in hand was begun."""

    port: int
    run: int
    books: Books = field(default_factory=Books)
    began: dict[str, float] = field(default_factory=dict)
    signalled: float = float("inf")

    async def caller(self, name: int) -> None:
        await keep_calling(self.port, f"/echo/stop/{self.run}/{name}", self.books, self.began)

    def failed_inside(self) -> list[str]:
        """Calls begun before the window ended that got no answer."""
        end = self.signalled + WINDOW_S
        return [target for target, said in self.books.told.items() if said != "answered" and self.began[target] < end]


async def _terminated(ground: Ground, runs: int) -> list[Figure]:
    calls, failed, late, longest, codes, untold = 0, 0, 0, 0.0, set(), 0
    for number in range(runs):
        async with ground.bank(keep=100_000) as bank, ground.child(
                bank, min_sigterm_delay=WINDOW_S, max_sigterm_delay=GRACE_S, quiet=True) as child:
            crowd, tasks = await busy(child, number)
            crowd.signalled = time.monotonic()
            child.signal(signal.SIGTERM)
            codes.add(await child.ended())
            longest = max(longest, time.monotonic() - crowd.signalled)
            await asyncio.gather(*tasks)
            crowd.books.compare(execution.target for execution in bank.executions)
        calls += len(crowd.books.told)
        failed += len(crowd.failed_inside())
        late += sum(said == "cut" for said in crowd.books.told.values())
        untold += len(crowd.books.twice) + len(crowd.books.lost) + len(crowd.books.lies)
    return [none_of(PROMISE, f"requests that failed inside the drain window, {runs} × SIGTERM, {CALLERS} callers",
                    failed, calls, f"{late} cut after it, as their connection was never accepted"),
            none_of(PROMISE, "executed twice, or lost without a word", untold, calls),
            none_of(PROMISE, "exit codes other than 143", len(codes - {143}), runs),
            at_most(PROMISE, "longest time to exit", longest, GRACE_S, " s")]


async def busy(child: Child, number: int, callers: int = CALLERS) -> tuple[Crowd, list[asyncio.Task[None]]]:
    """-> callers who have had three answers each, or so, and go on."""
    crowd = Crowd(child.port, number)
    tasks = [asyncio.create_task(crowd.caller(name)) for name in range(callers)]
    while len(crowd.books.told) < 3 * callers:
        await asyncio.sleep(0.005)
    return crowd, tasks

"""Five hundred slow callers: an honest one notices nothing, memory stays in its budget, and each of them is ended.

The proxy is a process, the slow callers are another one, and the honest caller with the bank is this one.  Slow callers
hold a connection each and send a byte every few seconds, so that they take little of the two cores themselves; the note
says how much.  Times are compared in turns, with and without them, at full size only: where other tests take the
processor they say nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any, Self

from proxy.emulator import Emulator
from proxy.wire.limits import Limits, Timeouts, most_memory
from proxy.wire.room import GRACE
from tests.e2e.child import ROOT, Child
from tests.e2e.line import Cut, Line, connected, get, post, request
from tests.torture.figures import Figure, at_most, none_of, scaled
from tests.torture.ground import Ground
from tests.torture.outcomes import word

PROMISE = "slow clients"
COUNT, ROUNDS, CALLS, NEWCOMERS = 500, 9, 1000, 300
TIMED_FROM = 0.5
"""The size from which on times are compared."""
WARM_UP = 0.1
_PACE_S, _BACK_S, _LATE_S, _CALM_S = 4.0, 1.0, 2.0, 0.04

SHARES = {"drips a head": 28, "drips a body": 17, "says nothing": 16, "stays idle": 12, "half a handshake": 12,
          "half-closed": 2, "never reads": 5, "pipelines unread": 4}
"""Per cent; of LONG there is one each."""
UNREAD = ("never reads", "pipelines unread")
"""Their deadline begins when the last buffer between here and the bank is full, which nobody out here can see."""
LONG = ("a header of 10 MB", "10 MB of headers", "a request line of 10 MB", "a chunk extension of 10 MB",
        "10 MB of trailers", "a body of 10 MB")
YIELDING = {"drips a head": 35, "drips a body": 20, "says nothing": 20, "stays idle": 15, "half a handshake": 10}

LIMITS: dict[str, int] = {"connections": 700, "in_flight": 128, "buffered": 8 << 20, "tunnels": 16,
                          "upstream_connections": 64}
SHORT: dict[str, float] = {"read": 1.5, "idle": 2.0, "handshake": 1.5, "client_write": 2.0}


def crowd_of(count: int, shares: dict[str, int], others: Iterable[str] = ()) -> dict[str, int]:
    """One of each of the others; those of the first kind make the number full."""
    crowd = {**{kind: max(1, count * share // 100) for kind, share in shares.items()}, **dict.fromkeys(others, 1)}
    crowd[next(iter(shares))] += count - sum(crowd.values())
    return crowd


class Slow:
    """The process of the slow callers."""

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.torture.slow_callers", cwd=ROOT, limit=1 << 24,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def come(self, port: int, crowd: dict[str, int], *, again: bool) -> int:
        """-> how many hold a connection now.  again: each comes back when it has been ended."""
        await self._tell(json.dumps({"port": port, "crowd": crowd, "again": _BACK_S if again else None,
                                     "pace": _PACE_S}))
        return int((await self._heard())["there"])

    async def go(self) -> dict[str, Any]:
        """Ends them.  -> ended: [kind, how, seconds] of those that had been ended before; cpu: seconds"""
        await self._tell("stop")
        return await self._heard()

    async def all_ended(self) -> list[list[Any]]:
        """Waits until the proxy has ended each."""
        found = await self._heard()
        await self._tell("stop")
        return list(found["ended"])

    async def _tell(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text.encode() + b"\n")
        await self._process.stdin.drain()

    async def _heard(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), 120)
        return dict(json.loads(line))


async def run(ground: Ground, size: float) -> list[Figure]:
    count = scaled(COUNT, size, least=60)
    async with ground.bank(keep=200_000) as bank, Slow() as slow:
        return [*await _beside(ground, bank, slow, count, size), *await _ended(ground, bank, slow, count),
                *await _full(ground, bank, slow, count, scaled(NEWCOMERS, size, least=30))]


@asynccontextmanager
async def _proxy(ground: Ground, bank: Emulator, **changes: Any) -> AsyncIterator[Child]:
    async with ground.child(bank, quiet=True, self_verify=False, ca_directory=str(ground.client_ca),
                            **changes) as child:
        yield child


# --- beside them

async def _beside(ground: Ground, bank: Emulator, slow: Slow, count: int, size: float) -> list[Figure]:
    calls, rounds = scaled(CALLS, size, least=150), scaled(ROUNDS, size, least=1)
    alone, beside, failed, shares, ended = [], [], Counter[str](), [], Counter[str]()
    async with _proxy(ground, bank, limits=LIMITS) as child, connected(child.port) as line:
        idle = await _warmed_up(child, slow, line, count)
        there = 0
        for _ in range(rounds):
            alone.append(await _calls(line, calls, failed))
            there = await slow.come(child.port, crowd_of(count, SHARES, LONG), again=True)
            await _calm(child)
            began = time.monotonic()
            beside.append(await _calls(line, calls, failed))
            found = await slow.go()
            shares.append(found["cpu"] / (time.monotonic() - began))    # what they took to come included
            ended.update(kind for kind, _, _ in found["ended"])
            await _alone_again(child)
        peak = child.memory("VmHWM")
    budget = most_memory(Limits(**LIMITS), 1)
    figures = [at_most(PROMISE, f"memory above an idle proxy's, {there} slow callers", (peak - idle) / 1024,
                       budget / 2 ** 20, " MiB", f"idle {idle / 1024:.0f} MiB; the budget of these limits by "
                                                 "docs/operations.md"),
               none_of(PROMISE, "an honest caller's calls that failed beside them", failed.total(), 2 * calls * rounds,
                       ", ".join(f"{said} {number}" for said, number in failed.items()))]
    if size >= TIMED_FROM:
        figures.append(at_most(
            PROMISE, "its p99 beside them", median(beside) / median(alone), 2, " ×",
            f"{1000 * median(beside):.2f} ms to {1000 * median(alone):.2f} ms, medians of {rounds} rounds of {calls} "
            f"calls in turns; the slow callers took {100 * median(shares):.0f} % of a core, and "
            f"{ended.total()} of them came anew"))
    return figures


async def _warmed_up(child: Child, slow: Slow, line: Line, count: int) -> int:
    """-> resident kilobytes of a proxy that has done all of it before, with few callers."""
    await _calls(line, 100, Counter())
    await slow.come(child.port, crowd_of(max(30, round(count * WARM_UP)), SHARES, LONG), again=True)
    await _calls(line, 100, Counter())
    await slow.go()
    await _alone_again(child)
    return child.memory()


async def _calls(line: Line, count: int, failed: Counter[str]) -> float:
    """-> p99, seconds"""
    took = []
    for number in range(count):
        began = time.perf_counter()
        said = word(await line.ask(post("/echo/slow") if number % 2 else get("/echo/slow")))
        took.append(time.perf_counter() - began)
        if said != "answered":
            failed[said] += 1
    return sorted(took)[-max(1, count // 100)]


async def _calm(child: Child) -> None:
    """Until the answers that nobody reads fill every buffer: as long as they flow, their callers are not slow."""
    while True:
        before = _cpu(child)
        await asyncio.sleep(0.25)
        if _cpu(child) - before <= _CALM_S:
            return


def _cpu(child: Child) -> float:
    """Seconds, by proc_pid_stat(5)."""
    fields = Path(f"/proc/{child.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _alone_again(child: Child) -> None:
    """The slow callers have gone, and the proxy has noticed: one connection is ours."""
    while await _status(child, "connections") > 1 or await _status(child, "in_flight"):
        await asyncio.sleep(0.02)


async def _status(child: Child, name: str) -> int:
    async with connected(child.listeners["admin"]) as line:
        return int((await line.ask(request("GET", "/status"))).json[name])


# --- each comes to its end

def endings(timeouts: Timeouts) -> dict[str, tuple[str, float]]:
    """How docs/operations.md says that each kind ends, and after how many seconds at most."""
    return {"drips a head": ("408", timeouts.read), "drips a body": ("408", timeouts.read),
            "says nothing": ("closed", timeouts.read), "stays idle": ("closed", timeouts.idle),
            "half a handshake": ("closed", timeouts.handshake), "half-closed": ("closed", 0.0),
            "never reads": ("reset", timeouts.client_write), "pipelines unread": ("reset", timeouts.client_write),
            "a header of 10 MB": ("431", 0.0), "10 MB of headers": ("431", 0.0),
            "a request line of 10 MB": ("431", 0.0), "a chunk extension of 10 MB": ("400", 0.0),
            "10 MB of trailers": ("400", 0.0), "a body of 10 MB": ("413", 0.0)}


async def _ended(ground: Ground, bank: Emulator, slow: Slow, count: int) -> list[Figure]:
    wanted = endings(Timeouts(**SHORT))
    async with _proxy(ground, bank, limits=LIMITS, timeouts=SHORT) as child:
        await slow.come(child.port, crowd_of(count, SHARES, LONG), again=False)
        found = await slow.all_ended()
    how = defaultdict(Counter[str])
    for kind, ending, _ in found:
        how[ending][kind] += 1
    other = [(kind, ending) for kind, ending, _ in found if ending != wanted[kind][0]]
    late = max(seconds - wanted[kind][1] for kind, _, seconds in found if kind not in UNREAD)
    note = ", ".join(f"{ending} {kinds.total()}" for ending, kinds in sorted(how.items()))
    if other:
        note += f"; among them {other[0][0]}: {other[0][1]}"
    return [none_of(PROMISE, "slow callers that ended otherwise than documented", len(other), len(found), note),
            at_most(PROMISE, "latest end after its deadline", late, _LATE_S, " s",
                    f"of {SHORT['read']:g} s to send, {SHORT['handshake']:g} s to shake hands, {SHORT['idle']:g} s "
                    f"idle; not of the {sum(kind in UNREAD for kind, _, _ in found)} that do not read")]


# --- all places taken

async def _full(ground: Ground, bank: Emulator, slow: Slow, count: int, newcomers: int) -> list[Figure]:
    """Slow callers hold every connection there is; honest ones come anew, others have calls in hand or pause."""
    in_hand = 10
    limits = {**LIMITS, "connections": count}
    failed, lost = Counter[str](), Counter[str]()
    async with _proxy(ground, bank, limits=limits) as child:
        bank.faults.add("stall", times=in_hand)
        calls = [asyncio.create_task(_one(child.port, f"/echo/held/{number}")) for number in range(in_hand)]
        await bank.until(lambda: bank.faults.taken >= in_hand)
        stop = asyncio.Event()
        kept = asyncio.create_task(_in_use(child.port, stop))
        await slow.come(child.port, crowd_of(count, YIELDING), again=True)
        await asyncio.sleep(GRACE)          # so long nobody is ended for a newcomer
        for number in range(newcomers):
            said = await _one(child.port, f"/echo/new/{number}")
            if said != "answered":
                failed[said] += 1
        shed = await _shed(child)
        bank.faults.release()
        lost.update(said for said in await asyncio.gather(*calls) if said != "answered")
        stop.set()
        used, broken = await kept
        await slow.go()
    return [none_of(PROMISE, f"newcomers that found no room while slow callers held all {count} connections",
                    failed.total(), newcomers, f"{shed} of the slow ones were ended for others"),
            none_of(PROMISE, "calls in hand that were ended for a newcomer", lost.total(), in_hand),
            none_of(PROMISE, "calls on a connection in use that was ended for a newcomer", broken, used)]


async def _in_use(port: int, stop: asyncio.Event) -> tuple[int, int]:
    """A caller that pauses for less than GRACE.  -> its calls, and how many found the connection ended"""
    used = broken = 0
    while not stop.is_set():
        async with connected(port) as line:
            since = time.monotonic()
            while not stop.is_set():
                pause = time.monotonic() - since
                try:
                    await line.ask(get("/echo/kept"))
                except Cut:
                    broken += pause < GRACE         # a busy machine may make it longer
                    break
                used, since = used + 1, time.monotonic()
                await asyncio.sleep(GRACE / 10)
    return used, broken


async def _one(port: int, target: str) -> str:
    try:
        async with connected(port) as line:
            return word(await line.ask(post(target)))
    except (Cut, ConnectionError):
        return "cut"


async def _shed(child: Child) -> int:
    async with connected(child.listeners["admin"]) as line:
        text = (await line.ask(request("GET", "/metrics"))).body.decode()
    return sum(int(float(row.rpartition(" ")[2])) for row in text.splitlines()
               if row.startswith("signing_proxy_connections_shed_total"))

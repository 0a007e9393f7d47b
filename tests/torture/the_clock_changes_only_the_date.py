"""The clock: whatever it shows, in whichever language and time zone, the signed date alone hangs on it.

The proxy runs as a process whose clock somebody sets while calls are in hand: by hours both ways, over a leap second, a
leap day and the change to winter time (libfaketime, which leaves the steady clock alone as a real jump does).
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from random import Random
from typing import Any

from proxy.emulator import Emulator, Options
from proxy.emulator.authority import write_private
from proxy.emulator.options import CLIENT_ID
from proxy.emulator.records import Received
from proxy.emulator.verify import Policy
from proxy.serve.bank_clock import DateCorrection
from tests.e2e.child import ROOT, Child
from tests.e2e.line import Cut, Line, connected, get, post
from tests.e2e.standing import Files, configuration, samples
from tests.torture.figures import Figure, at_most, none_of, scaled, untried
from tests.torture.ground import Ground
from tests.torture.outcomes import Books, word
from tests.torture.set_clocks import NEAR_S, Setting, files, library

PROMISE = "clock"
MOMENTS, ROUNDS, CALLS_AFTER, SEED = 20_000, 10, 40, 20261121
LOCALES = ("fi_FI", "th_TH", "ar_EG", "fa_IR", "ja_JP", "tr_TR")
ZONES = ("Europe/Helsinki", "UTC", "right/Europe/Helsinki", "Pacific/Kiritimati", "Pacific/Marquesas", "XYZ-25:59:59")
JUMPS = (7200, -7200, 21600, -21600, 250, -250, 0)
CROSSED = tuple(datetime.fromisoformat(f"{moment}+00:00") for moment in (
    "2016-12-31T23:59:59", "2024-02-28T23:59:59", "2024-02-29T23:59:59", "2026-10-25T00:59:59", "2026-03-29T00:59:59",
    "2038-01-19T03:14:07"))
READERS, WRITERS, IDLE = 6, 3, 20
_FIXDATE = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} "
                      r"\d\d:\d\d:\d\d GMT")
_WRITE_DATES = """
import locale, os, sys, time
locale.setlocale(locale.LC_ALL, "")
from proxy.serve.clock import imf_fixdate
print(time.strftime("%A", (2026, 11, 21, 0, 0, 0, 5, 325, 0)))
moments = [int(moment) for moment in sys.stdin.read().split()]
for zone in sys.argv[1:]:
    os.environ["TZ"] = zone
    time.tzset()
    for moment in moments:
        print(imf_fixdate(moment).decode("latin-1"))
"""
_AS_THE_COUNTRY_DOES = ("import locale, runpy, sys; locale.setlocale(locale.LC_ALL, ''); sys.argv = sys.argv[-2:]; "
                        "runpy.run_module('tests.e2e.child', run_name='__main__', alter_sys=True)")


async def run(ground: Ground, size: float) -> list[Figure]:
    directory = ground.directory / "clock"
    await asyncio.to_thread(directory.mkdir, exist_ok=True)
    made = await asyncio.to_thread(_locales, directory, LOCALES if size >= 1 else LOCALES[:2])
    figures = await _dates(made, directory, scaled(MOMENTS, size, least=50))
    if not library():
        return [*figures, untried(PROMISE, "calls while the clock jumps", "install faketime")]
    lasting = await asyncio.to_thread(files, directory)
    return [*figures, *await _jumps(directory, lasting, made, size), *await _corrected(directory, lasting, size)]


# --- what is written

def _locales(directory: Path, names: Iterable[str]) -> list[str]:
    """Those whose way to write dates could be made here; all of a locale takes seconds."""
    program, source, made = shutil.which("localedef"), directory / "source", []
    for name in names if program is not None else ():
        source.write_text(f'LC_TIME\ncopy "{name}"\nEND LC_TIME\n')
        subprocess.run([program, "-c", "--quiet", "-i", str(source), "-f", "UTF-8", str(directory / f"{name}.UTF-8")],
                       check=False, stderr=subprocess.DEVNULL)
        made += [name] if (directory / f"{name}.UTF-8" / "LC_TIME").exists() else []
    return made


def _country(directory: Path, name: str) -> dict[str, str]:
    return {"LOCPATH": str(directory), "LC_ALL": "", "LC_TIME": f"{name}.UTF-8"}


async def _dates(locales: list[str], directory: Path, count: int) -> list[Figure]:
    what = f"signed dates that are not English, GMT and right, in {len(ZONES)} time zones"
    if not locales:
        return [untried(PROMISE, what, "install locales")]
    random = Random(SEED)
    moments = [random.randrange(0, 2**33) for _ in range(count)]
    moments += [int(moment.timestamp()) + second for moment in CROSSED for second in (-1, 0, 1, 2)]
    right = [formatdate(moment, usegmt=True) for moment in moments] * len(ZONES)
    wrong, weekdays = 0, []
    for name in locales:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _WRITE_DATES, *ZONES, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT), **_country(directory, name)})
        said, _ = await process.communicate("\n".join(map(str, moments)).encode())
        weekday, *dates = said.decode(errors="replace").split("\n")[:-1]
        weekdays.append(weekday)
        wrong += sum(one != other for one, other in zip(dates, right, strict=True))
    foreign = sum(not weekday.isascii() or weekday != "Saturday" for weekday in weekdays)
    return [none_of(PROMISE, what, wrong, len(right) * len(locales), "Saturday is " + ", ".join(weekdays)),
            none_of(PROMISE, "locales that were English after all", len(locales) - foreign, len(locales))]


# --- while it is set

def _signed(received: Received) -> str:
    return next(value for name, value in received.fields if name.lower() == "x-nordea-originating-date")


def _off(received: Received) -> float:
    return parsedate_to_datetime(_signed(received)).timestamp() - received.time


@dataclass(slots=True)
class _Crowd:
    """Callers that go on until they are told to stop, each on one connection."""

    port: int
    books: Books = field(default_factory=Books)
    stopped: bool = False

    async def caller(self, name: str, *, writes: bool) -> None:
        number = 0
        async with connected(self.port) as line:
            while not self.stopped:
                number += 1
                target = f"/echo/clock/{name}/{number}"
                try:
                    self.books.told[target] = word(await line.ask(post(target) if writes else get(target)))
                except Cut:
                    self.books.told[target] = "cut"
                    return
                await asyncio.sleep(0.01)

    async def slow(self, number: int) -> None:
        """One call that the bank answers after the clock has been set."""
        target = f"/echo/clock/slow/{number}"
        async with connected(self.port) as line:
            self.books.told[target] = word(await line.ask(post(target)))

    @property
    def failed(self) -> list[str]:
        return [f"{target}: {said}" for target, said in self.books.told.items() if said != "answered"]


async def _jumps(directory: Path, files: Files, locales: list[str], size: float) -> list[Figure]:
    setting = Setting(directory / "jumps")
    setting.to(0)
    country = _country(directory, locales[0]) if locales else {}
    async with AsyncExitStack() as stack:
        bank = await stack.enter_async_context(_bank(files, keep=500_000, policy=Policy(date_window=None)))
        lasting = dict.fromkeys(("upstream_idle", "read", "idle"), 600.0)
        child = await stack.enter_async_context(Child(
            configuration(bank, files, timed_reload=0.2, timeouts=lasting), directory / "jumps.json",
            through=(sys.executable, "-c", _AS_THE_COUNTRY_DOES),
            variables=setting.variables(TZ="Europe/Helsinki", **country)))
        crowd, idle = _Crowd(child.port), [await stack.enter_async_context(connected(child.port)) for _ in range(IDLE)]
        tasks = [asyncio.create_task(crowd.caller(f"reader-{name}", writes=False)) for name in range(READERS)]
        tasks += [asyncio.create_task(crowd.caller(f"writer-{name}", writes=True)) for name in range(WRITERS)]
        jumps, gauge, unread = await _set_again_and_again(bank, child, crowd, setting, files.shop.secret_file, size)
        crowd.stopped = True
        await asyncio.gather(*tasks)
        given_up = bank.connections - await _metric(child, "signing_proxy_upstream_open_connections")
        asleep = [await _word(line, f"/echo/clock/idle/{number}") for number, line in enumerate(idle)]
        ready = [answer.status for answer in [await _admin(child, page) for page in ("/readyz", "/livez")]]
        crowd.books.compare(execution.target for execution in bank.executions)
        dates = list(bank.received)
    wrong = [received for received in dates if not _FIXDATE.fullmatch(_signed(received)) or not any(
        abs(_off(received) - seconds) <= NEAR_S for seconds in setting.off(received.time))]
    lines = [line for line in child.logged if line.get("level") != "info"]
    other = [line for line in lines if not str(line.get("message", "")).startswith("our clock ")]
    calls, books = len(crowd.books.told), crowd.books
    return [
        none_of(PROMISE, f"calls that failed while the clock was set {jumps} times", len(crowd.failed), calls,
                "; ".join(crowd.failed[:3]) or f"by {max(abs(off) for _, off in setting.history) / 86400:.0f} days"),
        none_of(PROMISE, "executed twice, or lost without a word", len(books.twice) + len(books.lost) + len(books.lies),
                calls),
        none_of(PROMISE, "signed dates other than this machine's at that moment", len(wrong), len(dates),
                "; ".join(f"{_signed(received)} at {received.time:.1f}" for received in wrong[:3])),
        none_of(PROMISE, "connections given up: to the bank, and of callers that were idle all the time",
                int(given_up) + sum(said != "answered" for said in asleep), bank.connections + IDLE),
        none_of(PROMISE, "lines in the log other than about the clock, and probes that failed",
                len(other) + sum(status != 200 for status in ready), len(lines),
                str(other[:2]) if other else f"the first: {lines[0].get('message', '')}" if lines else ""),
        none_of(PROMISE, "changed files that were not noticed after a jump", unread, jumps),
        at_most(PROMISE, "clock_skew_seconds beside how far the clock was off", gauge, NEAR_S, " s")]


async def _set_again_and_again(bank: Emulator, child: Child, crowd: _Crowd, setting: Setting, secret: Path,
                               size: float) -> tuple[int, float, int]:
    """-> how often, how far the gauge was from the truth at worst, and how many changes of a file were not noticed."""
    after = scaled(CALLS_AFTER, size, least=8)
    await _calls(bank, after)
    worst, count, unread = 0.0, 0, 0
    for jump in (*JUMPS, *CROSSED) * scaled(ROUNDS, size) if size >= 1 else (JUMPS[0], JUMPS[3], CROSSED[0], 0):
        bank.faults.add("delay", path="/echo/clock/slow", seconds=0.2)
        slow = asyncio.create_task(crowd.slow(count))
        await bank.until(lambda number=count: any(one.target == f"/echo/clock/slow/{number}" for one in bank.received))
        off = jump if isinstance(jump, int) else jump.timestamp() - time.time()
        setting.to(off)
        count += 1
        await asyncio.wait_for(bank.until(lambda off=off: abs(_off(bank.received[-1]) - off) <= NEAR_S), 30)
        await asyncio.gather(slow, _calls(bank, after))
        while isinstance(jump, datetime) and time.time() + off < jump.timestamp() + 1.2:
            await asyncio.sleep(0.05)
        seen = await _metric(child, "signing_proxy_clock_skew_seconds")
        worst = max(worst, abs(seen - off))
        unread += not await _read_again(child, secret)
    return count, worst, unread


async def _read_again(child: Child, secret: Path) -> bool:
    """Whether the proxy notices other content by itself, which it looks for every 0.2 s."""
    before = await _metric(child, "signing_proxy_key_reloads_total")
    write_private(secret, secret.read_bytes() + b"\n")
    for _ in range(400):
        if await _metric(child, "signing_proxy_key_reloads_total") > before:
            return True
        await asyncio.sleep(0.05)
    return False


async def _calls(bank: Emulator, count: int) -> None:
    goal = bank.received.total + count
    await asyncio.wait_for(bank.until(lambda: bank.received.total >= goal), 30)


# --- with date_correction

async def _corrected(directory: Path, files: Files, size: float) -> list[Figure]:
    """The bank allows a minute.  Until it was heard three times its refusals are the truth; after that there are none
    while the clock is off by less than the bound, and nothing else beyond it."""
    setting, step = Setting(directory / "corrected"), [0]
    setting.to(-200)
    async with (_bank(files, policy=Policy(date_window=60), clock=lambda: time.time() + step[0]) as bank,
                Child(configuration(bank, files, date_correction=DateCorrection()), directory / "corrected.json",
                      variables=setting.variables()) as child, connected(child.port) as line):
        learning = []
        for number in range(6):
            step[0] += 1            # so that each answer is of another second
            learning.append(await _word(line, f"/echo/learning/{number}"))
        near, far = [], []
        for number in range(scaled(20, size)):
            for off in (-200, 250, -250, 45, 0) if size >= 1 else (-200, 250):
                setting.to(off)
                near += [await _word(line, f"/echo/near/{number}/{off}/{call}") for call in range(3)]
            for off in (7200, -7200, 330) if size >= 1 else (7200,):
                setting.to(off)
                far += [await _word(line, f"/echo/far/{number}/{off}/{call}") for call in range(3)]
    return [none_of(PROMISE, "calls refused for their date, the clock off by up to 250 s, date_correction on",
                    sum(said != "answered" for said in near), len(near), "learned by " + ", ".join(learning)),
            none_of(PROMISE, "calls with the bank's date although it is further than date_correction.largest",
                    sum(said != "bank 401" for said in far), len(far))]


# --- small things

def _bank(files: Files, **options: Any) -> Emulator:
    return Emulator(Options(client_id=CLIENT_ID, certificate=files.shop.pair.certificate_pem,
                            directory=files.directory / "bank", **options))


async def _word(line: Line, target: str) -> str:
    return word(await line.ask(get(target)))


async def _admin(child: Child, page: str) -> Any:
    async with connected(child.listeners["admin"]) as line:
        return await line.ask(get(page))


async def _metric(child: Child, name: str) -> float:
    """The sum over its labels."""
    found = samples((await _admin(child, "/metrics")).body)
    return sum(value for (metric, _), value in found.items() if metric == name)

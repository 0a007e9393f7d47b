"""SIGTERM in the middle of a reload, reloads in the drain window: no call is lost, the end comes in time, and whoever
asked for the reload hears what became of it.

    a large keyring   forty applications, so that a reload takes a while
    two workers       the command goes to both, which are ending or have ended
    Vault hangs       it holds every answer back from the moment of the reload on
    files hang        opening a key or a token never returns, as on a network file system that has gone
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from proxy.emulator import Emulator
from proxy.emulator.authority import write_private
from proxy.keys.vault.settings import VaultKey, VaultSettings
from tests.e2e.child import ROOT, Child
from tests.e2e.line import Cut, connected, request
from tests.torture.figures import Figure, at_most, none_of, scaled
from tests.torture.ground import Ground
from tests.torture.stop_loses_nothing import GRACE_S, WINDOW_S, busy
from tests.vault.servers import running

PROMISE = "reload and drain"
RUNS, CALLERS, SEED = 40, 20, 20261121
APPLICATIONS = 40
TOKEN = "an-admin-token"
_EARLY_S = 0.05
_SITE = """import os, time
_open, _names, _flag = os.open, os.environ["HANGING"].split(","), os.environ["HANGS_WITH"]
def _hanging(path, *more, **named):
    while str(path).rpartition("/")[2] in _names and os.path.exists(_flag):
        time.sleep(0.1)
    return _open(path, *more, **named)
os.open = _hanging
"""


@dataclass(slots=True)
class Scene:
    """begins: makes what the reload asks for hang.  hangs: so that no reload can have succeeded."""

    changes: dict[str, Any]
    variables: dict[str, str] = field(default_factory=dict)
    begins: Callable[[], None] = lambda: None
    hangs: bool = False


@asynccontextmanager
async def _large(ground: Ground, folder: Path) -> AsyncIterator[Scene]:
    shop = ground.files.shop.application()
    yield Scene({"applications": {"shop": shop, **{f"shop-{number}": shop for number in range(1, APPLICATIONS)}},
                 "route": {"application": "shop"}})


@asynccontextmanager
async def _workers(ground: Ground, folder: Path) -> AsyncIterator[Scene]:
    yield Scene({"workers": 2})


@asynccontextmanager
async def _vault(ground: Ground, folder: Path) -> AsyncIterator[Scene]:
    shop = ground.files.shop
    application = shop.application(key_file=None, certificate_file=None, key_vault=VaultKey(
        mount="kv2", path="seal", certificate_field="certificate"))
    with running("standin") as server:
        standin = server.standin
        assert standin is not None
        await asyncio.to_thread(lambda: server.put2("seal", private_key=shop.pair.key_pem.decode(),
                                                    certificate=shop.pair.certificate_pem.decode()))
        token = await asyncio.to_thread(server.token)

        def hold() -> None:
            standin.held = True

        yield Scene({"applications": {"shop": application}, "vault": VaultSettings(
            address=server.address, timeout=60.0, retries=0)}, {"VAULT_TOKEN": token}, hold, hangs=True)
        standin.held = False


@asynccontextmanager
async def _files(ground: Ground, folder: Path) -> AsyncIterator[Scene]:
    site, flag = folder / "site", folder / "hang"
    site.mkdir()
    (site / "sitecustomize.py").write_text(_SITE)
    yield Scene({}, {"PYTHONPATH": f"{site}{os.pathsep}{ROOT}", "HANGING": "seal.key,admin-token",
                     "HANGS_WITH": str(flag)}, flag.touch, hangs=True)


SCENES = {"a large keyring": _large, "two workers": _workers, "Vault hangs": _vault, "files hang": _files}


@dataclass(slots=True)
class Tally:
    """said: what was heard of reloads, by scene.  untrue: of them those that cannot be true, or were cut."""

    calls: int = 0
    failed: int = 0
    untold: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    longest: float = 0.0
    said: Counter[str] = field(default_factory=Counter)
    untrue: list[str] = field(default_factory=list)

    def hear(self, name: str, said: str, *, hangs: bool, workers: bool) -> None:
        self.said[said] += 1
        allowed = {"proxy_ending", *(("reload_failed",) if hangs or workers else ()), *(() if hangs else ("done",))}
        if said not in allowed:
            self.untrue.append(f"{name}: {said}")


async def run(ground: Ground, size: float) -> list[Figure]:
    tally = Tally()
    runs = scaled(RUNS // len(SCENES), size) * len(SCENES)
    async with ground.bank(keep=200_000) as bank:
        for first in range(0, runs, len(SCENES)):
            await asyncio.gather(*(_scene(ground, bank, name, tally, first + number)
                                   for number, name in enumerate(SCENES)))
    asked = tally.said.total()
    return [none_of(PROMISE, f"requests that failed inside the drain window, {runs} × SIGTERM with reloads before and "
                             f"after it, {CALLERS} callers", tally.failed, tally.calls),
            none_of(PROMISE, "executed twice, or lost without a word", tally.untold, tally.calls),
            none_of(PROMISE, "exit codes other than 0", runs - tally.codes[0], runs,
                    ", ".join(f"{code}: {count}" for code, count in tally.codes.items())),
            at_most(PROMISE, "longest time to exit", tally.longest, GRACE_S, " s"),
            none_of(PROMISE, "reload commands with an untrue answer, or none", len(tally.untrue), asked,
                    "; ".join(tally.untrue[:3]) or ", ".join(f"{said} {count}" for said, count in tally.said.items()))]


async def _scene(ground: Ground, bank: Emulator, name: str, tally: Tally, number: int) -> None:
    folder = ground.directory / f"ending-{time.monotonic_ns()}"
    folder.mkdir()
    async with SCENES[name](ground, folder) as scene:
        await _end(ground, bank, scene, name, folder, tally, number)


async def _end(ground: Ground, bank: Emulator, scene: Scene, name: str, folder: Path, tally: Tally,
               number: int) -> None:
    random = Random(f"{SEED} {number}")
    token = folder / "admin-token"
    await asyncio.to_thread(write_private, token, TOKEN.encode())
    async with ground.child(bank, how={"variables": scene.variables}, min_sigterm_delay=WINDOW_S,
                            max_sigterm_delay=GRACE_S, quiet=True, exit_zero_on_sigterm=True,
                            admin_token_file=str(token), **scene.changes) as child:
        crowd, tasks = await busy(child, 1000 + number, CALLERS)
        scene.begins()
        child.signal(signal.SIGHUP)
        early = asyncio.create_task(_reload(child))
        await asyncio.sleep(random.random() * _EARLY_S)
        crowd.signalled = time.monotonic()
        child.signal(signal.SIGTERM)
        await asyncio.sleep(random.random() * WINDOW_S / 2)
        child.signal(signal.SIGHUP)
        late = asyncio.create_task(_reload(child))
        tally.codes[await _code(child)] += 1
        tally.longest = max(tally.longest, time.monotonic() - crowd.signalled)
        for said in await asyncio.gather(early, late):
            tally.hear(name, said, hangs=scene.hangs, workers=name == "two workers")
        await asyncio.gather(*tasks)
    crowd.books.compare(execution.target for execution in bank.executions)
    tally.calls += len(crowd.books.told)
    tally.failed += len(crowd.failed_inside())
    tally.untold += len(crowd.books.twice) + len(crowd.books.lost) + len(crowd.books.lies)


async def _code(child: Child) -> int:
    """-1: it does not end."""
    try:
        return await child.ended()
    except TimeoutError:
        child.signal(signal.SIGKILL)
        return -1


async def _reload(child: Child) -> str:
    """-> "done", the code of what went wrong, or "cut"."""
    try:
        async with connected(child.listeners["admin"]) as line:
            answer = await line.ask(request("POST", "/reload", f"Authorization: Bearer {TOKEN}"))
    except (Cut, OSError):
        return "cut"
    if answer.status != 200:
        return str(answer.json["code"])
    return "done" if _has_read(json.loads(answer.body)) else "nothing read"


def _has_read(document: dict[str, Any]) -> bool:
    rows = [row for slots in document.get("applications", {}).values() for row in slots.values()]
    return bool(rows) and all(row["outcome"] in ("reloaded", "unchanged") for row in rows) and not document["failed"]

"""SIGKILL at any moment: no payment without a record, no process, no file, and the next start needs no broom.

Every second run has workers.  A Unix socket, an authority, a lock and an audit trail stay behind each time; the same
configuration starts over them, and in the end the trail holds, and names every payment that the bank has executed.
"""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from random import Random

from proxy.audit.reading import find
from proxy.audit.settings import AuditSettings
from proxy.audit.verification import verify
from proxy.config.model import Listener
from tests.e2e.child import Child
from tests.torture.figures import Figure, at_least, none_of, scaled
from tests.torture.ground import Ground
from tests.torture.outcomes import Books, keep_calling, request_id

PROMISE = "SIGKILL"
KILLS, CALLERS, SEED = 40, 10, 20261121
_MOST_CALLS = 300
_PATIENCE_S = 10.0


async def run(ground: Ground, size: float) -> list[Figure]:
    kills = scaled(KILLS, size, least=2)
    random, books, survivors, names, starts = Random(SEED), Books(), 0, set[str](), 0
    home = ground.directory / "killed"
    await asyncio.to_thread(home.mkdir)
    async with ground.bank(keep=1_000_000) as bank:
        for number in range(kills):
            async with ground.child(bank, **_settings(ground, home, workers=1 + number % 2)) as child:
                starts += 1
                survivors += await _one_life(child, f"/echo/kill/{number}", random.randrange(_MOST_CALLS), books)
            names |= {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()}
        executed = [execution.target for execution in bank.executions]
    books.compare(executed)
    broken, recorded = await asyncio.to_thread(_trails, home)
    cut = sum(said == "cut" for said in books.told.values())
    strays = sorted(name for name in names if not name.startswith(("trail/audit", "ca/")))
    return [at_least(PROMISE, "starts over what a killed one left", starts, kills,
                     note=f"half of them with 2 workers; {cut} callers were cut off"),
            none_of(PROMISE, "executed twice, or lost without a word", books.bad, len(books.told)),
            none_of(PROMISE, "processes that outlived the one that was killed", survivors, kills),
            none_of(PROMISE, "files left that the configuration does not name", len(strays), kills, ", ".join(strays)),
            none_of(PROMISE, "breaks in the chain of the audit trail", broken, kills),
            none_of(PROMISE, "executed without an intent in the audit trail",
                    len({*map(request_id, executed)} - recorded), len(executed))]


def _settings(ground: Ground, home: Path, *, workers: int) -> dict[str, object]:
    return {"quiet": True, "workers": workers, "ca_directory": str(home / "ca"), "log_paths": "full",
            "listeners": {"local": Listener(address=f"unix:{home}/proxy.sock")},
            "audit": AuditSettings(file=str(home / "trail" / "audit.jsonl"), fsync="never")}


async def _one_life(child: Child, path: str, calls: int, books: Books) -> int:
    """It is killed when about as many calls are over. -> how many of its processes go on"""
    enough = len(books.told) + calls
    calling = [asyncio.create_task(keep_calling(child.port, f"{path}/{name}", books, {})) for name in range(CALLERS)]
    while len(books.told) < enough:
        await asyncio.sleep(0.001)
    family = _descendants(child.process.pid)
    child.signal(signal.SIGKILL)
    await child.ended()
    await asyncio.gather(*calling)
    deadline = asyncio.get_running_loop().time() + _PATIENCE_S
    while any(map(_lives, family)) and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.02)
    return sum(map(_lives, family))


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        try:
            children = [int(one) for task in Path(f"/proc/{parent}/task").iterdir()
                        for one in (task / "children").read_text().split()]
        except OSError:
            continue
        found += children
        waiting += children
    return found


def _lives(pid: int) -> bool:
    """A zombie has ended; who reaps it is not ours to say."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _trails(home: Path) -> tuple[int, set[str]]:
    """-> (how many of them do not hold, the request ids of all intents)"""
    broken, recorded = 0, set()
    for trail in sorted((home / "trail").glob("audit*.jsonl")):
        files = find([trail])
        broken += verify(files).broken is not None
        for file in files:
            for line in file.read_bytes().split(b"\n"):
                if b'"intent"' in line and line.endswith(b"}"):
                    recorded.add(json.loads(line)["request_id"])
    return broken, recorded

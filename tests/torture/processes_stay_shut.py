"""The proxy's processes: what /proc shows of them, what others of the same user may read, and what a crash leaves.

Alone and with workers, its secrets in variables, which only the process that was started with them may hold.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from proxy.emulator import Emulator
from proxy.emulator.authority import write_private
from tests.e2e.child import Child
from tests.e2e.line import connected, get
from tests.torture.figures import Figure, none_of, scaled
from tests.torture.ground import Ground

PROMISE = "secrets"
NOBODY = 65534
CRASHES = 10
_PARTS = ("environ", "maps", "mem", "auxv", "io", "fd", "cwd", "ptrace")
_BECOME = f"""
import contextlib, ctypes, os, pkgutil, sys
import encodings.idna
libc = ctypes.CDLL(None)

def become():
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid({NOBODY}, {NOBODY}, {NOBODY})
        os.setresuid({NOBODY}, {NOBODY}, {NOBODY})
        libc.prctl(4, 1, 0, 0, 0)       # giving up root has made it undumpable, which is to be seen of the proxy itself
"""
_PROBE = f"""
become()
opened = []
for part in {_PARTS}:
    path = "/proc/" + sys.argv[1] + "/" + part
    with contextlib.suppress(OSError):
        if part == "fd":
            os.listdir(path)
        elif part == "cwd":
            os.readlink(path)
        elif part == "ptrace":
            if libc.ptrace(16, int(sys.argv[1]), 0, 0):
                continue
        else:
            with open(path, "rb") as file:
                file.read(1 if part != "mem" else 0)
        opened.append(part)
print(len(opened), *opened)
"""
_THE_PROXY = """
import proxy, uvloop        # while this Python can still be read
for module in pkgutil.walk_packages(proxy.__path__, "proxy."):
    if not module.name.endswith("__main__"):
        with contextlib.suppress(ImportError):
            __import__(module.name)
from tests.e2e.child import main
become()
sys.exit(main(sys.argv[-1]))
"""
_SLEEPER = """
become()
print(flush=True)
input()
"""
_IN_A_DIRECTORY = 'ulimit -c unlimited; cd "$0"; "$@"; exit $?'
_DEATHS = (signal.SIGSEGV, signal.SIGABRT, signal.SIGQUIT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE)


def descendants(pid: int) -> list[int]:
    """The process and all that come of it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += descendants(int(child))
    return found


def environments(pids: Iterable[int]) -> dict[str, bytes]:
    return {f"{name} of process {number}": Path(f"/proc/{pid}/{name}").read_bytes()
            for number, pid in enumerate(pids, 1) for name in ("environ", "cmdline")}


async def _run(*command: str, **how: Any) -> tuple[int, bytes]:
    """-> exit code and all that it wrote."""
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE,
                                                   stderr=asyncio.subprocess.STDOUT, **how)
    said, _ = await process.communicate()
    return process.returncode or 0, said


# --- others of the same user

async def same_user(ground: Ground) -> list[Figure]:
    """A proxy and another process of the same user, who is not root."""
    root = os.geteuid() == 0
    if root:
        await asyncio.to_thread(_give_away, ground.directory)
    try:
        through = (sys.executable, "-c", _BECOME + _THE_PROXY)
        async with (ground.bank() as bank, ground.child(bank, log_format="ecs", how={"through": through}) as child,
                    _sleeper() as sleeper):
            _, said = await _run(sys.executable, "-c", _BECOME + _PROBE, str(child.process.pid))
            _, control = await _run(sys.executable, "-c", _BECOME + _PROBE, str(sleeper))
    finally:
        if root:
            await asyncio.to_thread(_give_away, ground.directory, 0)
    opened, seen = said.split(), control.split()
    return [none_of(PROMISE, "parts of its memory and environment that another process of the same user could open",
                    int(opened[0]), len(_PARTS) * (int(seen[0]) > len(_PARTS) / 2),
                    b" ".join(opened[1:6]).decode() or f"of an ordinary process {seen[0].decode()}")]


def _give_away(directory: Path, user: int = NOBODY) -> None:
    for path in (directory, *directory.rglob("*")):
        os.chown(path, user, user, follow_symlinks=False)


@asynccontextmanager
async def _sleeper() -> AsyncIterator[int]:
    """A process of the same user that hides nothing."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _BECOME + _SLEEPER,
                                                   stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    await process.stdout.readline()
    try:
        yield process.pid
    finally:
        process.kill()
        await process.wait()


# --- crashes

async def crashes(ground: Ground, size: float) -> list[Figure]:
    """Cores are allowed without a limit where it is started, as a careless service manager may."""
    directory = ground.directory / "cores"
    await asyncio.to_thread(directory.mkdir, exist_ok=True)
    through = ("sh", "-c", _IN_A_DIRECTORY, str(directory))
    dumped: list[str] = []
    count = scaled(CRASHES, size)
    async with ground.bank() as bank:
        for number in range(count):
            dumped += await _crash(ground, bank, through, number)
    left = [path.name for path in directory.iterdir()]
    _, control = await _run(*through, sys.executable, "-c", "import os; os.abort()")
    able = "core dumped" in control.decode()
    ordinary = f"an ordinary one {'does' if able else 'leaves none here either'}"
    return [none_of(PROMISE, "processes that left a core when a signal killed them", len(dumped) + len(left), count * 2,
                    "; ".join([*dumped, *left][:5]) or ordinary)]


async def _crash(ground: Ground, bank: Emulator, through: tuple[str, ...], number: int) -> list[str]:
    """One proxy, one of its workers and then itself. -> what the shell says of a core"""
    death = _DEATHS[number % len(_DEATHS)]
    workers = 2 - number % 2
    async with ground.child(bank, workers=workers, how={"through": through}) as child:
        (main,) = descendants(child.process.pid)[1:2]
        crew = descendants(main)[1:]
        async with connected(child.port) as line:
            assert (await line.ask(get("/echo"))).status == 200
        if crew:
            os.kill(crew[0], death)
            await child.told(message="worker", level="error")
        os.kill(main, death)
        await child.ended()
        await child.finished()
    return [str(line["text"]) for line in child.logged if "core dumped" in str(line.get("text", ""))]


# --- variables

async def in_variables(ground: Ground, canaries: dict[str, str]) -> dict[str, bytes]:
    """Workers of a proxy whose secrets came in variables: what they were started with, and the log of all."""
    directory = ground.directory / "variables"
    await asyncio.to_thread(directory.mkdir, exist_ok=True)
    write_private(directory / "key.pem", (ground.directory / "secrets" / "key.pem").read_bytes())
    application = ground.files.shop.application(
        client_secret_file=None, client_secret_env="OF_THE_CLIENT", key_file=str(directory / "key.pem"),
        key_password_env="OF_THE_KEY")
    variables = {"OF_THE_CLIENT": canaries["client-secret"], "OF_THE_KEY": canaries["key-password"],
                 "OF_THE_ADMIN": canaries["admin-token"], "VAULT_TOKEN": canaries["vault-token"]}
    async with ground.bank(client_secret=canaries["client-secret"]) as bank, ground.child(
            bank, workers=2, debug_logs=True, log_format="otel", admin_token_env="OF_THE_ADMIN",
            applications={"shop": application}, how={"variables": variables}) as child:
        async with connected(child.port) as line:
            assert (await line.ask(get("/echo"))).status == 200
        workers = descendants(child.process.pid)[1:]
        assert len(workers) == 2, workers
        said = environments(workers)
        said["command line of the supervisor"] = Path(f"/proc/{child.process.pid}/cmdline").read_bytes()
        child.signal(signal.SIGTERM)
        await child.ended()
        await child.finished()
    return said


def none_came_of(child: Child) -> int:
    """How many processes a proxy without workers has started."""
    return len(descendants(child.process.pid)) - 1

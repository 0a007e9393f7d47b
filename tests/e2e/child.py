"""The proxy as a process: `python -m tests.e2e.child CONFIG` runs proxy.app.run and prints its listeners."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec

if TYPE_CHECKING:
    from proxy.app import Running
    from proxy.config.model import Config

ROOT = Path(__file__).parents[2]


class Child:
    """logged: what it wrote to stderr so far, one decoded line each.

    through: a command that becomes the child.  pass_fds: what it inherits.  serving: wait until it listens.
    """

    def __init__(self, config: Config, path: Path, *, through: Sequence[str] = (), pass_fds: Sequence[int] = (),
                 variables: Mapping[str, str] | None = None, serving: bool = True) -> None:
        self._serving = serving
        self._through, self._pass_fds, self._variables = through, tuple(pass_fds), variables or {}
        path.write_bytes(msgspec.json.encode(config))
        self._path = path
        self.listeners: dict[str, int] = {}
        self.logged: list[dict[str, Any]] = []
        self._news = asyncio.Event()

    async def __aenter__(self) -> Self:
        self.process = await asyncio.create_subprocess_exec(
            *self._through, sys.executable, "-m", "tests.e2e.child", str(self._path), cwd=ROOT, limit=1 << 20,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT), **self._variables}, pass_fds=self._pass_fds)
        self._reading = asyncio.create_task(self._read())
        try:
            if self._serving:
                await self._listens()
        except BaseException:
            await self.__aexit__()      # or it would live on, and uvloop's close() would wait for it
            raise
        return self

    async def _listens(self) -> None:
        assert self.process.stdout is not None
        first = await asyncio.wait_for(self.process.stdout.readline(), 30)
        assert first, self.logged
        self.listeners = json.loads(first)

    async def __aexit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await self._reading

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.logged.append(json.loads(line) if line.startswith(b"{") else {"text": line.decode()})
            self._news.set()

    async def told(self, **fields: Any) -> dict[str, Any]:
        """The first log line with these values; "message" may be its beginning."""
        async with asyncio.timeout(30):
            while True:
                for line in self.logged:
                    if all(str(line.get(name, "")).startswith(str(value)) for name, value in fields.items()):
                        return line
                self._news.clear()
                await self._news.wait()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self) -> int:
        return await asyncio.wait_for(self.process.wait(), 30)

    async def finished(self) -> None:
        """Once it has ended: `logged` is complete."""
        await asyncio.wait_for(asyncio.shield(self._reading), 30)

    @property
    def port(self) -> int:
        return self.listeners["main"]

    def memory(self, what: str = "VmRSS") -> int:
        """Kilobytes.  VmHWM: the most it ever had."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(what):
                return int(line.split()[1])
        raise AssertionError(what)


def main(path: str) -> int:
    from proxy.app import run
    from proxy.config.model import Config

    def ready(running: Running) -> None:
        print(json.dumps({name: port for name, _, port in running.listeners}), flush=True)

    return run(msgspec.json.decode(Path(path).read_bytes(), type=Config), ready=ready)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

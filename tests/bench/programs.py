"""Load generators of our own: each is a process on the load's CPU that does one piece of work per line it is given.

A program opens what it needs, says a line, and then answers every line of JSON on its input with one of its output, so
that whoever asks can read the proxy's CPU time right before and right after.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from .peers.base import REPOSITORY, NotMeasured, World
from .processes import pinned


class Program:
    """One such process, by its module's name.  A context manager; to ask it anything may raise NotMeasured."""

    def __init__(self, world: World, module: str, **settings: Any) -> None:
        self._module = module
        self._said = world.root / f"{module}.log"
        with pinned(world.cpus.load), self._said.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"tests.bench.{module}", json.dumps(settings)], cwd=REPOSITORY, text=True,
                env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=errors)

    def __enter__(self) -> Program:
        self.answer()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, **work: Any) -> Any:
        self.tell(**work)
        return self.answer()

    def tell(self, **work: Any) -> None:
        assert self._process.stdin is not None
        try:
            print(json.dumps(work), file=self._process.stdin, flush=True)
        except BrokenPipeError:
            raise self._ended() from None

    def answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._ended()
        return json.loads(line)

    def _ended(self) -> NotMeasured:
        last = (self._said.read_text(errors="replace").strip().splitlines() or ["no message"])[-1]
        return NotMeasured(f"{self._module} ended: {last}")


def serve(work: Callable[..., object]) -> None:
    """A program's own side: ready, then one line for one line."""
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        print(json.dumps(work(**json.loads(line))), flush=True)

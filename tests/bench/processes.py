"""Starts a program on chosen CPUs, reads what it costs from /proc, ends it by its pid."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cpus:
    """Who runs where: the proxy under test alone on one CPU, load generator with upstream on the other."""

    load: frozenset[int]
    proxy: frozenset[int]

    @classmethod
    def split(cls) -> Cpus:
        allowed = sorted(os.sched_getaffinity(0))
        if len(allowed) < 2:
            return cls(frozenset(allowed), frozenset(allowed))
        return cls(frozenset(allowed[:1]), frozenset(allowed[1:2]))

    @property
    def apart(self) -> bool:
        return self.load != self.proxy


@dataclass(frozen=True, slots=True)
class Memory:
    """In MB of 10^6 bytes.  pss is None where the kernel does not let us read it."""

    rss: float
    pss: float | None


@contextmanager
def pinned(cpus: frozenset[int]) -> Iterator[None]:
    """What is spawned inside inherits these CPUs from its first instruction on."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Child:
    """One started program with all processes below it."""

    def __init__(self, argv: Sequence[str | Path], cpus: frozenset[int], log: Path, cwd: Path,
                 env: dict[str, str] | None = None) -> None:
        self.log = log
        with pinned(cpus), log.open("ab") as out:
            self._process = subprocess.Popen(
                [str(part) for part in argv], cwd=cwd, env=os.environ | (env or {}),
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def pids(self) -> list[int]:
        children: dict[int, list[int]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and (fields := _stat(int(entry.name))):
                children.setdefault(int(fields[1]), []).append(int(entry.name))
        found, queue = [], [self.pid]
        while queue:
            pid = queue.pop()
            found.append(pid)
            queue += children.get(pid, [])
        return found

    def running_seconds(self) -> float:
        """User and system time of every thread that there is, to the nanosecond where the kernel tells it."""
        try:
            return sum(int(file.read_text().split()[0]) for pid in self.pids()
                       for file in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9
        except (OSError, IndexError):
            return self.cpu_seconds()

    def cpu_seconds(self) -> float:
        """User and system time of every process, and of those that have ended and were waited for."""
        return sum(sum(map(int, fields[11:15])) for pid in self.pids() if (fields := _stat(pid))) / _TICKS

    def memory(self) -> Memory:
        rss = pss = 0
        readable = True
        for pid in self.pids():
            rss += _kib(f"/proc/{pid}/status", "VmRSS:") or 0
            part = _kib(f"/proc/{pid}/smaps_rollup", "Pss:")
            readable = readable and part is not None
            pss += part or 0
        return Memory(rss * 1024 / 1e6, pss * 1024 / 1e6 if readable else None)

    def last_words(self, lines: int = 4) -> str:
        return " | ".join(self.log.read_text(errors="replace").strip().splitlines()[-lines:])

    def stop(self) -> None:
        remaining = self.pids()[1:] if self.running else []
        if self.running:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for pid in remaining:
            if (fields := _stat(pid)) and int(fields[3]) == self.pid:
                os.kill(pid, signal.SIGKILL)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat after the name: state, ppid, pgrp, session, ...; utime is the twelfth."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text[text.rindex(")") + 2:].split()


def _kib(path: str, label: str) -> int | None:
    try:
        with open(path) as lines:
            return next((int(line.split()[1]) for line in lines if line.startswith(label)), None)
    except OSError:
        return None

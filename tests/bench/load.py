"""Runs wrk against one port and reads what it says."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .conversation import BODIES, CONTENT_TYPE, TOKEN
from .peers.base import TEMPLATES, NotMeasured, World
from .processes import pinned


@dataclass(frozen=True, slots=True)
class Work:
    """What a client asks for."""

    method: str
    connections: int


@dataclass(frozen=True, slots=True)
class Load:
    """p50 and p99 in microseconds, as wrk saw them."""

    requests: int
    seconds: float
    p50: float
    p99: float

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


def require() -> None:
    if not shutil.which("wrk"):
        raise NotMeasured("wrk is not installed: install the Debian package wrk.")


def run(world: World, url: str, work: Work, seconds: int) -> Load:
    body = _body_file(world.root, work.method)
    prefix = f"/personal/v5/accounts/{secrets.token_hex(8)}/transactions?continuation_key=c"
    argv = ["wrk", "-t1", f"-c{work.connections}", f"-d{seconds}s", "--timeout", "10s",
            "-s", str(TEMPLATES / "load.lua"), url, "--", work.method, prefix, TOKEN, CONTENT_TYPE, body]
    with pinned(world.cpus.load):
        answer = subprocess.run(argv, capture_output=True, text=True, timeout=seconds + 60, check=False)
    line = next((line for line in answer.stdout.splitlines() if line.startswith("summary ")), None)
    if line is None:
        raise NotMeasured(f"wrk gave no summary: {answer.stderr.strip() or answer.stdout.strip()}")
    said = json.loads(line.removeprefix("summary "))
    if said["not_2xx"] or said["socket_errors"] or not said["requests"]:
        raise NotMeasured(f"of {said['requests']} requests {said['not_2xx']} were not answered with 2xx, "
                          f"{said['socket_errors']} socket errors")
    return Load(said["requests"], said["microseconds"] / 1e6, said["p50"], said["p99"])


def _body_file(root: Path, method: str) -> str:
    if not BODIES[method]:
        return "-"
    path = root / f"{method}.body"
    if not path.exists():
        path.write_bytes(BODIES[method])
    return str(path)

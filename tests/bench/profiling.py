"""Where ours spends its time: Python functions by cProfile, native symbols by perf where perf is there."""

from __future__ import annotations

import io
import pstats
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path

from . import load, prepare
from .load import Work
from .peers import OURS
from .peers.base import Instance, NotMeasured, World, start
from .rounds import MANY

_TOP = 35


def run(world: World, stack: ExitStack, seconds: int) -> int:
    try:
        load.require()
        _require_ours()
        prepare.upstream(world, stack)
        _python(world, seconds)
        _native(world, seconds)
    except NotMeasured as reason:
        print(f"Nothing was profiled: {reason}")
        return 1
    return 0


def _require_ours() -> None:
    if sentence := OURS.missing():
        raise NotMeasured(sentence)


def _python(world: World, seconds: int) -> None:
    output = world.root / "ours.prof"
    instance = _started(world, profile=output)
    try:
        answer = _load(world, instance, seconds)
    finally:
        instance.child.stop()
    if not output.exists():
        print("cProfile wrote nothing: ours ended without running its exit steps.")
        return
    text = io.StringIO()
    pstats.Stats(str(output), stream=text).strip_dirs().sort_stats("tottime").print_stats(_TOP)
    print(f"cProfile over {answer.requests} signed GETs; divide by that for one request")
    print(text.getvalue())


def _native(world: World, seconds: int) -> None:
    if not shutil.which("perf"):
        print("perf is not installed: install the Debian package linux-perf to see native symbols too.")
        return
    instance, data = _started(world), world.root / "perf.data"
    try:
        argv = ["perf", "record", "-q", "-F", "999", "-p", str(instance.child.pid), "-o", str(data),
                "--", "sleep", str(seconds)]
        record = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        _load(world, instance, seconds)
        _, errors = record.communicate(timeout=seconds + 60)
    finally:
        instance.child.stop()
    if record.returncode or not data.exists():
        print(f"perf could not record: {errors.strip()}")
        return
    argv = ["perf", "report", "--stdio", "-i", str(data), "--sort", "dso,symbol", "--percent-limit", "0.4"]
    report = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    print("perf, CPU samples by library and symbol")
    print("\n".join(line for line in report.stdout.splitlines() if line.strip() and not line.startswith("#")))


def _started(world: World, profile: Path | None = None) -> Instance:
    return start(world, OURS, world.material.applications[2048], profile=profile)


def _load(world: World, instance: Instance, seconds: int) -> load.Load:
    return load.run(world, f"http://127.0.0.1:{instance.port}", Work("GET", MANY), seconds)

"""What each safeguard costs that is off by default: the same proxy with it and without, in turns.

CPU is that of the proxy's processes alone; a disk is whatever the temporary directory lies on.
"""

from __future__ import annotations

import functools
import queue
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from . import load, prepare
from .load import Work
from .peers import ours
from .peers.base import Instance, NotMeasured, Peer, World, start
from .rounds import MANY, METHODS, Plan
from .samples import Samples, difference, signed
from .table import Line, Table

OFF = "all off"
Settings = dict[str, dict[str, Any]]
_AUDIT = {"on_failure": "refuse", "fsync": "never"}
SETTINGS: Settings = {
    OFF: {},
    "self_verify": {"self_verify": True},
    "audit, continue": {"audit": {**_AUDIT, "on_failure": "continue"}},
    "audit, refuse": {"audit": _AUDIT},
    "audit, refuse, fsync interval": {"audit": {**_AUDIT, "fsync": "interval"}},
    "audit, refuse, fsync always": {"audit": {**_AUDIT, "fsync": "always"}},
}
"""By what the table calls them; another setting of the data path is another row."""


INSPECTOR_OFF = "inspector off"
INSPECTOR: Settings = {INSPECTOR_OFF: {}, "inspector": {"inspect": True}}
ABOVE_OFF = 10.0
"""µs of CPU a request that the inspector may cost."""


def peers(settings: Settings) -> list[Peer]:
    return [Peer(name, True, ours.missing, functools.partial(_launch, chosen)) for name, chosen in settings.items()]


def _launch(settings: dict[str, Any], world: World, application: Any, folder: Path, port: int) -> Any:
    extra: dict[str, object] = dict(settings)
    if "audit" in settings:
        extra["audit"] = {**settings["audit"], "file": str(folder / "audit" / "audit.jsonl")}
    return ours.launch(world, application, folder, port, extra=extra)


def started(world: World, bits: int, captured: queue.Queue[bytes], stack: ExitStack,
            settings: Settings = SETTINGS) -> list[Instance]:
    """Each of them, after its first requests have been verified."""
    found = []
    for peer in peers(settings):
        instance = start(world, peer, world.material.applications[bits])
        stack.callback(instance.child.stop)
        prepare.judge(instance, captured)
        found.append(instance)
    return found


def run(world: World, plan: Plan, instances: list[Instance], samples: Samples, tell: Callable[[str], None]) -> None:
    """Raises NotMeasured."""
    load.require()
    for number in range(plan.rounds):
        turn = number % len(instances)
        for method in METHODS:
            for instance in (*instances[turn:], *instances[:turn]):
                _one(world, plan, instance, method, samples)
        tell(f"{instances[-1].name}: round {number + 1} of {plan.rounds}")


def _one(world: World, plan: Plan, instance: Instance, method: str, samples: Samples) -> None:
    variant, url = signed(method, instance.application.bits), f"http://127.0.0.1:{instance.port}"
    load.run(world, url, Work(method, MANY), 1)
    before = instance.child.running_seconds()
    answer = load.run(world, url, Work(method, MANY), plan.seconds)
    samples.add("cpu", instance.name, variant, (instance.child.running_seconds() - before) / answer.requests * 1e6)
    samples.add("requests per second", instance.name, variant, answer.per_second)
    single = load.run(world, url, Work(method, 1), plan.seconds)
    samples.add("p50 at 1", instance.name, variant, single.p50)
    if not instance.child.running:
        raise NotMeasured(f"{instance.name} ended: {instance.child.last_words()}")


def tables(samples: Samples, bits: int, settings: Settings = SETTINGS, *, what: str = "Safeguards",
           limit: float | None = None) -> list[Table]:
    """limit: of what each costs above the first, in µs of CPU a request."""
    return [_table(samples, bits, settings, "cpu", f"{what}: CPU per request at {MANY} connections", limit),
            _table(samples, bits, settings, "p50 at 1", f"{what}: Latency at 1 connection, p50"),
            Table(f"{what}: throughput at {MANY} connections (requests a second)", [
                Line(f"{signed(method, bits)}: {name}", values) for method in METHODS for name in settings
                if (values := samples.of("requests per second", name, signed(method, bits)))])]


def _table(samples: Samples, bits: int, settings: Settings, figure: str, title: str, limit: float | None = None,
           ) -> Table:
    first, *others = settings
    table = Table(f"{title} (µs); the others above {first}")
    for method in METHODS:
        variant = signed(method, bits)
        off = samples.of(figure, first, variant)
        table.lines += [Line(f"{variant}: {first}", off, digits=1)] if off else []
        table.lines += [Line(f"{variant}: {name}", above, limit, 1) for name in others
                        if (above := difference(samples.of(figure, name, variant), off))]
    return table

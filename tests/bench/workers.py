"""Throughput of two workers against one, each worker with a CPU to itself: the same proxy, key and load, in turns.

The load has the other CPUs; where there are only two, it shares them with the two workers, which costs them what the
table then shows.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import queue
from collections.abc import Callable
from contextlib import ExitStack

from . import load, prepare
from .load import Work
from .peers import ours
from .peers.base import Instance, NotMeasured, Peer, World, start
from .processes import Cpus
from .rounds import METHODS, Plan
from .samples import Samples, ratio, signed
from .table import Line, Table

BITS = 3072
CONNECTIONS = 32
LIMIT = 1.7
_NAMES = {1: "1 worker", 2: "2 workers"}


def started(world: World, captured: queue.Queue[bytes], stack: ExitStack) -> dict[int, tuple[World, Instance]]:
    """By the number of workers, after the first requests have been verified.  Raises NotMeasured."""
    found = {}
    for count, name in _NAMES.items():
        apart = dataclasses.replace(world, cpus=_cpus(count))
        peer = Peer(name, True, ours.missing, functools.partial(ours.launch, extra={"workers": count}))
        instance = start(apart, peer, world.material.applications[BITS])
        stack.callback(instance.child.stop)
        prepare.judge(instance, captured)
        found[count] = apart, instance
    return found


def _cpus(workers: int) -> Cpus:
    """The last ones are the workers'.  Raises NotMeasured."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise NotMeasured("two workers need two CPUs")
    return Cpus(frozenset(allowed[:-workers] or allowed), frozenset(allowed[-workers:]))


def run(plan: Plan, instances: dict[int, tuple[World, Instance]], samples: Samples,
        tell: Callable[[str], None]) -> None:
    """Raises NotMeasured."""
    load.require()
    for number in range(plan.rounds):
        for method in METHODS:
            for count in sorted(instances, reverse=bool(number % 2)):
                world, instance = instances[count]
                url = f"http://127.0.0.1:{instance.port}"
                load.run(world, url, Work(method, CONNECTIONS), 1)
                before = instance.child.running_seconds()
                answer = load.run(world, url, Work(method, CONNECTIONS), plan.seconds)
                cpu = instance.child.running_seconds() - before
                samples.add("cpu", instance.name, signed(method, BITS), cpu / answer.requests * 1e6)
                samples.add("requests per second", instance.name, signed(method, BITS), answer.per_second)
        tell(f"workers: round {number + 1} of {plan.rounds}")


def tables(samples: Samples) -> list[Table]:
    table = Table(f"Workers: throughput at {CONNECTIONS} connections (requests a second)")
    for method in METHODS:
        variant = signed(method, BITS)
        one, two = (samples.of("requests per second", name, variant) for name in _NAMES.values())
        table.lines += [Line(f"{variant}: {_NAMES[1]}", one), Line(f"{variant}: {_NAMES[2]}", two),
                        Line(f"{variant}: {_NAMES[2]} / {_NAMES[1]}", ratio(two, one), LIMIT, 2, at_least=True)]
    cpu = Table("Workers: CPU time per request, all processes (µs)", [
        Line(f"{signed(method, BITS)}: {name}", values) for method in METHODS for name in _NAMES.values()
        if (values := samples.of("cpu", name, signed(method, BITS)))])
    return [table, cpu]

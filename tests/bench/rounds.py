"""The timed part: in every round each peer does each piece of work, starting with another peer each time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import load, loop_block, rsa_operation
from .load import Work
from .peers.base import Instance, NotMeasured, World
from .samples import DIRECT, RSA, RSA_OF_RIVAL, Samples, plain, signed

METHODS = ("GET", "POST")
MANY = 16
_WARM_UP_SECONDS = 1
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Plan:
    rounds: int
    seconds: int
    starts: int
    sizes: tuple[int, ...]
    mebibytes: int


def run(world: World, plan: Plan, instances: list[Instance], samples: Samples, tell: Callable[[str], None]) -> None:
    """Fills samples.  A peer that fails is left out from then on, with a sentence that says so."""
    loop_block.read(instances, None)
    for number in range(plan.rounds):
        began = time.monotonic()
        for bits in plan.sizes:
            for who, cost in ((RSA, rsa_operation.ours), (RSA_OF_RIVAL, rsa_operation.systems)):
                if microseconds := cost(world.material.applications[bits].key_file, world.cpus.proxy):
                    samples.add("cpu", who, f"RSA-{bits}", microseconds)
        for method in METHODS:
            _direct(world, plan, method, samples)
            for instance in _rotated(instances, number):
                try:
                    _one(world, plan, instance, method, samples)
                except NotMeasured as reason:
                    who = f"{instance.name} with RSA-{instance.application.bits}"
                    samples.problem(f"{who} fell out in round {number + 1}: {reason}")
                    instances.remove(instance)
        loop_block.read(instances, samples)
        tell(f"round {number + 1} of {plan.rounds} took {time.monotonic() - began:.0f} s")


def _direct(world: World, plan: Plan, method: str, samples: Samples) -> None:
    answer = load.run(world, f"https://127.0.0.1:{world.upstream_port}", Work(method, 1), plan.seconds)
    samples.add("p50 at 1", DIRECT, plain(method), answer.p50)
    samples.add("p99 at 1", DIRECT, plain(method), answer.p99)


def _one(world: World, plan: Plan, instance: Instance, method: str, samples: Samples) -> None:
    variant = signed(method, instance.application.bits) if instance.peer.signs else plain(method)
    url = f"http://127.0.0.1:{instance.port}"
    load.run(world, url, Work(method, MANY), _WARM_UP_SECONDS)

    cpu, busy = instance.child.cpu_seconds(), busy_seconds(world.cpus.proxy)
    many = load.run(world, url, Work(method, MANY), plan.seconds)
    cpu, busy = instance.child.cpu_seconds() - cpu, busy_seconds(world.cpus.proxy) - busy
    samples.add("cpu", instance.name, variant, cpu / many.requests * 1e6)
    samples.add("requests per second", instance.name, variant, many.per_second)
    samples.add("foreign", "others", "", max(0.0, busy - cpu) / many.seconds * 100)

    single = load.run(world, url, Work(method, 1), plan.seconds)
    for connections, answer in ((MANY, many), (1, single)):
        samples.add(f"p50 at {connections}", instance.name, variant, answer.p50)
        samples.add(f"p99 at {connections}", instance.name, variant, answer.p99)


def _rotated(instances: Sequence[Instance], by: int) -> list[Instance]:
    at = by % len(instances) if instances else 0
    return [*instances[at:], *instances[:at]]


def busy_seconds(cpus: frozenset[int]) -> float:
    """Time in which these CPUs did anything, for whomever: user, nice, system, irq, softirq."""
    names = {f"cpu{number}" for number in cpus}
    rows = [line.split() for line in Path("/proc/stat").read_text().splitlines() if line.startswith("cpu")]
    return sum(int(row[at]) for row in rows if row[0] in names for at in (1, 2, 3, 6, 7)) / _TICKS

"""Everything before the clock runs: peers are started, judged, and only those that sign correctly stay."""

from __future__ import annotations

import queue
import time
from contextlib import ExitStack

from . import verify
from .conversation import Call, answers, status_of
from .material import Application
from .peers import ALL, OURS, nginx
from .peers.base import UPSTREAM_HOST, Instance, NotMeasured, Peer, World, start
from .rounds import METHODS, Plan
from .samples import Samples

_STARTS_OF = (OURS, nginx.LUA)


def present(samples: Samples) -> list[Peer]:
    for peer in ALL:
        if sentence := peer.missing():
            samples.problem(f"{peer.name} is left out: {sentence}")
    return [peer for peer in ALL if not peer.missing()]


def judged_instances(world: World, plan: Plan, peers: list[Peer], captured: queue.Queue[bytes], samples: Samples,
                     stack: ExitStack) -> list[Instance]:
    """Starts every peer with every key.  captured: a capture server stands where the upstream will be."""
    accepted = []
    for peer in peers:
        for bits in plan.sizes if peer.signs else plan.sizes[:1]:
            try:
                instance = start(world, peer, world.material.applications[bits])
                stack.callback(instance.child.stop)
                judge(instance, captured)
                accepted.append(instance)
            except NotMeasured as reason:
                samples.problem(f"{peer.name} with RSA-{bits} is left out: {reason}")
    return accepted


def judge(instance: Instance, captured: queue.Queue[bytes]) -> None:
    for method in METHODS:
        call = Call(method, f"/personal/v5/accounts/1%2D2/transactions?from=2023-01-01&x=a+b%20c&n={time.time_ns()}")
        try:
            status = status_of(call, instance.port)
            raw = captured.get(timeout=10)
        except (OSError, queue.Empty) as error:
            raise NotMeasured(f"its request did not arrive ({error!r}); {instance.child.last_words()}") from error
        if status != 200:
            raise NotMeasured(f"it answered {status}; {instance.child.last_words()}")
        if instance.peer.signs and (problems := verify.complaints(raw, call, instance.application, UPSTREAM_HOST)):
            raise NotMeasured(f"its {method} would be refused by the bank: {'; '.join(problems)}")


def upstream(world: World, stack: ExitStack) -> None:
    child = nginx.start_upstream(world)
    stack.callback(child.stop)
    deadline = time.monotonic() + 20
    while not answers(world.upstream_port):
        if not child.running or time.monotonic() > deadline:
            raise NotMeasured(f"the upstream did not start: {child.last_words()}")
        time.sleep(0.02)


def memory(instances: list[Instance], moment: str, samples: Samples) -> None:
    for instance in instances:
        reading = instance.child.memory()
        samples.add(f"rss {moment}", instance.name, "", reading.rss)
        if reading.pss is not None:
            samples.add(f"pss {moment}", instance.name, "", reading.pss)


def start_times(world: World, plan: Plan, peers: list[Peer], samples: Samples) -> None:
    """From spawn to the first 200, peers taking turns, while nothing else runs."""
    application = world.material.applications[plan.sizes[0]]
    starters = [peer for peer in _STARTS_OF if peer in peers]
    for _ in range(plan.starts):
        for peer in starters:
            try:
                samples.add("start", peer.name, "", _first_answer(world, peer, application))
            except NotMeasured as reason:
                samples.problem(f"the start of {peer.name} was not measured: {reason}")


def _first_answer(world: World, peer: Peer, application: Application) -> float:
    call = Call("GET", "/personal/v5/accounts?start=1")
    began = time.perf_counter()
    instance = start(world, peer, application, wait=False)
    try:
        while instance.child.running and time.perf_counter() - began < 30:
            try:
                if status_of(call, instance.port) == 200:
                    return time.perf_counter() - began
            except OSError:
                pass
            time.sleep(0.002)
        raise NotMeasured(f"no 200 within 30 s: {instance.child.last_words()}")
    finally:
        instance.child.stop()

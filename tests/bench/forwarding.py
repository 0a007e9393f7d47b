"""The timed part for clients that have HTTP_PROXY and HTTPS_PROXY set: intercepted calls, handshakes, plain tunnels.

Each is beside what it is compared with and in turns with it: the same calls in reverse mode, nginx's TLS accept,
HAProxy's TCP mode.  CPU is that of the proxy's processes alone.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeVar

from . import rsa_operation, verify
from .caller import FORMS, INTERCEPTED, OVER_TLS, Way, read_answer
from .conversation import Call
from .peers import haproxy, nginx, ours
from .peers.base import SOURCE_HOST, UPSTREAM_HOST, Instance, NotMeasured, World, start
from .processes import free_port
from .programs import Program
from .rounds import MANY, METHODS, Plan
from .samples import RSA, Samples

T = TypeVar("T")
TUNNEL, LISTENER, PEER = "ours, CONNECT and TLS", "ours, TLS listener", "nginx, TLS accept"
OURS, SPLICED = "ours", "HAProxy with splice"
FULL, RESUMED = "full", "resumed"
STREAMS = (1, 8)
SLICES = 10
SLOW_READERS = 8
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Forward:
    """One proxy of ours that has all of it switched on, its bank and its source of bytes."""

    world: World
    instance: Instance
    tls_port: int
    source_port: int

    def way(self, form: str) -> Way:
        port = self.tls_port if form == OVER_TLS else self.instance.port
        ca = ours.ca_directory(self.world) / "ca.pem" if form == INTERCEPTED else self.world.material.ca_file
        return Way(form, port, UPSTREAM_HOST, str(ca))


def started(world: World, bits: int, captured: queue.Queue[bytes], stack: ExitStack) -> Forward:
    """captured: a capture server stands where the bank will be.  Raises NotMeasured, also for a wrong signature."""
    tls_port, source_port = free_port(), free_port()
    instance = start(world, ours.forward_proxy(tls_port, source_port), world.material.applications[bits])
    stack.callback(instance.child.stop)
    forward = Forward(world, instance, tls_port, source_port)
    for form in FORMS:
        for method in METHODS:
            _judge(forward, form, method, captured)
    return forward


def _judge(forward: Forward, form: str, method: str, captured: queue.Queue[bytes]) -> None:
    call = Call(method, f"/personal/v5/accounts/1%2D2/transactions?from=2023-01-01&n={time.time_ns()}")
    way = forward.way(form)
    try:
        with way.open() as line:
            line.sendall(way.request(method, call.target))
            read_answer(line)
            raw = captured.get(timeout=10)
    except (OSError, ValueError, queue.Empty) as error:
        raise NotMeasured(f"a {form} {method} was not passed on: {error!r}") from error
    if problems := verify.complaints(raw, call, forward.instance.application, UPSTREAM_HOST):
        raise NotMeasured(f"a {form} {method} would be refused by the bank: {'; '.join(problems)}")


def run(forward: Forward, plan: Plan, samples: Samples, tell: Callable[[str], None], stack: ExitStack) -> None:
    """Fills samples.  What cannot be measured is left out with a sentence."""
    relays = _relays(forward, samples, stack)
    accepting = _peer_for_handshakes(forward.world, samples, stack)
    parts: list[Callable[[int], None]] = [
        lambda number: _calls(forward, plan, number, samples),
        lambda number: _handshakes(forward, plan, accepting, number, samples),
        lambda number: _throughput(forward, plan, relays, number, samples),
        lambda number: _slow_readers(forward, plan, samples)]
    for number in range(plan.rounds):
        began = time.monotonic()
        for part in list(parts):
            try:
                part(number)
            except NotMeasured as reason:
                parts.remove(part)
                samples.problem(f"a part of the forward proxy fell out in round {number + 1}: {reason}")
        tell(f"forward proxy: round {number + 1} of {plan.rounds} took {time.monotonic() - began:.0f} s")


def _calls(forward: Forward, plan: Plan, number: int, samples: Samples) -> None:
    """In slices, so that a machine that is slower for a second is so for every form."""
    child, application = forward.instance.child, forward.instance.application
    if alone := rsa_operation.ours(application.key_file, forward.world.cpus.proxy):
        samples.add("call", RSA, "", alone)
    for method in METHODS:
        cpu, requests = Counter[str](), Counter[str]()
        with ExitStack() as stack:
            callers = {form: stack.enter_context(_caller(forward, form, method)) for form in FORMS}
            for form in FORMS:
                callers[form].ask(seconds=plan.seconds / SLICES)
            for at in range(SLICES):
                for form in rotated(FORMS, number + at):
                    before = child.running_seconds()
                    requests[form] += callers[form].ask(seconds=plan.seconds / SLICES)["requests"]
                    cpu[form] += child.running_seconds() - before
        for form in FORMS:
            samples.add("call", form, method, cpu[form] / requests[form] * 1e6)


def _caller(forward: Forward, form: str, method: str) -> Program:
    way = forward.way(form)
    return Program(forward.world, "caller", form=form, port=way.port, bank=way.bank, ca_file=way.ca_file,
                   method=method, connections=MANY)


def _handshakes(forward: Forward, plan: Plan, peer: Instance | None, number: int, samples: Samples) -> None:
    inside, outside = forward.way(INTERCEPTED).ca_file, str(forward.world.material.ca_file)
    who = [(TUNNEL, forward.instance, forward.instance.port, f"{UPSTREAM_HOST}:443", inside),
           (LISTENER, forward.instance, forward.tls_port, "", outside)]
    if peer is not None:
        who.append((PEER, peer, peer.port, "", outside))
    for kind in (FULL, RESUMED):
        cpu, count = Counter[str](), Counter[str]()
        with ExitStack() as stack:
            knockers = {name: stack.enter_context(Program(
                forward.world, "knocker", port=port, connect=connect, name=UPSTREAM_HOST, ca_file=ca_file,
                resume=kind == RESUMED)) for name, _, port, connect, ca_file in who}
            for at in range(SLICES):
                for name, instance, *_ in rotated(who, number + at):
                    before = instance.child.running_seconds()
                    count[name] += knockers[name].ask(seconds=plan.seconds / SLICES)["count"]
                    cpu[name] += instance.child.running_seconds() - before
        for name, *_ in who:
            samples.add("handshake", name, kind, cpu[name] / count[name] * 1e6)


def _throughput(forward: Forward, plan: Plan, relays: Sequence[tuple[str, Instance, str]], number: int,
                samples: Samples) -> None:
    for streams in STREAMS:
        for name, instance, connect in rotated(relays, number):
            with Program(forward.world, "sink", port=instance.port, connect=connect) as sink:
                size = plan.mebibytes * _MIB // streams
                sink.ask(connections=streams, size=size // 16)
                cpu = instance.child.running_seconds()
                done = sink.ask(connections=streams, size=size)
                cpu = instance.child.running_seconds() - cpu
                samples.add("relay", name, str(streams), done["bytes"] / 1e9 / cpu)
                samples.add("relay rate", name, str(streams), done["bytes"] / 1e9 / done["seconds"])


def _slow_readers(forward: Forward, plan: Plan, samples: Samples) -> None:
    """Memory in MB: what readers that lag add while they lag, and what is left of it afterwards."""
    child, readings = forward.instance.child, []
    with Program(forward.world, "sink", port=forward.instance.port, connect=_source(forward)) as sink:
        before = child.memory().rss
        sink.tell(connections=SLOW_READERS, size=plan.mebibytes * _MIB // SLOW_READERS, slow_seconds=plan.seconds)
        answered = threading.Event()
        waiting = threading.Thread(target=lambda: (sink.answer(), answered.set()))
        waiting.start()
        while waiting.is_alive():
            readings.append(child.memory().rss)
            answered.wait(0.02)
        if not answered.is_set():
            raise NotMeasured("the slow readers did not get all their bytes")
    samples.add("memory", "before", "", before)
    samples.add("memory", "rise", "", max(readings) - before)
    samples.add("memory", "kept", "", child.memory().rss - before)


def _source(forward: Forward) -> str:
    return f"{SOURCE_HOST}:{forward.source_port}"


def _relays(forward: Forward, samples: Samples, stack: ExitStack) -> list[tuple[str, Instance, str]]:
    """-> name, instance, and where to CONNECT to; the source is started as well."""
    stack.enter_context(Program(forward.world, "source", port=forward.source_port))
    found = [(OURS, forward.instance, _source(forward))]
    for peer in haproxy.relays(forward.source_port):
        if sentence := peer.missing():
            samples.problem(f"{peer.name} is left out: {sentence}")
            continue
        instance = start(forward.world, peer, forward.instance.application)
        stack.callback(instance.child.stop)
        found.append((peer.name, instance, ""))
    return found


def _peer_for_handshakes(world: World, samples: Samples, stack: ExitStack) -> Instance | None:
    if sentence := nginx.ACCEPT.missing():
        samples.problem(f"{PEER} is left out: {sentence}")
        return None
    instance = start(world, nginx.ACCEPT, next(iter(world.material.applications.values())))
    stack.callback(instance.child.stop)
    return instance


def rotated(all_of_them: Sequence[T], by: int) -> list[T]:
    at = by % len(all_of_them)
    return [*all_of_them[at:], *all_of_them[:at]]

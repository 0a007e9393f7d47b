"""The timed part for keys: what a reload costs requests, how far Transit overlaps, what a token's own time grows by."""

from __future__ import annotations

import functools
import os
import queue
import re
import shutil
import signal
import subprocess
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from . import prepare, rsa_operation
from .material import Application
from .peers import ours
from .peers.base import Instance, Launch, NotMeasured, Peer, World, start
from .processes import free_port
from .programs import Program
from .rounds import Plan, busy_seconds
from .samples import RSA, Samples
from .token_operation import Token

PACE, PACED = 100, 4
"""Requests a second, and the connections for them: too few for a line of their own."""
RELOADS = 10
"""A second, each asked for by SIGHUP."""
CROWD, LATENCY = 64, 0.02
PEM, PEM_LONG, STORE = "RSA-2048 in PEM", "RSA-3072 in PEM", "RSA-2048 in PKCS#12"
KINDS = {PEM: 2048, PEM_LONG: 3072, STORE: 2048}
QUIET, RELOADING = "quiet", "reloading"
LIBRARY = "the library's search for primes, which is left out"
ADDED = "added by the proxy"
TOKEN = ("alone", "sign()", "from the loop", ADDED, "added by the proxy, CPU time")
IN_PROCESS, TRANSIT = "the same key in this process", "Transit"
_RELOADED = re.compile(r'^signing_proxy_key_reloads_total\{.*outcome="(\w+)"\} (\S+)$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Standing:
    """reloaded: by kind of key.  programs on the load's CPU: holding measures inside itself."""

    world: World
    reloaded: dict[str, Instance]
    transit: Instance
    holding: Program
    token: Token | None


def started(world: World, captured: queue.Queue[bytes], samples: Samples, stack: ExitStack) -> Standing:
    """captured: a capture server stands where the bank will be.  Raises NotMeasured, also for a wrong signature."""
    def begun(name: str, bits: int, key: dict[str, object], more: dict[str, object]) -> Instance:
        instance = start(world, _peer(name, key, more), world.material.applications[bits])
        stack.callback(instance.child.stop)
        prepare.judge(instance, captured)
        return instance

    reloaded = {kind: begun(f"ours, {kind}", bits, dict(_files(world, kind)), {}) for kind, bits in KINDS.items()}
    vault, application = free_port(), world.material.applications[2048]
    stack.enter_context(Program(world, "slow_vault", port=vault, latency=LATENCY, key_file=str(application.key_file)))
    transit = begun("ours, Transit", 2048,
                    {"key_transit": {"key": "seal", "certificate_file": str(application.certificate_file)}},
                    {"vault": {"address": f"http://127.0.0.1:{vault}", "transit_timeout": 10}})
    token = Token.ready(stack)
    if isinstance(token, str):
        samples.problem(f"PKCS#11 is left out: {token}")
    return Standing(world, reloaded, transit, stack.enter_context(Program(world, "holding")),
                    None if isinstance(token, str) else token)


def _peer(name: str, key: dict[str, object], more: dict[str, object]) -> Peer:
    def launch(world: World, application: Application, folder: Path, port: int) -> Launch:
        described = {"client_id": application.client_id, "client_secret_file": str(application.client_secret_file),
                     **key}
        made = ours.launch(world, application, folder, port, extra={"applications": {"bench": described}, **more})
        return Launch(made.argv, made.env | {"VAULT_TOKEN": "bench", "PASSWORD": "bench"}, made.admin_port)

    return Peer(name, True, ours.missing, launch)


def _files(world: World, kind: str) -> dict[str, str]:
    """Settings of an application, and of FileSettings.  PKCS#12 as openssl writes it, with its 2,048 rounds."""
    application = world.material.applications[KINDS[kind]]
    if kind != STORE:
        return {"key_file": str(application.key_file), "certificate_file": str(application.certificate_file)}
    path = world.root / "seal.p12"
    if not path.exists():
        if shutil.which("openssl") is None:
            raise NotMeasured("the openssl command line is not installed: install the package openssl.")
        subprocess.run(["openssl", "pkcs12", "-export", "-inkey", application.key_file, "-in",
                        application.certificate_file, "-out", path, "-passout", "pass:bench"], check=True)
        path.chmod(0o600)
    return {"key_file": str(path), "key_password_env": "PASSWORD"}


def run(standing: Standing, plan: Plan, samples: Samples, tell: Callable[[str], None]) -> None:
    """Fills samples.  What cannot be measured is left out with a sentence."""
    parts: list[Callable[[int], None]] = [
        lambda number: _reloads(standing, plan, number, samples), lambda number: _holding(standing, samples),
        lambda number: _transit(standing, plan, samples), lambda number: _token(standing, samples)]
    for number in range(plan.rounds):
        began = time.monotonic()
        for part in list(parts):
            try:
                part(number)
            except NotMeasured as reason:
                parts.remove(part)
                samples.problem(f"a part of the keys fell out in round {number + 1}: {reason}")
        tell(f"keys: round {number + 1} of {plan.rounds} took {time.monotonic() - began:.0f} s")


def _reloads(standing: Standing, plan: Plan, number: int, samples: Samples) -> None:
    """Each instance with reloads and without, in turns."""
    for kind, instance in standing.reloaded.items():
        with Program(standing.world, "pacer", port=instance.port, connections=PACED, crowd=False) as pacer:
            pacer.ask(seconds=0.2, per_second=PACE)
            for way in (QUIET, RELOADING)[::1 if number % 2 else -1]:
                before = _settled(instance)
                pacer.tell(seconds=plan.seconds, per_second=PACE)
                latencies = _answered(pacer, functools.partial(_ask_for_reload, instance) if way == RELOADING else None)
                samples.add(f"p99 {way}", kind, "", latencies[int(len(latencies) * 0.99)])
                samples.add(f"most {way}", kind, "", latencies[-1])
                done = _settled(instance) - before
                if done["failed"] or bool(done["ok"]) != (way == RELOADING):
                    raise NotMeasured(f"of the reloads with {kind} {done} were counted")
                if way == RELOADING:
                    samples.add("reloads a second", kind, "", done["ok"] / plan.seconds)


def _answered(pacer: Program, meanwhile: Callable[[], None] | None) -> list[float]:
    """The latencies, in milliseconds, least first."""
    found: list[dict[str, list[float]]] = []
    answered = threading.Event()
    waiting = threading.Thread(target=lambda: (found.append(pacer.answer()), answered.set()))
    waiting.start()
    while meanwhile is not None and waiting.is_alive():
        meanwhile()
        answered.wait(1 / RELOADS)
    waiting.join()
    if not found:
        raise NotMeasured("the paced requests were not all answered")
    return found[0]["latencies"]


def _ask_for_reload(instance: Instance) -> None:
    os.kill(instance.child.pid, signal.SIGHUP)


def _settled(instance: Instance) -> Counter[str]:
    """Reloads by outcome, once no more come."""
    found = _counted(instance)
    for _ in range(100):
        time.sleep(0.2)
        before, found = found, _counted(instance)
        if found == before:
            return found
    raise NotMeasured("the reloads did not come to an end")


def _counted(instance: Instance) -> Counter[str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{instance.admin_port}/metrics", timeout=10) as answer:
        found = _RELOADED.findall(answer.read().decode())
    return Counter({outcome: int(float(count)) for outcome, count in found})


def _holding(standing: Standing, samples: Samples) -> None:
    secret = str(standing.world.material.applications[2048].client_secret_file)
    for kind in KINDS:
        found = standing.holding.ask(key=_files(standing.world, kind), secret_file=secret)
        samples.add("held", kind, "", found["median"])
        samples.add("held at most", kind, "", found["most"])
    found = standing.holding.ask(key_file=str(standing.world.material.applications[2048].key_file))
    samples.add("held", LIBRARY, "", found["median"])


def _transit(standing: Standing, plan: Plan, samples: Samples) -> None:
    application = standing.world.material.applications[2048]
    if alone := rsa_operation.ours(application.key_file, standing.world.cpus.proxy):
        samples.add("crowd cpu", RSA, "", alone)
    for who, instance in ((TRANSIT, standing.transit), (IN_PROCESS, standing.reloaded[PEM])):
        with Program(standing.world, "pacer", port=instance.port, connections=CROWD, crowd=True) as crowd:
            crowd.ask(seconds=1)
            cpu, busy = instance.child.running_seconds(), busy_seconds(standing.world.cpus.proxy)
            done = crowd.ask(seconds=plan.seconds)
            cpu = instance.child.running_seconds() - cpu
            foreign = max(0.0, busy_seconds(standing.world.cpus.proxy) - busy - cpu)
            samples.add("foreign", "others", "", foreign / done["seconds"] * 100)
            samples.add("crowd", who, "", done["requests"] / done["seconds"])
            samples.add("crowd cpu", who, "", cpu / done["requests"] * 1e6)
            samples.add("crowd share", who, "", cpu / done["seconds"])


def _token(standing: Standing, samples: Samples) -> None:
    if standing.token is not None:
        for bits, cost in standing.token.measured().items():
            for what, value in zip(TOKEN, (cost.alone, cost.called, cost.looped, cost.added, cost.added_cpu),
                                   strict=True):
                samples.add("token", what, f"RSA-{bits}", value)

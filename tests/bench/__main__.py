"""`python -m tests.bench`: the story of one run, top to bottom."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import cryptography
from cryptography.hazmat.backends.openssl import backend

from . import capture, forwarding, keys, load, material, prepare, profiling, report, rounds, safeguards, workers
from .peers import haproxy, nginx
from .peers.base import NotMeasured, World
from .processes import Cpus, free_port
from .rounds import Plan
from .samples import Samples, spread

_SIZES = (2048, 3072)


def main() -> int:
    options = _options()
    if not sys.platform.startswith("linux"):
        print("The benchmark reads /proc, so it needs Linux.")
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    plan = (Plan(1, 1, 1, _SIZES, 128) if options.quick
            else Plan(options.rounds, options.seconds, 5, _SIZES, options.mebibytes))
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="signing-bench-")))
        world = World(root, Cpus.split(), material.make(root, _SIZES), free_port())
        if options.profile:
            return profiling.run(world, stack, options.seconds)
        print("\n".join(f"{name}: {value}" for name, value in _facts(world, plan).items()), flush=True)
        samples = Samples()
        for part, measure in (("reverse", _reverse), ("forward", _forward), ("safeguards", _safeguards),
                              ("inspector", _inspector), ("keys", _keys), ("workers", _workers)):
            if options.part in (part, "all"):
                measure(world, plan, samples)
        return _report(report.tables(samples, plan, options.part), samples, _facts(world, plan), options.json)


def _reverse(world: World, plan: Plan, samples: Samples) -> None:
    with ExitStack() as stack:
        peers = prepare.present(samples)
        with capture.listening(world.upstream_port, world.material) as captured:
            instances = prepare.judged_instances(world, plan, peers, captured, samples, stack)
            prepare.memory(instances, "after start", samples)
            prepare.start_times(world, plan, [instance.peer for instance in instances], samples)
        verified = ", ".join(dict.fromkeys(instance.name for instance in instances if instance.peer.signs)) or "nobody"
        _tell(f"signatures verified: {verified}")
        try:
            prepare.upstream(world, stack)
            load.require()
            rounds.run(world, plan, instances, samples, _tell)
            time.sleep(2)
            prepare.memory(instances, "after load", samples)
        except NotMeasured as reason:
            samples.problem(f"the timed part was not run to its end: {reason}")


def _forward(world: World, plan: Plan, samples: Samples) -> None:
    with ExitStack() as stack:
        try:
            with capture.listening(world.upstream_port, world.material) as captured:
                forward = forwarding.started(world, plan.sizes[0], captured, stack)
            _tell("signatures verified: every form through the forward proxy")
            prepare.upstream(world, stack)
            forwarding.run(forward, plan, samples, _tell, stack)
        except NotMeasured as reason:
            samples.problem(f"the forward proxy was not measured: {reason}")


def _safeguards(world: World, plan: Plan, samples: Samples) -> None:
    _settings(world, plan, samples, safeguards.SETTINGS, "the safeguards were")


def _inspector(world: World, plan: Plan, samples: Samples) -> None:
    _settings(world, plan, samples, safeguards.INSPECTOR, "the inspector was")


def _settings(world: World, plan: Plan, samples: Samples, settings: safeguards.Settings, what: str) -> None:
    with ExitStack() as stack:
        try:
            with capture.listening(world.upstream_port, world.material) as captured:
                instances = safeguards.started(world, plan.sizes[0], captured, stack, settings)
            prepare.upstream(world, stack)
            safeguards.run(world, plan, instances, samples, _tell)
        except NotMeasured as reason:
            samples.problem(f"{what} not measured: {reason}")


def _workers(world: World, plan: Plan, samples: Samples) -> None:
    with ExitStack() as stack:
        try:
            with capture.listening(world.upstream_port, world.material) as captured:
                instances = workers.started(world, captured, stack)
            prepare.upstream(world, stack)
            workers.run(plan, instances, samples, _tell)
        except NotMeasured as reason:
            samples.problem(f"workers were not measured: {reason}")


def _keys(world: World, plan: Plan, samples: Samples) -> None:
    with ExitStack() as stack:
        try:
            with capture.listening(world.upstream_port, world.material) as captured:
                standing = keys.started(world, captured, samples, stack)
            _tell("signatures verified: every kind of file, and Transit")
            prepare.upstream(world, stack)
            keys.run(standing, plan, samples, _tell)
        except NotMeasured as reason:
            samples.problem(f"keys were not measured: {reason}")


def _report(made: list[report.Table], samples: Samples, facts: dict[str, str], json_file: Path | None) -> int:
    print(report.text(made))
    print()
    if others := samples.of("foreign", "others"):
        median, _, most = spread(others)
        print(f"Other programs took {median:.0f} % (at most {most:.0f} %) of the proxy's CPU; quiet is below 5 %.")
    for sentence in samples.problems:
        print(f"note: {sentence}")
    absent = report.unmeasured(made)
    if absent:
        print(f"note: {absent} figures that have a limit were not measured.")
    if json_file:
        json_file.write_text(json.dumps(report.document(made, samples, facts), indent=1, ensure_ascii=False) + "\n")
    return 1 if absent else 0


def _facts(world: World, plan: Plan) -> dict[str, str]:
    cpu = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())
    cpus = world.cpus
    where = (f"proxy on CPU {sorted(cpus.proxy)}, load and upstream on CPU {sorted(cpus.load)}" if cpus.apart
             else "one CPU for everything: throughput and latency say little")
    return {"machine": f"{os.cpu_count()} x {cpu}, Linux {platform.release()}, {where}",
            "ours": ", ".join((f"Python {platform.python_version()}", f"cryptography {cryptography.__version__}",
                               backend.openssl_version_text())),
            "peers": ", ".join((nginx.version(), haproxy.version())),
            "plan": f"{plan.rounds} rounds, {plan.seconds} s a run, {plan.starts} starts",
            "load average before": f"{os.getloadavg()[0]:.2f}"}


def _tell(sentence: str) -> None:
    print(f"... {sentence}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each peer does all the work (default 5)")
    parser.add_argument("--seconds", type=int, default=3, help="length of one timed run (default 3)")
    parser.add_argument("--mebibytes", type=int, default=2048, help="size of one transfer by a relay (default 2048)")
    parser.add_argument("--part", default="all",
                        choices=("all", "reverse", "forward", "safeguards", "inspector", "keys", "workers"),
                        help="reverse proxy only, HTTP_PROXY and HTTPS_PROXY only, self_verify and audit only, "
                             "the inspector only, reloads, Transit and PKCS#11 only, workers only")
    parser.add_argument("--quick", action="store_true", help="one short round: shows only that it all works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every sample there")
    parser.add_argument("--profile", action="store_true", help="show where ours spends its time instead of measuring")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

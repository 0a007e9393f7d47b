"""Asks ours, through its own /metrics, how late its event loop was at worst since it was asked before."""

from __future__ import annotations

import re
import urllib.request

from .peers import OURS
from .peers.base import Instance
from .samples import Samples

_WORST = re.compile(r"^signing_proxy_loop_lag_seconds (\S+)$", re.MULTILINE)


def worst_milliseconds(instance: Instance) -> float | None:
    with urllib.request.urlopen(f"http://127.0.0.1:{instance.admin_port}/metrics", timeout=5) as answer:
        match = _WORST.search(answer.read().decode())
    return float(match[1]) * 1000 if match else None


def read(instances: list[Instance], samples: Samples | None) -> None:
    """None for samples: only so that the next reading begins here."""
    for instance in instances:
        if instance.peer is not OURS:
            continue
        try:
            worst = worst_milliseconds(instance)
        except OSError as error:
            if samples:
                samples.problem(f"/metrics of {instance.name} did not answer: {error}")
            continue
        if samples and worst is not None:
            samples.add("loop", instance.name, f"RSA-{instance.application.bits}", worst)

"""Asks ours, through its own /metrics, for how long its event loop was blocked at most."""

from __future__ import annotations

import re
import urllib.error
import urllib.request

from .peers import OURS
from .peers.base import Instance
from .samples import Samples

_GAUGE = re.compile(r"^\w*loop_(?:block|lag|stall)\w*max\w*(?:\{[^}]*\})? (\S+)$", re.MULTILINE)


def read(instances: list[Instance], samples: Samples) -> None:
    """Adds milliseconds for each instance that tells; a version without such a metric adds nothing."""
    for instance in instances:
        if instance.peer is not OURS or instance.admin_port is None:
            continue
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{instance.admin_port}/metrics", timeout=5) as answer:
                text = answer.read().decode()
        except (OSError, urllib.error.URLError) as error:
            samples.problem(f"/metrics of {instance.name} did not answer: {error}")
            continue
        for value in _GAUGE.findall(text):
            samples.add("loop", instance.name, "", float(value) * 1000)

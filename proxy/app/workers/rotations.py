"""Which key signs, the same in all workers: what one of them finds out, the others follow.

The supervisor's word is the order of things: whatever a worker tells is either what holds already, or becomes what
holds and is told to all of them.  So they end up with the same key whoever was first, and a change counts once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client.core import CounterMetricFamily

from proxy.keys.slots import WAYS


class Rotations:
    """now: application -> (slot, what led to it), for workers that start later."""

    def __init__(self, applications: Iterable[str], changed: Callable[[str, str, str], None]) -> None:
        """changed: tells all workers that this application signs with that slot, and why."""
        self.now = dict.fromkeys(applications, ("current", "command"))
        self._changed = changed
        self._counts = {(name, how): 0 for name in self.now for how in WAYS}

    def told(self, application: str, slot: str, how: str) -> None:
        """By a worker."""
        if self.now[application][0] == slot:
            return
        self.now[application] = slot, how
        self._counts[application, how] += 1  # type: ignore[index]
        self._changed(application, slot, how)

    def family(self) -> CounterMetricFamily:
        family = CounterMetricFamily(
            "signing_proxy_key_rotations", "Changes of the key that signs, by what led to them.",
            labels=("application", "how"))
        for labels, count in self._counts.items():
            family.add_metric(labels, count)
        return family

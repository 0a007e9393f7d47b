"""The metrics of several processes as those of one.

Counters and histograms are added up; what a worker that has ended had counted stays in them, so that they never go
back.  Each gauge has a rule here, for there is none that fits all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Literal

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

Rule = Literal["sum", "total", "least", "most", "furthest", "worst"]
Snapshot = list[tuple[str, str, str, list[tuple[str, dict[str, str], float]]]]
"""(family, help, type, [(sample, labels, value)]) of one process, as it travels."""

_PREFIX: Final = "signing_proxy_"
RULES: Final[dict[str, Rule]] = {
    "requests_in_flight": "sum", "connections": "sum", "open_tunnels": "sum", "buffered_bytes": "sum",
    "upstream_open_connections": "sum", "vault_transit_in_flight": "sum", "audit_lines_waiting": "sum",
    "audit_last_line": "sum", "log_lines_dropped": "total", "loop_lag_seconds": "worst", "audit_failing": "most",
    "breaker_open": "most",
    "certificate_expiry_timestamp_seconds": "least", "authority_expiry_timestamp_seconds": "least",
    "vault_token_expiry_timestamp_seconds": "least", "rate_limit_remaining": "least", "clock_skew_seconds": "furthest",
    "clock_correction_seconds": "furthest",
}
"""total: a sum that keeps what ended workers had.  least: what is nearest to trouble.  furthest: from zero.
worst: the most since the last scrape, as reading it begins anew."""
_COMBINE: Final[dict[Rule, Callable[[Iterable[float]], float]]] = {
    "sum": sum, "total": sum, "least": min, "most": max, "worst": max,
    "furthest": lambda values: max(values, key=abs)}

_Key = tuple[str, str, tuple[tuple[str, str], ...]]


def rule(family: str, kind: str) -> Rule:
    return "total" if kind != "gauge" else RULES.get(family.removeprefix(_PREFIX), "sum")


def snapshot(registry: CollectorRegistry) -> Snapshot:
    """Of this process."""
    return [(family.name, family.documentation, family.type,
             [(sample.name, sample.labels, sample.value) for sample in family.samples])
            for family in registry.collect()]


class Sums(Collector):
    """own: families that the supervisor knows better, in place of the workers'."""

    def __init__(self, own: Callable[[], Iterable[Metric]]) -> None:
        self._own = own
        self._now: dict[int, Snapshot] = {}
        self._past: dict[_Key, float] = {}
        self._worst: dict[_Key, float] = {}
        self._families: dict[str, tuple[str, str]] = {}

    def keep(self, worker: int, found: Any) -> None:
        """The latest of a worker that lives."""
        self._now[worker] = found
        for name, text, kind, _ in found:
            self._families.setdefault(name, (text, kind))
        for key, (_, kind), value in _rows(found):
            if rule(key[0], kind) == "worst":
                self._worst[key] = max(value, self._worst.get(key, value))

    def ended(self, worker: int) -> None:
        """What it has counted stays."""
        for key, (_, kind), value in _rows(self._now.pop(worker, [])):
            if rule(key[0], kind) == "total":
                self._past[key] = self._past.get(key, 0.0) + value

    def collect(self) -> Iterator[Metric]:
        own = {family.name: family for family in self._own()}
        values = self._combined()
        self._worst.clear()
        for name, (text, kind) in self._families.items():
            if name in own:
                continue
            family = Metric(name, text, kind)
            for (_, sample, labels), value in values.get(name, {}).items():
                family.add_sample(sample, dict(labels), value)
            yield family
        yield from own.values()

    def _combined(self) -> dict[str, dict[_Key, float]]:
        found: dict[_Key, list[float]] = {key: [value] for key, value in self._past.items()}
        for told in self._now.values():
            for key, _, value in _rows(told):
                found.setdefault(key, []).append(self._worst.get(key, value))
        combined: dict[str, dict[_Key, float]] = {}
        for key, values in found.items():
            how = rule(key[0], self._families[key[0]][1])
            combined.setdefault(key[0], {})[key] = _COMBINE[how](values)
        return combined


def _rows(found: Snapshot) -> Iterator[tuple[_Key, tuple[str, str], float]]:
    for name, text, kind, samples in found:
        for sample, labels, value in samples:
            yield (name, sample, tuple(labels.items())), (text, kind), value

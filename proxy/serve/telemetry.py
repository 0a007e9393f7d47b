"""Counts what happened, from the one Exchange of each call, in labels whose values are all known beforehand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from time import time

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from proxy.core.exchange import Exchange
from proxy.core.routing import METHODS
from proxy.serve.clock import parse_imf_fixdate
from proxy.serve.rulings import Ruling

_SECONDS = (.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60)
_SIGNING = (.0002, .0005, .001, .002, .005, .01, .02, .05, .1, .5, 1)
_LIMIT_NAMES = 16
_RATE_LIMIT = re.compile(rb"name=([A-Za-z0-9._-]{1,64}),(\d{1,15});?")
_LIMIT_FIELDS = (b"x-ratelimit-remaining", b"x-burstlimit-remaining")
WATCHED_FIELDS = frozenset((b"date", *_LIMIT_FIELDS))
_NAMES = {method: method.decode() for method in METHODS}

Reading = tuple[str, str, tuple[str, ...], Callable[[], Iterable[tuple[tuple[str, ...], float]]]]
"""Name, help, label names, and a function that gives (label values, value) pairs at scrape time."""


class _Requests:
    """The children of one route, method, status class and refuser: looked up once, then cached."""

    __slots__ = ("count", "received", "sent", "signing", "total", "upstream")

    def __init__(self, telemetry: Telemetry, route: str, method: str, status: str, refused_by: str) -> None:
        self.count = telemetry.requests.labels(route, method, status, refused_by)
        self.total = telemetry.durations.labels(route)
        self.signing = telemetry.signing.labels(route)
        self.upstream = telemetry.upstream.labels(route)
        self.received = telemetry.request_bytes.labels(route)
        self.sent = telemetry.response_bytes.labels(route)


class Telemetry:
    """Every metric of the program.  docs/operations.md is the table; a test compares the two."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        prefix = "signing_proxy_"
        self.requests = Counter(
            prefix + "requests", "Requests by who refused them: proxy, bank or none.",
            ["route", "method", "status_class", "refused_by"], registry=registry)
        self.durations = Histogram(
            prefix + "request_duration_seconds", "From the complete request to the last byte of its answer.",
            ["route"], buckets=_SECONDS, registry=registry)
        self.signing = Histogram(
            prefix + "signing_duration_seconds", "The key operation.", ["route"], buckets=_SIGNING, registry=registry)
        self.upstream = Histogram(
            prefix + "upstream_duration_seconds", "From sending to the head of the bank's answer.",
            ["route"], buckets=_SECONDS, registry=registry)
        self.request_bytes = Counter(prefix + "request_bytes", "Bytes of request bodies.", ["route"],
                                     registry=registry)
        self.response_bytes = Counter(prefix + "response_bytes", "Bytes of answer bodies.", ["route"],
                                      registry=registry)
        self.rejected = Counter(prefix + "rejected", "Requests the proxy refused or could not send, by code.",
                                ["reason"], registry=registry)
        self.uncertain = Counter(prefix + "uncertain", "Calls that the bank may have executed without our knowing.",
                                 ["route"], registry=registry)
        self.bank_failures = Counter(prefix + "bank_failures", "The bank's refusals by its own code.",
                                     ["route", "code"], registry=registry)
        self.connections = Counter(
            prefix + "upstream_connections", "Connections to banks: opened, reused, retried, connect_failed.",
            ["upstream", "event"], registry=registry)
        self.reloads = Counter(prefix + "key_reloads", "Reloads of keys and credentials.", ["application", "outcome"],
                               registry=registry)
        self._children: dict[tuple[str, str, int, str], _Requests] = {}
        self._heads: dict[str, dict[bytes, tuple[bytes, float]]] = {}
        self.read_at_scrape((
            ("clock_skew_seconds", "How far our clock was ahead of the bank's Date at its last answer.", ("upstream",),
             self._skews),
            ("rate_limit_remaining", "What the bank said is left at its last answer, by limit name.",
             ("upstream", "name"), self._limits),
        ))

    def record(self, exchange: Exchange, ruling: Ruling | None) -> None:
        """Counts one call.  ruling: what the bank's refusal said, if it refused."""
        key = (exchange.route, exchange.method, exchange.status // 100, exchange.refused_by)
        child = self._children.get(key)
        if child is None:
            child = self._child(key)
        child.count.inc()
        timings = exchange.timings
        child.total.observe(timings.total)
        if exchange.attempts:
            child.signing.observe(timings.sign)
            child.upstream.observe(timings.upstream)
            child.received.inc(exchange.request_bytes)
            child.sent.inc(exchange.response_bytes)
        if exchange.refused_by == "proxy":
            self.rejected.labels(exchange.code).inc()
            if exchange.sent == "maybe":
                self.uncertain.labels(exchange.route).inc()
        elif ruling is not None:
            self.bank_failures.labels(exchange.route, ruling.label).inc()

    def _child(self, key: tuple[str, str, int, str]) -> _Requests:
        route, method, status, refused_by = key
        child = self._children[key] = _Requests(self, route, method, f"{status}xx", refused_by or "none")
        return child

    def seen(self, upstream: str, name: bytes, value: bytes) -> None:
        """Keeps one of WATCHED_FIELDS as it came with the last answer; it is read when somebody scrapes."""
        self._heads.setdefault(upstream, {})[name] = (value, time())

    def _skews(self) -> Iterator[tuple[tuple[str, ...], float]]:
        for upstream, fields in self._heads.items():
            value, at = fields.get(b"date", (b"", 0.0))
            theirs = parse_imf_fixdate(value)
            if theirs is not None:
                yield (upstream,), at - theirs - 0.5    # a Date has whole seconds: half of one is its middle

    def _limits(self) -> Iterator[tuple[tuple[str, ...], float]]:
        for upstream, fields in self._heads.items():
            left = {name: int(count) for field in _LIMIT_FIELDS if field in fields
                    for name, count in _RATE_LIMIT.findall(fields[field][0])}
            for name, count in list(left.items())[:_LIMIT_NAMES]:
                yield (upstream, name.decode()), count

    def read_at_scrape(self, readings: Iterable[Reading]) -> None:
        self.registry.register(_Readings(tuple(readings)))


def method_label(method: bytes) -> str:
    return _NAMES.get(method, "other")


class _Readings(Collector):
    """Gauges that are looked up when somebody asks, so that keeping them costs nothing."""

    def __init__(self, readings: tuple[Reading, ...]) -> None:
        self._readings = readings

    def collect(self) -> Iterable[Metric]:
        for name, text, labels, read in self._readings:
            family = GaugeMetricFamily("signing_proxy_" + name, text, labels=labels)
            for values, value in read():
                family.add_metric(values, value)
            yield family

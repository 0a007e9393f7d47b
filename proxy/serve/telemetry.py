"""Counts what happened, from the one Exchange of each call, in labels whose values are all known beforehand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from proxy.core.exchange import Exchange
from proxy.core.routing import METHODS
from proxy.serve.counts import Counts, Distributions
from proxy.serve.rulings import Ruling

_SECONDS = (.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60)
_SIGNING = (.0002, .0005, .001, .002, .005, .01, .02, .05, .1, .5, 1)
_LIMIT_NAMES = 16
RATE_LIMIT = re.compile(rb"name=([A-Za-z0-9._-]{1,64}),(\d{1,15});?")
LIMIT_FIELDS = frozenset((b"x-ratelimit-remaining", b"x-burstlimit-remaining"))
_NAMES = {method: method.decode() for method in (*METHODS, b"CONNECT")}

Reading = tuple[str, str, tuple[str, ...], Callable[[], Iterable[tuple[tuple[str, ...], float]]]]
"""Name, help, label names, and a function that gives (label values, value) pairs at scrape time."""


class _Route:
    """Where the calls of one route are added up: looked up once, then kept."""

    __slots__ = ("received", "sent", "signing", "total", "upstream")

    def __init__(self, telemetry: Telemetry, route: str) -> None:
        self.total = telemetry.durations.of(route)
        self.signing = telemetry.signing.of(route)
        self.upstream = telemetry.upstream.of(route)
        self.received = self.sent = 0


class Telemetry:
    """Every metric of the program.  docs/operations.md is the table; a test compares the two."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        prefix = "signing_proxy_"
        self.requests = Counts(
            prefix + "requests", "Requests by who refused them: proxy, bank or none.",
            ("route", "method", "status_class", "refused_by"))
        self.durations = Distributions(
            prefix + "request_duration_seconds", "From the complete request to the last byte of its answer.", "route",
            _SECONDS)
        self.signing = Distributions(prefix + "signing_duration_seconds", "The key operation.", "route", _SIGNING)
        self.upstream = Distributions(
            prefix + "upstream_duration_seconds", "From sending to the head of the bank's answer.", "route", _SECONDS)
        self.request_bytes = Counts(prefix + "request_bytes", "Bytes of request bodies.", ("route",))
        self.response_bytes = Counts(prefix + "response_bytes", "Bytes of answer bodies.", ("route",))
        self.rejected = Counts(prefix + "rejected", "Requests the proxy refused or could not send, by code.",
                               ("reason",))
        self.uncertain = Counts(prefix + "uncertain", "Calls that the bank may have executed without our knowing.",
                                ("route",))
        self.bank_failures = Counts(prefix + "bank_failures", "The bank's refusals by its own code.",
                                    ("route", "code"))
        self.connections = Counts(
            prefix + "upstream_connections",
            "Connections to banks: opened, reused, retried, connect_failed, breaker_opened.", ("upstream", "event"))
        self.shaped = Counts(prefix + "shaped", "Calls that could not begin at once under the bank's burst limit: "
                             "delayed, refused.", ("application", "outcome"))
        self.handshakes = Counts(prefix + "client_tls_handshakes", "TLS handshakes of callers, in tunnels and on TLS "
                                 "listeners, by outcome.", ("listener", "outcome"))
        self.shed = Counts(prefix + "connections_shed", "Connections ended to make room for others, by what they were "
                           "waiting for.", ("kind",))
        self.shed_tally: Callable[[], Mapping[str, float]] = dict
        self.tunnels = Counts(prefix + "tunnels", "Tunnels to other hosts that have ended, by policy and outcome.",
                              ("policy", "outcome"))
        self.tunnel_bytes = Counts(prefix + "tunnel_bytes", "Bytes that tunnels to other hosts have carried.",
                                   ("direction",))
        self.reloads = Counts(prefix + "key_reloads", "Reloads of keys and credentials.", ("application", "outcome"))
        self.vault_requests = Counts(prefix + "vault_requests", "Requests to Vault by operation and outcome.",
                                     ("operation", "outcome"))
        self.vault_tally: Callable[[], dict[tuple[str, ...], float]] = dict
        self.rotations = Counts(prefix + "key_rotations", "Changes of the key that signs, by what led to them.",
                                ("application", "how"))
        self.diagnoses = Counts(prefix + "diagnoses", "The bank's refusals by the likeliest cause.",
                                ("route", "cause"))
        self.self_verify = Counts(prefix + "self_verify_failures", "Finished requests that did not pass our own "
                                  "verification and were not sent.", ("route",))
        self.audit_lines = Counts(prefix + "audit_lines", "Lines about requests in the audit trail.", ("kind",))
        self.audit_failures = Counts(prefix + "audit_failures", "What went wrong with the audit trail.", ("kind",))
        self.spans = Counts(prefix + "spans", "Spans of traces, by what became of them.", ("outcome",))
        self._routes: dict[str, _Route] = {}
        self._labels: dict[tuple[str, str, int, str], tuple[str, ...]] = {}
        self._heads: dict[str, dict[bytes, bytes]] = {}
        self.skews: Callable[[], Iterable[tuple[str, float]]] = tuple
        self.registry.register(_Tallies(self))
        self.read_at_scrape((
            ("clock_skew_seconds", "How far our clock is ahead of the bank's, by the Date of its last answers.",
             ("upstream",), lambda: [((upstream,), ahead) for upstream, ahead in self.skews()]),
            ("rate_limit_remaining", "What the bank said is left at its last answer, by limit name.",
             ("upstream", "name"), self._limits),
        ))

    def record(self, exchange: Exchange, ruling: Ruling | None) -> None:
        """Counts one call.  ruling: what the bank's refusal said, if it refused."""
        key = (exchange.route, exchange.method, exchange.status // 100, exchange.refused_by)
        labels = self._labels.get(key)
        if labels is None:
            route, method, status, refused_by = key
            labels = self._labels[key] = (route, method, f"{status}xx", refused_by or "none")
        self.requests.add(labels)
        of_route = self._routes.get(exchange.route)
        if of_route is None:
            of_route = self._routes[exchange.route] = _Route(self, exchange.route)
        timings = exchange.timings
        of_route.total.observe(timings.total)
        if exchange.attempts:
            of_route.signing.observe(timings.sign)
            of_route.upstream.observe(timings.upstream)
            of_route.received += exchange.request_bytes
            of_route.sent += exchange.response_bytes
        if exchange.refused_by == "proxy":
            self.rejected.add((exchange.code,))
            if exchange.sent == "maybe":
                self.uncertain.add((exchange.route,))
        elif ruling is not None:
            self.bank_failures.add((exchange.route, ruling.label))

    def families(self) -> Iterator[Metric]:
        """Everything that was added up, for a scrape."""
        self.request_bytes.values = {(name,): route.received for name, route in self._routes.items()}
        self.response_bytes.values = {(name,): route.sent for name, route in self._routes.items()}
        self.vault_requests.values = self.vault_tally()
        self.shed.values = {(kind,): count for kind, count in self.shed_tally().items()}
        for distributions in (self.durations, self.signing, self.upstream):
            yield distributions.family()
        for counts in (self.requests, self.request_bytes, self.response_bytes, self.rejected, self.uncertain,
                       self.bank_failures, self.connections, self.shed, self.shaped, self.handshakes,
                       self.tunnels, self.tunnel_bytes, self.reloads, self.rotations, self.vault_requests,
                       self.self_verify, self.diagnoses, self.audit_lines, self.audit_failures, self.spans):
            yield counts.family()

    def seen(self, upstream: str, name: bytes, value: bytes) -> None:
        """Keeps one of LIMIT_FIELDS as it came with the last answer; it is read when somebody scrapes."""
        self._heads.setdefault(upstream, {})[name] = value

    def _limits(self) -> Iterator[tuple[tuple[str, ...], float]]:
        for upstream, fields in self._heads.items():
            left = {name: int(count) for field in LIMIT_FIELDS if field in fields
                    for name, count in RATE_LIMIT.findall(fields[field])}
            for name, count in list(left.items())[:_LIMIT_NAMES]:
                yield (upstream, name.decode()), count

    def last_heard(self) -> dict[str, list[dict[str, object]]]:
        """The same two for a person: what the last answers said of clocks and limits."""
        return {"clock_ahead": [{"upstream": upstream, "seconds": round(ahead, 1)} for upstream, ahead in self.skews()],
                "rate_limits": [{"upstream": upstream, "name": name, "remaining": count}
                                for (upstream, name), count in self._limits()]}

    def read_at_scrape(self, readings: Iterable[Reading]) -> None:
        self.registry.register(_Readings(tuple(readings)))


def method_label(method: bytes) -> str:
    return _NAMES.get(method, "other")


class _Tallies(Collector):
    """Telemetry's own numbers."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def collect(self) -> Iterable[Metric]:
        return self._telemetry.families()


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

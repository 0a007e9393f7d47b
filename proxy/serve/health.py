"""Health, metrics and status: the pages of the admin port that only tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from proxy.core.message import Request
from proxy.serve.admin import Page, Table, answer, json_answer
from proxy.wire.application import Answer

Report = Mapping[str, object]

_TEXT = b"text/plain; charset=utf-8"


class Health:
    """What the probes are told.  checks: name -> a sentence while not ready, "" when fine."""

    def __init__(self, checks: Mapping[str, Callable[[], str]]) -> None:
        self._checks = checks
        self.draining = False
        self.started = False
        self.waiting: Callable[[], str] = str
        """For what the start waits, "" for nothing."""

    @property
    def state(self) -> str:
        if not self.started:
            return "starting"
        return "draining" if self.draining else "serving"

    def reasons(self) -> list[str]:
        """Why the proxy is not ready; empty when it is.  Never asks the bank."""
        if not self.started:
            return [f"starting: {sentence}" if (sentence := self.waiting()) else "starting"]
        if self.draining:
            return ["draining"]
        return [f"{name}: {sentence}" for name, check in self._checks.items() if (sentence := check())]


def pages(health: Health, registry: CollectorRegistry, status: Callable[[], Report]) -> Table:
    """Probes and metrics for everybody who is let in, /status for callers on this machine."""
    def live(_: Request) -> Answer:
        return answer(200, _TEXT, b"ok\n")

    def ready(_: Request) -> Answer:
        reasons = health.reasons()
        return answer(503 if reasons else 200, _TEXT, "\n".join(reasons or ["ok"]).encode() + b"\n")

    def startup(_: Request) -> Answer:
        return answer(200, _TEXT, b"ok\n") if health.started else answer(503, _TEXT, b"starting\n")

    def metrics(_: Request) -> Answer:
        return answer(200, CONTENT_TYPE_LATEST.encode(), generate_latest(registry))

    handlers = {b"/metrics": metrics, b"/livez": live, b"/liveness": live, b"/healthz": live, b"/readyz": ready,
                b"/readiness": ready, b"/startup": startup}
    return {**{(b"GET", path): Page(handler) for path, handler in handlers.items()},
            (b"GET", b"/status"): Page(lambda _: json_answer(200, status()), "local")}

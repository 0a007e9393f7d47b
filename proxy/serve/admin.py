"""Health, metrics and status: the application of the admin port.

Served by the same strict wire as the proxy itself: one door, one gate, and 12 MiB and 140 ms less than a web framework
for four GET paths (docs/architecture.md has the figures).  Nothing here can sign or send anything; where the port is
opened beyond loopback, for probes and scrapes, /status stays for this machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from proxy.core.message import Request
from proxy.core.target import path_of
from proxy.errors import Refused
from proxy.serve.gate import Gate
from proxy.serve.problems import line, problem
from proxy.wire.application import Answer
from proxy.wire.connection import Connection

Report = Mapping[str, object]


class Health:
    """What the probes are told.  checks: name -> a sentence while not ready, "" when fine."""

    def __init__(self, checks: Mapping[str, Callable[[], str]]) -> None:
        self._checks = checks
        self.draining = False
        self.started = False

    def reasons(self) -> list[str]:
        """Why the proxy is not ready; empty when it is.  Never asks the bank."""
        if not self.started:
            return ["starting"]
        if self.draining:
            return ["draining"]
        return [f"{name}: {sentence}" for name, check in self._checks.items() if (sentence := check())]


class Admin:
    """Implements wire.application.Application for /metrics, /livez, /readyz, /healthz, /status and their aliases."""

    def __init__(self, gates: Mapping[str, Gate], registry: CollectorRegistry, health: Health,
                 status: Callable[[], Report], *, local: Callable[[str], bool]) -> None:
        """gates: by listener name.  local: whether a caller's address is this machine."""
        self._local = local
        self._gates = gates
        self._registry = registry
        self._health = health
        self._status = status
        self._paths: Mapping[bytes, Callable[[], Answer]] = {
            b"/metrics": self._metrics,
            b"/livez": self._live, b"/liveness": self._live, b"/healthz": self._live,
            b"/readyz": self._ready, b"/readiness": self._ready,
            b"/startup": self._startup,
            b"/status": lambda: _json(200, self._status()),
            b"/": self._index,
        }

    # --- wire.application.Application

    def admit(self, connection: Connection, request: Request) -> None:
        self._gates[connection.listener].check(request, connection.local)
        if request.method not in (b"GET", b"HEAD"):
            raise Refused("method_not_supported", "the admin port answers GET and HEAD")
        path = path_of(request.target)
        if path == b"/status" and not self._local(connection.peer):
            raise Refused("route_denied", "/status is shown to this machine only")
        if path not in self._paths:
            raise Refused("route_unknown", "the admin port has " + ", ".join(sorted(self._listed())))

    def handle(self, connection: Connection, request: Request) -> None:
        connection.answer(self._paths[path_of(request.target)]())

    def refuse(self, connection: Connection, request: Request | None, error: Refused) -> Answer:
        return problem(error, "admin", "no")

    def gone(self, connection: Connection) -> None:
        pass

    def half_closed(self, connection: Connection) -> None:
        pass

    def pause(self, connection: Connection) -> None:
        pass

    def resume(self, connection: Connection) -> None:
        pass

    # --- the pages

    def _listed(self) -> list[str]:
        return [path.decode() for path in self._paths if path != b"/"]

    def _index(self) -> Answer:
        return _answer(200, b"text/plain; charset=utf-8", "\n".join(self._listed()).encode() + b"\n")

    def _metrics(self) -> Answer:
        return _answer(200, CONTENT_TYPE_LATEST.encode(), generate_latest(self._registry))

    def _live(self) -> Answer:
        return _answer(200, b"text/plain; charset=utf-8", b"ok\n")

    def _ready(self) -> Answer:
        reasons = self._health.reasons()
        text = "\n".join(reasons) if reasons else "ok"
        return _answer(503 if reasons else 200, b"text/plain; charset=utf-8", text.encode() + b"\n")

    def _startup(self) -> Answer:
        started = self._health.started
        return _answer(200 if started else 503, b"text/plain; charset=utf-8", b"ok\n" if started else b"starting\n")


def _json(status: int, value: object) -> Answer:
    return _answer(status, b"application/json", msgspec.json.format(msgspec.json.encode(value)) + b"\n")


def _answer(status: int, content_type: bytes, body: bytes) -> Answer:
    fields = (b"Content-Type: %b\r\nContent-Length: %d\r\nCache-Control: no-store\r\n"
              b"X-Content-Type-Options: nosniff\r\n" % (content_type, len(body)))
    return Answer(line(status), fields, body)

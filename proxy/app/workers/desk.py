"""The supervisor's admin port: the paths of a single process, answered for all workers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from proxy.app.actions import Actions, requested
from proxy.app.log_level import LogLevel
from proxy.app.workers.together import ReloadedByAll
from proxy.core.message import Request
from proxy.serve.admin import Page, Table, answer, json_answer
from proxy.serve.health import Health, pages
from proxy.wire.application import Answer

_TEXT = b"text/plain; charset=utf-8"


class Crew(Protocol):
    """What the desk asks for; all of it takes a moment."""

    registry: CollectorRegistry

    async def count(self) -> None: ...
    async def reasons(self) -> list[str]: ...
    async def report(self) -> Mapping[str, Any]: ...
    async def reload(self) -> ReloadedByAll: ...
    async def rotate(self, wanted: Mapping[str, str | None]) -> Mapping[str, Any]: ...


class Desk(Actions):
    """Made on the event loop."""

    def __init__(self, crew: Crew, health: Health, level: LogLevel, end: Callable[[], None] | None,
                 now: Callable[[], float]) -> None:
        super().__init__(rings={}, health=health, reload=crew.reload, level=level, end=end, now=now)
        self._crew = crew

    def table(self) -> Table:
        told = pages(self._health, self._crew.registry, dict)
        asked: dict[tuple[bytes, bytes], Page] = {
            (b"GET", b"/metrics"): Page(self._metrics), (b"GET", b"/readyz"): Page(self._ready),
            (b"GET", b"/readiness"): Page(self._ready), (b"GET", b"/status"): Page(self._status, "local"),
            (b"POST", b"/rotate"): Page(self._rotated_by_all, "token")}
        return {**told, **super().table(), **asked}

    async def _metrics(self, _: Request) -> Answer:
        await self._crew.count()
        return answer(200, CONTENT_TYPE_LATEST.encode(), generate_latest(self._crew.registry))

    async def _ready(self, _: Request) -> Answer:
        found = ["draining"] if self._health.draining else await self._crew.reasons()
        if not found and not self._health.started:
            found = ["starting"]
        return answer(503 if found else 200, _TEXT, "\n".join(found or ["ok"]).encode() + b"\n")

    async def _status(self, _: Request) -> Answer:
        return json_answer(200, await self._crew.report())

    def _rotated_by_all(self, request: Request) -> Coroutine[Any, Any, Answer]:
        wanted = requested(request, ("application", "to"))
        self._require_started()
        return self._rotate(wanted)

    async def _rotate(self, wanted: Mapping[str, str | None]) -> Answer:
        return json_answer(200, await self._crew.rotate(wanted))

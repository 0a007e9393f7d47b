"""A collector of traces: takes what a real exporter sends, by HTTP, and shows it as spans."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from proxy.emulator.records import Bell
from tests.e2e.line import within

KINDS = {1: "internal", 2: "server", 3: "client"}


@dataclass(frozen=True)
class Told:
    """One span.  Ids in hexadecimal; start, end: nanoseconds since 1970."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent: str
    state: str
    start: int
    end: int
    failed: bool
    attributes: dict[str, Any]
    resource: dict[str, Any]


@dataclass
class Collector:
    """mood: "takes", "refuses" (400 for good), "hangs" (never answers).  raw: all bytes of bodies that came."""

    mood: str = "takes"
    spans: list[Told] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    raw: bytes = b""
    asked: int = 0
    bell: Bell = field(default_factory=Bell)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def traces(self, request: web.Request) -> web.Response:
        data = await request.read()
        self.asked += 1
        self.bell.ring()
        if self.mood == "hangs":
            await self.over.wait()
        if self.mood != "takes":
            return web.Response(status=400)
        self.raw += data
        self.headers.append(dict(request.headers))
        self.spans += told(ExportTraceServiceRequest.FromString(data))
        self.bell.ring()
        return web.Response(content_type="application/x-protobuf")

    async def until(self, count: int) -> list[Told]:
        """The spans, once there are so many."""
        await within(self.bell.until(lambda: len(self.spans) >= count))
        assert len(self.spans) == count, [span.name for span in self.spans]
        return self.spans

    async def trace(self, count: int = 3) -> dict[str, Told]:
        """The spans by kind."""
        return {span.kind: span for span in await self.until(count)}


def told(request: ExportTraceServiceRequest) -> list[Told]:
    return [Told(span.name, KINDS[span.kind], span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(),
                 span.trace_state, span.start_time_unix_nano, span.end_time_unix_nano,
                 span.status.code == 2, values(span.attributes), values(of.resource.attributes))
            for of in request.resource_spans for scope in of.scope_spans for span in scope.spans]


def values(attributes: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, str(pair.value.WhichOneof("value"))) for pair in attributes}


@asynccontextmanager
async def running() -> AsyncIterator[Collector]:
    collector = Collector()
    application = web.Application()
    application.router.add_post("/v1/traces", collector.traces)
    runner = web.AppRunner(application, shutdown_timeout=1, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        collector.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield collector
    finally:
        collector.over.set()
        await runner.cleanup()

"""A finished call becomes spans of the SDK: a server span, and below it one for the key and one for the bank.

Names and values follow OpenTelemetry's semantic conventions for HTTP; what they have no name for begins with
`signing_proxy.`.  docs/operations.md is the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision, ParentBased, ParentBasedTraceIdRatio, Sampler
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)
from opentelemetry.trace.span import TraceState

from proxy import __version__
from proxy.core.exchange import path_template
from proxy.core.trace_context import SAMPLED, Parent
from proxy.serve.traces.finished import Finished, Trace
from proxy.serve.traces.settings import TraceSettings
from proxy.serve.traces.tracer import Sampler as Sampled

_SERVICE: Final = "psd2-signing-proxy"
_SCOPE: Final = "signing_proxy"
_UNKNOWN: Final = "unknown_service"
_OTHER: Final = "other"

Attributes = dict[str, str | int]


def sampler(settings: TraceSettings) -> Sampled:
    """What the settings, or OTEL_TRACES_SAMPLER, say of a trace."""
    chosen: Sampler = (TracerProvider(shutdown_on_exit=False).sampler if settings.sample_ratio is None
                       else ParentBasedTraceIdRatio(settings.sample_ratio))
    follows = type(chosen) in (ParentBased, ParentBasedTraceIdRatio)

    def sampled(trace_id: str, parent: Parent | None, state: str) -> bool:
        if follows and parent is not None:      # what they would say, without 15 µs of objects on the loop
            return bool(parent.flags & SAMPLED)
        context = _remote(parent, state) if parent is not None else Context()
        result = chosen.should_sample(context, int(trace_id, 16), "", SpanKind.SERVER)
        return result.decision is Decision.RECORD_AND_SAMPLE

    return sampled


def resource(settings: TraceSettings) -> Resource:
    """Who sends the spans, with what OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME add."""
    own: dict[str, str] = {SERVICE_VERSION: __version__}
    if settings.service_name is not None:
        own[SERVICE_NAME] = settings.service_name
    found = Resource.create(own)
    if str(found.attributes[SERVICE_NAME]).startswith(_UNKNOWN):
        found = found.merge(Resource({SERVICE_NAME: _SERVICE}))
    return found


class Spans:
    """Makes spans of finished calls; used by one thread."""

    def __init__(self, settings: TraceSettings) -> None:
        self._ids = _Ids()
        self._made = _Made()
        provider = TracerProvider(sampler=ALWAYS_ON, resource=resource(settings), shutdown_on_exit=False,
                                  id_generator=self._ids)
        provider.add_span_processor(self._made)
        self._tracer: Tracer = provider.get_tracer(_SCOPE, __version__)

    def of(self, calls: Sequence[Finished]) -> list[ReadableSpan]:
        for call in calls:
            self._call(call)
        made, self._made.spans = self._made.spans, []
        return made

    def _call(self, call: Finished) -> None:
        trace, timings = call.trace, call.exchange.timings
        template = path_template(call.path)
        began = call.ended - _ns(timings.total)
        sealed = began + _ns(timings.queue + timings.sign)
        context = _remote(trace.parent, trace.state) if trace.parent is not None else Context()
        name = f"{_method(call)} {template}" if call.upstream else _method(call)
        inner = self._span(trace, trace.server_id, name, context, SpanKind.SERVER, _server(call, template),
                           (began, call.ended), failed=_failed(call))
        if call.signed:
            self._span(trace, trace.signing_id, "sign", inner, SpanKind.INTERNAL, dict(_signing(call)),
                       (sealed - _ns(timings.sign), sealed), failed=call.failed)
        if call.asked:
            self._span(trace, trace.client_id, f"{_method(call)} {template}", inner, SpanKind.CLIENT,
                       _client(call, template), (sealed if call.exchange.attempts else began, call.ended),
                       failed=call.bank_status >= 400 or not call.bank_status or call.exchange.outcome == "cut")

    def _span(self, trace: Trace, span_id: str, name: str, context: Context, kind: SpanKind, attributes: Attributes,
              times: tuple[int, int], *, failed: bool) -> Context:
        """-> the context for spans below it."""
        self._ids.trace_id, self._ids.span_id = int(trace.trace_id, 16), int(span_id, 16)
        span = self._tracer.start_span(name, context, kind, attributes, start_time=times[0])
        if failed:
            span.set_status(Status(StatusCode.ERROR))
        span.end(times[1])
        return set_span_in_context(span, Context())


def _server(call: Finished, template: str) -> Attributes:
    exchange = call.exchange
    attributes: Attributes = {
        "http.request.method": _method(call), "url.scheme": call.scheme, "url.path": template,
        "client.address": exchange.client, "network.protocol.name": "http",
        "http.request.body.size": exchange.request_bytes, "http.response.body.size": exchange.response_bytes,
        "signing_proxy.request_id": exchange.request_id, "signing_proxy.listener": exchange.listener,
        "signing_proxy.route": exchange.route, "signing_proxy.outcome": exchange.outcome,
        "signing_proxy.sent": exchange.sent,
    }
    if call.upstream:
        attributes["http.route"] = template
    if exchange.application:
        attributes["signing_proxy.application"] = exchange.application
    if exchange.status:
        attributes["http.response.status_code"] = exchange.status
    if (kind := _kind(call)) and (_failed(call) or exchange.refused_by == "proxy"):
        attributes["error.type"] = kind
    return attributes


def _signing(call: Finished) -> Iterator[tuple[str, str | int]]:
    yield "signing_proxy.application", call.exchange.application
    yield "signing_proxy.key", call.exchange.key
    if call.failed:
        yield "error.type", call.exchange.code if call.exchange.refused_by == "proxy" else "_OTHER"


def _client(call: Finished, template: str) -> Attributes:
    exchange = call.exchange
    host, _, port = call.upstream.rpartition(":")
    attributes: Attributes = {
        "http.request.method": _method(call), "url.scheme": "https", "url.template": template,
        "server.address": host.strip("[]"), "server.port": int(port), "network.protocol.name": "http",
        "http.request.body.size": exchange.request_bytes, "http.response.body.size": exchange.response_bytes,
        "signing_proxy.sent": exchange.sent,
    }
    if exchange.attempts > 1:
        attributes["http.request.resend_count"] = exchange.attempts - 1
    if call.bank_status:
        attributes["http.response.status_code"] = call.bank_status
    if exchange.bank_id:
        attributes["signing_proxy.bank_id"] = exchange.bank_id
    if kind := _kind(call):
        attributes["error.type"] = kind
    return attributes


def _kind(call: Finished) -> str:
    """Of few values: our code, the bank's where we know it, else how it ended or the status."""
    exchange = call.exchange
    if exchange.refused_by == "bank":
        return call.label if call.label not in ("", _OTHER) else str(exchange.status)
    return exchange.code or ("" if exchange.outcome == "answered" else exchange.outcome)


def _failed(call: Finished) -> bool:
    """A refusal below 500 is the caller's failure, and none of a server."""
    return call.exchange.status >= 500 or call.exchange.outcome in ("failed", "cut", "client_gone")


def _method(call: Finished) -> str:
    method = call.exchange.method
    return "_OTHER" if method == _OTHER else method


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)


def _remote(parent: Parent, state: str) -> Context:
    of = SpanContext(int(parent.trace_id, 16), int(parent.span_id, 16), is_remote=True,
                     trace_flags=TraceFlags(parent.flags), trace_state=TraceState.from_header([state]))
    return set_span_in_context(NonRecordingSpan(of), Context())


class _Ids(IdGenerator):
    """Ids were chosen while the call lasted: the log line and the bank know them already."""

    trace_id = 0
    span_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id

    def is_trace_id_random(self) -> bool:
        return True


class _Made(SpanProcessor):
    """Gathers the spans that have ended."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        pass

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)

"""A log line under the names that other programs look for: the Elastic Common Schema, or OpenTelemetry's.

NAMES is the table; docs/operations.md repeats it and a test compares.  A field that is not in it gets the prefix
`signing_proxy.` in both.
"""

from __future__ import annotations

from typing import Final, Literal

LogFormat = Literal["text", "json", "ecs", "otel"]

ECS_VERSION: Final = "8.17.0"
SERVICE: Final = "psd2-signing-proxy"
OWN: Final = "signing_proxy."

NAMES: Final[dict[str, tuple[str, str]]] = {
    "time": ("@timestamp", "timestamp"),
    "level": ("log.level", "severity_text"),
    "event": ("event.action", "event_name"),
    "message": ("message", "body"),
    "exception": ("error.type", "exception.type"),
    "request_id": ("http.request.id", OWN + "request_id"),
    "client": ("client.address", "client.address"),
    "destination": ("destination.address", OWN + "destination"),
    "method": ("http.request.method", "http.request.method"),
    "path": ("url.path", "url.path"),
    "status": ("http.response.status_code", "http.response.status_code"),
    "code": ("error.code", "error.type"),
    "detail": ("error.message", OWN + "detail"),
    "total_ms": ("event.duration", OWN + "total_ms"),
    "request_bytes": ("http.request.body.bytes", "http.request.body.size"),
    "response_bytes": ("http.response.body.bytes", "http.response.body.size"),
    "trace_id": ("trace.id", "trace_id"),
    "span_id": ("span.id", "span_id"),
}
"""Ours -> (ECS, OpenTelemetry)."""

_BESIDE: Final = frozenset(("time", "level", "event", "message", "trace_id", "span_id"))
"""Fields of OpenTelemetry's log record itself; the others are its attributes."""
_SEVERITIES: Final = {"debug": 5, "info": 9, "warning": 13, "error": 17, "critical": 21}
_NANOSECONDS: Final = 1_000_000
_ENDED_WELL: Final = "answered"


def ecs_name(field: str) -> str:
    return NAMES[field][0] if field in NAMES else OWN + field


def otel_name(field: str) -> str:
    return NAMES[field][1] if field in NAMES else OWN + field


def as_ecs(fields: dict[str, object]) -> dict[str, object]:
    """Dotted keys, as ECS logging libraries write them.  total_ms becomes nanoseconds."""
    line: dict[str, object] = {ecs_name(field): value for field, value in fields.items()}
    line.setdefault("message", _sentence(fields))
    total = fields.get("total_ms")
    if isinstance(total, float):
        line["event.duration"] = round(total * _NANOSECONDS)
    if "outcome" in fields:
        well = fields["outcome"] == _ENDED_WELL and "refused_by" not in fields
        line["event.outcome"] = "success" if well else "failure"
    return {**line, "ecs.version": ECS_VERSION, "service.name": SERVICE}


def as_otel(fields: dict[str, object]) -> dict[str, object]:
    """A log record of OpenTelemetry's data model, with attributes and resource as objects in it."""
    level = str(fields.get("level", "info"))
    record: dict[str, object] = {otel_name(field): value for field, value in fields.items() if field in _BESIDE}
    record["severity_text"], record["severity_number"] = level.upper(), _SEVERITIES.get(level, 9)
    record.setdefault("body", _sentence(fields))
    record["attributes"] = {otel_name(field): value for field, value in fields.items() if field not in _BESIDE}
    record["resource"] = {"service.name": SERVICE}
    return record


def _sentence(fields: dict[str, object]) -> str:
    """What a viewer shows of a line that has no message."""
    if "what" in fields:
        return str(fields["what"])
    shown = [fields.get(name) for name in ("method", "path", "status", "outcome", "code")]
    return " ".join([str(value) for value in shown if value not in (None, "")])

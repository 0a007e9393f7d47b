"""Settings of traces, beside what they configure."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

_Ratio = Annotated[float, Meta(ge=0, le=1)]
_Seconds = Annotated[float, Meta(gt=0)]
_Spans = Annotated[int, Meta(ge=1)]
Protocol = Literal["http/protobuf", "grpc"]


class TraceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where spans go.  What is left out is taken from the OTEL_* variables, then from OpenTelemetry's defaults."""

    shorthand: ClassVar[str] = "endpoint"

    endpoint: Annotated[str | None, Meta(description=(
        "`http(s)://host[:port][/base]` of the collector; `/v1/traces` is added for `http/protobuf`. By default "
        "`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` or `OTEL_EXPORTER_OTLP_ENDPOINT`, else this machine, port 4318 "
        "(4317 for `grpc`)."))] = None
    protocol: Annotated[Protocol | None, Meta(description=(
        "How spans travel; by default `OTEL_EXPORTER_OTLP_TRACES_PROTOCOL` or `OTEL_EXPORTER_OTLP_PROTOCOL`, else "
        "`http/protobuf`. `grpc` needs the extra `otel-grpc`."))] = None
    headers_file: Annotated[str | None, Meta(description=(
        "File with headers for the collector, such as its key, one `name: value` a line; by default those of "
        "`OTEL_EXPORTER_OTLP_HEADERS`."))] = None
    ca_file: Annotated[str | None, Meta(description=(
        "PEM file of certificate authorities for the collector's certificate; by default "
        "`OTEL_EXPORTER_OTLP_CERTIFICATE`, else the usual ones."))] = None
    sample_ratio: Annotated[_Ratio | None, Meta(description=(
        "Share of the traces that begin here which are recorded; where the caller sends a trace, its sampled flag "
        "decides. By default what `OTEL_TRACES_SAMPLER` says, else all."))] = None
    service_name: Annotated[str | None, Meta(description=(
        "`service.name` of the spans; by default `OTEL_SERVICE_NAME`, else `psd2-signing-proxy`."))] = None
    propagate: Annotated[bool, Meta(description=(
        "Send the bank a `traceparent` that names our own span, also when the caller sent none; otherwise the caller's "
        "goes out as it came."))] = False
    interval: Annotated[_Seconds, Meta(description="Seconds for which spans are gathered before they are sent.")] = 5.0
    timeout: Annotated[_Seconds | None, Meta(description=(
        "Seconds after which the collector is not tried any more with a batch, whose spans are then dropped; by "
        "default `OTEL_EXPORTER_OTLP_TIMEOUT`, else 10."))] = None
    queue: Annotated[_Spans, Meta(description=(
        "Finished calls that may wait for the collector; the spans of further ones are dropped and counted."))] = 2048
    allow_group_read: Annotated[bool, Meta(description=(
        "Accept a headers file that its group may read, as a Kubernetes `fsGroup` makes it."))] = False

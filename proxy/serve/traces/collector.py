"""The SDK's exporter, made of the settings; what they leave out it takes from the OTEL_* variables itself."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Sequence
from typing import Final

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from proxy.errors import ProxyError
from proxy.keys.guarded import read_public_file, read_secret_file
from proxy.serve.traces.finished import Finished
from proxy.serve.traces.settings import TraceSettings
from proxy.serve.traces.spans import Spans

_PATH: Final = "/v1/traces"
_HEADER = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*[:=][ \t]*([!-~][ -~]*)")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


class Collector:
    """Where spans are sent.  Raises ProxyError: otel_missing, traces_unusable; KeyUnusable of its files."""

    def __init__(self, settings: TraceSettings) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)   # it would log what a collector answers
        headers = _headers(settings)
        if settings.ca_file is not None:
            read_public_file(settings.ca_file)
        try:
            self._exporter = _MAKERS[_protocol(settings)](settings, headers)
            self._spans = Spans(settings)
        except ImportError:
            raise ProxyError("otel_missing", f"for {_protocol(settings)}") from None
        except ProxyError:
            raise
        except Exception as error:      # noqa: BLE001 - of a bad file or variable the SDK raises what it likes
            raise ProxyError("traces_unusable", f"the exporter refuses its settings ({type(error).__name__})") from None

    def send(self, calls: Sequence[Finished]) -> bool:
        return self._exporter.export(self._spans.of(calls)) is SpanExportResult.SUCCESS

    def close(self) -> None:
        self._exporter.shutdown()


def _protocol(settings: TraceSettings) -> str:
    named = [name for name in map(os.environ.get, _PROTOCOLS) if name]
    name = settings.protocol or (named[0] if named else "http/protobuf")
    if name not in _MAKERS:
        raise ProxyError("traces_unusable", "OTEL_EXPORTER_OTLP_PROTOCOL names a protocol that is not spoken here")
    return name


def _headers(settings: TraceSettings) -> dict[str, str]:
    """Empty: those of the variables."""
    if settings.headers_file is None:
        return {}
    text = read_secret_file(settings.headers_file, allow_group_read=settings.allow_group_read).decode("latin-1")
    headers: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _HEADER.fullmatch(line.strip())
        if match is None:
            raise ProxyError("traces_unusable", f"line {number} of headers_file is no 'name: value'")
        headers[match[1].lower()] = match[2]
    return headers


def _over_http(settings: TraceSettings, headers: dict[str, str]) -> SpanExporter:
    import requests
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    session = requests.Session()
    session.trust_env = False           # neither HTTP_PROXY, which may be this proxy, nor .netrc is meant for it
    return OTLPSpanExporter(_with_path(settings.endpoint), certificate_file=settings.ca_file, headers=headers or None,
                            timeout=settings.timeout, session=session)


def _with_path(endpoint: str | None) -> str | None:
    if endpoint is None or endpoint.endswith(_PATH):
        return endpoint
    return endpoint.rstrip("/") + _PATH


def _over_grpc(settings: TraceSettings, headers: dict[str, str]) -> SpanExporter:
    import grpc  # type: ignore[import-not-found,import-untyped,unused-ignore]
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (  # type: ignore[import-not-found,unused-ignore]
        OTLPSpanExporter,
    )

    credentials = None
    if settings.ca_file is not None:
        credentials = grpc.ssl_channel_credentials(read_public_file(settings.ca_file))
    exporter: SpanExporter = OTLPSpanExporter(settings.endpoint, credentials=credentials, headers=headers or None,
                                              timeout=settings.timeout)
    return exporter


_MAKERS: Final[dict[str, Callable[[TraceSettings, dict[str, str]], SpanExporter]]] = {
    "http/protobuf": _over_http, "grpc": _over_grpc}

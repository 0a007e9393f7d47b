"""The traces of one process: the tracer on its calls' path, and the thread that sends what they leave."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Final

from proxy.config.model import Config
from proxy.errors import ProxyError
from proxy.serve.gateway import Gateway
from proxy.serve.telemetry import Telemetry
from proxy.serve.traces.settings import TraceSettings
from proxy.serve.traces.shipping import Shipping
from proxy.serve.traces.tracer import Tracer

if TYPE_CHECKING:
    from proxy.serve.traces.collector import Collector
    from proxy.serve.traces.tracer import Sampler

_LEAST_S: Final = 1.0
_MOST_S: Final = 5.0
"""Seconds for the last spans, whatever is left of the drain."""
_DISABLED: Final = "OTEL_SDK_DISABLED"


class Tracing:
    """Does nothing where none are configured.  Made on the event loop."""

    def __init__(self, config: Config, gateway: Gateway, telemetry: Telemetry) -> None:
        off = os.environ.get(_DISABLED, "").strip().lower() == "true"
        self._settings = None if off else config.traces
        self._tls = frozenset(name for name, listener in config.all_listeners().items() if listener.tls is not None)
        self._gateway = gateway
        self._telemetry = telemetry
        self._shipping: Shipping | None = None

    async def open(self) -> None:
        """Raises ProxyError: otel_missing, traces_unusable; KeyUnusable of its files."""
        settings = self._settings
        if settings is None:
            return
        collector, sampled = await asyncio.to_thread(_load, settings)
        shipping = self._shipping = Shipping(collector.send, collector.close, interval=settings.interval,
                                             queue=settings.queue)
        tracer = self._gateway.tracer = Tracer(shipping.keep, sampled, tls=self._tls)
        self._gateway.propagator = tracer if settings.propagate else None
        self._telemetry.spans.values = shipping.spans

    async def close(self, left: float) -> None:
        """After everything has its record.  left: seconds of the drain."""
        if self._shipping is not None:
            await self._shipping.close(min(_MOST_S, max(_LEAST_S, left)))


def _load(settings: TraceSettings) -> tuple[Collector, Sampler]:
    """Imports the SDK, which takes a while and room that nobody pays who has no traces."""
    try:
        from proxy.serve.traces.collector import Collector
        from proxy.serve.traces.spans import sampler
    except ImportError:
        raise ProxyError("otel_missing") from None
    return Collector(settings), sampler(settings)


def try_traces(settings: TraceSettings) -> None:
    """Whether traces could be sent, without sending any.  Raises as Tracing.open does."""
    collector, _ = _load(settings)
    collector.close()

"""On a call's path: which trace it belongs to, and one entry in the thread's queue when it is over.

Everything else is made of that entry, beside the loop, from the times the call has recorded.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from time import time_ns
from typing import Final

import msgspec

from proxy.core.exchange import Exchange
from proxy.core.message import Field, Request
from proxy.core.signing import Draft
from proxy.core.target import path_of
from proxy.core.trace_context import RANDOM, SAMPLED, Parent, parse, traceparent
from proxy.serve.recording import Recording
from proxy.serve.rulings import Ruling
from proxy.serve.traces.finished import Finished, Trace

Sampler = Callable[[str, Parent | None, str], bool]
"""(trace id, the caller's span, its tracestate) -> whether the spans are recorded."""

_PARENT: Final = b"traceparent"
_STATE: Final = b"tracestate"
_STATE_BYTES: Final = 512
_PATH_BYTES: Final = 600
_NOT_TRIED: Final = "breaker_open"
_UNTRACED: Final = ("CONNECT", "none")


class Tracer:
    """Made on the event loop.  keep: takes a finished call, and may drop it.  tls: names of listeners that speak it."""

    def __init__(self, keep: Callable[[Finished], None], sampled: Sampler, *, tls: frozenset[str]) -> None:
        self._keep = keep
        self._sampled = sampled
        self._tls = tls

    def pass_on(self, draft: Draft) -> Trace:
        """From now on the draft names our client span as its parent, in place of the caller's."""
        trace = self._begin(draft.fields)
        dropped = (_PARENT,) if trace.parent is not None else (_PARENT, _STATE)
        draft.fields = [field for field in draft.fields if field[0] not in dropped]
        value = traceparent(trace.trace_id, trace.client_id, trace.flags).encode()
        draft.fields.append((_PARENT, _PARENT, value))
        return trace

    def over(self, exchange: Exchange, ruling: Ruling | None, recording: Recording | None,
             request: Request | None) -> Exchange:
        """-> the record with its trace.  recording, request: as for a recording.Observer."""
        if recording is not None:
            request = recording.request
        if request is None or exchange.method in _UNTRACED:
            return exchange
        trace = (recording.trace if recording is not None else None) or self._begin(request.fields)
        if trace.flags & SAMPLED:
            self._keep(self._finished(trace, exchange, ruling, recording, request))
        return msgspec.structs.replace(exchange, trace_id=trace.trace_id, span_id=trace.server_id)

    def _begin(self, fields: Sequence[Field]) -> Trace:
        parents = [value for name, _, value in fields if name == _PARENT]
        parent = parse(parents[0].decode("latin-1")) if len(parents) == 1 else None
        state = b",".join(value for name, _, value in fields if name == _STATE) if parent is not None else b""
        text = state.decode("latin-1") if len(state) <= _STATE_BYTES else ""
        made = os.urandom(40).hex()
        trace_id = parent.trace_id if parent is not None else made[:32]
        random = RANDOM if parent is None else parent.flags & RANDOM
        flags = random | (SAMPLED if self._sampled(trace_id, parent, text) else 0)
        return Trace(trace_id, made[32:48], made[48:64], made[64:], flags, parent, text)

    def _finished(self, trace: Trace, exchange: Exchange, ruling: Ruling | None, recording: Recording | None,
                  request: Request) -> Finished:
        signed = failed = asked = False
        status = 0
        upstream = ""
        if recording is not None:
            upstream = recording.route.upstream
            signed = recording.sealed_at > 0 and bool(recording.key)
            failed = not recording.signature
            asked = exchange.sent != "no" or (exchange.outcome == "failed" and exchange.code != _NOT_TRIED)
            status = recording.response.status if recording.response is not None else 0
        scheme = "https" if exchange.form == "connect" or exchange.listener in self._tls else "http"
        return Finished(trace, time_ns(), exchange, path_of(request.target)[:_PATH_BYTES],
                        ruling.label if ruling is not None else "", signed, failed, asked, status, upstream, scheme)

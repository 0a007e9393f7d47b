"""What the thread gets to know of a call: no header, no body, no query, and of the path what hides its ids."""

from __future__ import annotations

from typing import NamedTuple

from proxy.core.exchange import Exchange
from proxy.core.trace_context import Parent


class Trace(NamedTuple):
    """Where a call's spans stand.  Ids as in Parent.  server_id, signing_id, client_id: of our spans.

    state: the caller's tracestate.  flags: those of our spans.
    """

    trace_id: str
    server_id: str
    signing_id: str
    client_id: str
    flags: int
    parent: Parent | None
    state: str


class Finished(NamedTuple):
    """A call that is over.  ended: nanoseconds since 1970.

    path: without query, longer than any template looks at.  label: the bank's code where it is one that we know.
    signed: whether the key was asked, and failed whether it made no signature.
    asked: whether the bank was, or at least called.
    bank_status: of the answer the bank gave; 0 for none.  upstream: host:port.  scheme: of the caller's URL.
    """

    trace: Trace
    ended: int
    exchange: Exchange
    path: bytes
    label: str
    signed: bool
    failed: bool
    asked: bool
    bank_status: int
    upstream: str
    scheme: str

    @property
    def spans(self) -> int:
        return 1 + self.signed + self.asked

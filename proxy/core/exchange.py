"""The record of one call, made once when it is over; the log line, the metrics and the diagnosis all read it."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

Form = Literal["", "absolute", "connect", "replay"]
Outcome = Literal["answered", "refused", "failed", "client_gone", "cut"]

_SPECIFIC = re.compile(rb"[0-9@%]")
_LOGGED = 512
"""Bytes of a path that are looked at for the log; a longer one ends in "…"."""


class Timings(msgspec.Struct, frozen=True):
    """Seconds.  queue: until a connection was free.  sign: key operation.  upstream: from the write to the answer's
    head.  total: from the complete request to the last byte of the answer."""

    queue: float = 0.0
    sign: float = 0.0
    upstream: float = 0.0
    total: float = 0.0


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One call from the complete request to its end.

    refused_by: "proxy" for our own error answers, "bank" for its 4xx and 5xx, "" otherwise.  code: our stable code or
    the bank's.  sent: whether the bank may have received the request.  form: how the caller asked: "" for a request to
    the proxy itself, "absolute" and "connect" for one through it (RFC 9112 section 3.2), "replay" for one that the
    inspector sends again.  destination: host:port of what is none of the banks, and policy: what the rule for it says.
    client_name: from the client's certificate.  trace_id, span_id: of our server span, where traces are on.
    """

    request_id: str
    client: str
    client_name: str = ""
    listener: str
    form: Form = ""
    destination: str = ""
    policy: str = ""
    route: str
    application: str
    method: str
    path: str
    status: int
    outcome: Outcome
    refused_by: str = ""
    code: str = ""
    detail: str = ""
    sent: Literal["no", "maybe", "yes"] = "no"
    attempts: int = 0
    request_bytes: int = 0
    response_bytes: int = 0
    key: str = ""
    notes: tuple[str, ...] = ()
    traceparent: str = ""
    trace_id: str = ""
    span_id: str = ""
    bank_id: str = ""
    bank_message_id: str = ""
    timings: Timings = Timings()


def path_template(path: bytes) -> str:
    """The path with identifying segments replaced by "*": account numbers are personal data.

    A segment counts as identifying when it has four or more bytes and a digit, "@" or "%" among them; versions such as
    "v5" stay.
    """
    segments = [b"*" if len(segment) >= 4 and _SPECIFIC.search(segment) else segment
                for segment in path[:_LOGGED].split(b"/")]
    return b"/".join(segments).decode("latin-1") + ("…" if len(path) > _LOGGED else "")


def path_in_full(path: bytes) -> str:
    """The path as it came, cut where it is too long for a log line."""
    return path[:_LOGGED].decode("latin-1") + ("…" if len(path) > _LOGGED else "")

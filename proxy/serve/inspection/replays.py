"""Sends a kept request again: through the gateway, as any caller's, so that every rule holds and it is signed anew.

What was masked is not there any more: whoever replays gives the access token again, and a request whose body or URL
is not whole cannot be sent.  Only GET and HEAD go without a word: for all others the order must say that the bank may
act twice.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any, Final, Protocol

import msgspec

from proxy.core.headers import FRAMING, HOP_BY_HOP
from proxy.core.message import Field, Request
from proxy.core.redaction import MASK
from proxy.errors import Refused
from proxy.serve.inside import Inside
from proxy.serve.inspection.developing import Replayed
from proxy.serve.inspection.kept import Asked, Kept
from proxy.serve.inspection.messages import text
from proxy.serve.inspection.views import why_not_replayable
from proxy.wire.application import Answer, Caller

log = logging.getLogger(__name__)

SAFE: Final = frozenset(("GET", "HEAD"))
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}")
_VALUE = re.compile(r"[\x21-\x7e\x80-\xff](?:[\x20-\x7e\x80-\xff]{0,8190}[\x21-\x7e\x80-\xff])?")


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """id: of the exchange.  again: the method, as a sign that whoever asks knows that the bank may act twice; not
    needed for GET and HEAD.  headers: values of headers that were masked, by name."""

    id: int
    again: str = ""
    headers: dict[str, str] = {}


class Gateway(Protocol):
    def repeat(self, caller: Caller, request: Request) -> None:
        """Raises Refused."""


class _Again(Inside):
    form = "replay"


class Repeater:
    """In place of a caller's connection: nobody waits for the answer, which is seen in the inspector.

    Implements wire.application.Caller.
    """

    def __init__(self, peer: str, listener: str) -> None:
        self.peer = peer
        self.listener = listener
        self.inside: Any = _Again()
        self.call: Any = None
        self.sent = self.left = False

    def start(self, line: bytes, fields: bytes, *, unframed: bool) -> None:
        self.sent = True

    def body(self, data: bytes) -> None: ...
    def flush(self) -> None: ...
    def finish(self) -> None: ...
    def abort(self) -> None: ...
    def answer(self, own: Answer) -> None: ...


def replay(call: Kept, order: Order, gateway: Gateway, peer: str) -> None:
    """peer: the address of who asked.  Raises Refused, also for what the proxy itself would refuse."""
    reason = why_not_replayable(call)
    asked = call.asked
    if reason or asked is None:
        raise Refused("not_replayable", reason)
    method = text(asked.method)
    if method not in SAFE and order.again != method:
        raise Refused("replay_unconfirmed")
    request = Request(asked.method, asked.target, fields_of(asked, order.headers), asked.body.data,
                      authority=_authority(asked))
    log.info("the inspector sends request %s again (%s)", call.exchange.request_id, method)
    gateway.repeat(Repeater(peer, call.exchange.listener), Replayed(request, call.id))


def fields_of(asked: Asked, given: Mapping[str, str]) -> list[Field]:
    """What the caller sent, less what was for the proxy; masked values as they are given, or not at all.

    Raises Refused("malformed_request").
    """
    values = {name.lower().encode("latin-1"): value.encode("latin-1") for name, value in _checked(given).items()}
    fields = []
    for name, spelled, value in asked.fields:
        if name in HOP_BY_HOP or name in FRAMING:
            continue
        if MASK.search(text(value)) is None:
            fields.append((name, spelled, value))
        elif name in values:
            fields.append((name, spelled, values.pop(name)))
    if b"authorization" in values:
        fields.append((b"authorization", b"Authorization", values[b"authorization"]))
    return fields


def _checked(given: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in given.items():
        if _NAME.fullmatch(name) is None or _VALUE.fullmatch(value) is None:
            raise Refused("malformed_request", "a header that was given again is not one")
    return given


def _authority(asked: Asked) -> bytes:
    return next((value for name, _, value in asked.fields if name == b"host"), b"")

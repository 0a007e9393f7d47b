"""What the lines say.  The event loop only keeps references; text is made of them in the scribe's thread."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Protocol

import msgspec

FIELDS = (
    "seq", "prev", "time", "event", "call", "attempt", "request_id", "client", "client_name", "token", "listener",
    "form", "route", "application", "method", "path", "digest", "covered", "key", "certificate", "status", "outcome",
    "refused_by", "code", "sent", "bank_id", "bank_message_id")
"""Of lines about requests, in order; an empty one is left out.  docs/audit.md says what each means."""


class Entry(Protocol):
    """Something that becomes a line."""

    @property
    def kind(self) -> str:
        """intent, outcome or own."""

    def encode(self, run: str) -> bytes:
        """The line's fields but for seq and prev, as a JSON object.  run: names this process in the trail."""


class _Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    time: str
    event: str
    call: str
    attempt: int
    request_id: str
    client: str = ""
    client_name: str = ""
    token: int = 0
    listener: str = ""
    form: str = ""
    route: str = ""
    application: str = ""
    method: str = ""
    path: str = ""
    digest: str = ""
    covered: str = ""
    key: str = ""
    certificate: str = ""
    status: int = 0
    outcome: str = ""
    refused_by: str = ""
    code: str = ""
    sent: str = ""
    bank_id: str = ""
    bank_message_id: str = ""


class Intent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A signature that is about to be made.  at: seconds since 1970.  call: the same for all attempts of one call.

    token: number of the client token's line in its file, 0 for none.  path: template.  key: hex SHA-256 of its public
    half.  certificate: serial, hex.
    """

    at: float
    call: int
    attempt: int
    request_id: str
    client: str
    client_name: str
    token: int
    listener: str
    form: str
    route: str
    application: str
    method: str
    path: str
    digest: bytes
    covered: tuple[bytes, ...]
    key: str
    certificate: str

    @property
    def kind(self) -> str:
        return "intent"

    def encode(self, run: str) -> bytes:
        return msgspec.json.encode(self.line(run, "intent", self.at))

    def line(self, run: str, event: str, at: float, /, **more: object) -> _Line:
        return _Line(
            time=moment(at), event=event, call=f"{run}-{self.call}", attempt=self.attempt, request_id=self.request_id,
            client=self.client, client_name=self.client_name, token=self.token, listener=self.listener, form=self.form,
            route=self.route, application=self.application, method=self.method, path=self.path,
            digest=self.digest.decode("latin-1"), covered=b" ".join(self.covered).decode("latin-1"), key=self.key,
            certificate=self.certificate, **more)  # type: ignore[arg-type]


class Outcome(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How a call ended.  intent: the last one."""

    at: float
    intent: Intent
    status: int
    outcome: str
    refused_by: str
    code: str
    sent: str
    bank_id: str
    bank_message_id: str

    @property
    def kind(self) -> str:
        return "outcome"

    def encode(self, run: str) -> bytes:
        return msgspec.json.encode(self.intent.line(
            run, "outcome", self.at, status=self.status, outcome=self.outcome, refused_by=self.refused_by,
            code=self.code, sent=self.sent, bank_id=self.bank_id, bank_message_id=self.bank_message_id))


class Mark(msgspec.Struct, frozen=True, gc=False):
    """A line of the trail about itself: opened, closed, torn, recovered, pruned."""

    at: float
    event: str
    fields: Mapping[str, object]

    @property
    def kind(self) -> str:
        return "own"

    def encode(self, run: str) -> bytes:
        return msgspec.json.encode({"time": moment(self.at), "event": self.event, "run": run, **self.fields})


def moment(at: float) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03d}Z"

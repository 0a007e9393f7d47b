"""Told of every call that is over; says why when the bank has refused it.

A storm of refusals is diagnosed call by call, as each may have a reason of its own, but logged once a minute for each
route and cause.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from proxy.core.diagnosis import Case, Diagnosis, diagnose
from proxy.core.diagnosis.kinds import kind_of
from proxy.core.exchange import Exchange, path_template
from proxy.core.message import Request
from proxy.core.target import path_of
from proxy.serve.counts import Counts
from proxy.serve.diagnosing.facts import case_of
from proxy.serve.diagnosing.history import Tracks
from proxy.serve.logline import timestamp
from proxy.serve.recording import Recording
from proxy.serve.rulings import Ruling, ruling_of
from proxy.serve.telemetry import method_label

log = logging.getLogger(__name__)

QUIET: Final = 60.0
"""Seconds between two log lines about the same cause on the same route."""

_HINT: Final = 1000


class Log(Protocol):
    """Where lines go."""

    def event(self, fields: dict[str, object]) -> None: ...


class _Standing:
    """The last diagnosis of one route, for /status."""

    __slots__ = ("accepted", "count", "diagnosis", "last", "since", "who")

    def __init__(self, diagnosis: Diagnosis, since: float) -> None:
        self.diagnosis = diagnosis
        self.since = self.last = since
        self.count = 0
        self.accepted = False
        self.who: dict[str, str] = {}


class Diagnoses:
    """Implements serve.recording.Observer.  clock: seconds since the epoch."""

    keep = 0

    def __init__(self, counts: Counts, log: Callable[[], Log | None], clock: Callable[[], float] = time.time) -> None:
        """counts: by route and cause.  log: where lines go now; None where nothing is to be said."""
        self._counts = counts
        self._log = log
        self.clock = clock
        self._tracks = Tracks()
        self._standing: dict[str, _Standing] = {}
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def over(self, exchange: Exchange, ruling: Ruling | None, recording: Recording | None,
             request: Request | None) -> None:
        if recording is None:
            return
        if exchange.refused_by:
            if ruling is not None and exchange.refused_by == "bank":
                self._refused(exchange, recording, ruling)
        elif exchange.outcome == "answered":
            track = self._tracks.get(exchange.route) or self._tracks.of(recording)
            if track.rows and exchange.route in self._standing:
                self._standing[exchange.route].accepted = True
            track.accept(recording)

    def _refused(self, exchange: Exchange, recording: Recording, ruling: Ruling) -> None:
        diagnosis = recording.diagnosis or self._diagnose(recording, ruling)
        if diagnosis is not None:
            self._tell(exchange, diagnosis)

    def hint(self, recording: Recording, body: bytes) -> bytes:
        """The header field that tells the caller, with its line end; b"" where there is nothing to tell.

        recording.response is a refusal, body the whole of its body.
        """
        assert recording.response is not None
        diagnosis = self._diagnose(recording, ruling_of(recording.response, body), body)
        if diagnosis is None:
            return b""
        cause = diagnosis.cause
        texts = {"what": cause.title, "evidence": diagnosis.evidence, "do": cause.advice}
        told = "; ".join((cause.id, f"side={cause.side}", f"certainty={diagnosis.first.certainty}",
                          *(f'{name}="{_quoted(text)}"' for name, text in texts.items() if text)))
        return b"Signing-Proxy-Hint: %b\r\n" % told.encode("ascii", "replace")

    def _diagnose(self, recording: Recording, ruling: Ruling, body: bytes | None = None) -> Diagnosis | None:
        response = recording.response
        if response is None or kind_of(ruling.code, response.status) is None:
            return None
        answer = body if body is not None else bytes(recording.answer or b"")
        try:
            recording.case = self._case(recording, ruling, answer)
            recording.diagnosis = diagnose(recording.case)
        except Exception as error:      # noqa: BLE001 - a fault of the explanation must not cost the caller its answer
            log.error("a refusal could not be diagnosed (%s)", type(error).__name__)  # noqa: TRY400 - no traceback
        return recording.diagnosis

    def _case(self, recording: Recording, ruling: Ruling, answer: bytes) -> Case:
        now, request = self.clock(), recording.request
        call = (method_label(request.method), path_template(path_of(request.target)))
        return case_of(recording, ruling, answer, self._tracks.refused(recording, ruling, call, now), now)

    # --- where it is shown

    def _tell(self, exchange: Exchange, diagnosis: Diagnosis) -> None:
        cause, now = diagnosis.first.cause, self.clock()
        self._counts.add((exchange.route, cause))
        standing = self._standing.get(exchange.route)
        if standing is None or standing.diagnosis.first.cause != cause or standing.accepted:
            standing = self._standing[exchange.route] = _Standing(diagnosis, now)
        standing.diagnosis, standing.last = diagnosis, now
        standing.count += 1
        standing.who = {"request_id": exchange.request_id, "method": exchange.method, "path": exchange.path,
                        "bank_message_id": exchange.bank_message_id, "bank_id": exchange.bank_id}
        self._say(exchange, diagnosis, now)

    def _say(self, exchange: Exchange, diagnosis: Diagnosis, now: float) -> None:
        key = (exchange.route, diagnosis.first.cause)
        last, unsaid = self._said.get(key, (0.0, 0))
        lines = self._log()
        if lines is None:
            return
        if now - last < QUIET:
            self._said[key] = (last, unsaid + 1)
            return
        self._said[key] = (now, 0)
        lines.event({
            "level": "warning", "event": "diagnosis", "request_id": exchange.request_id, "route": exchange.route,
            "application": exchange.application, "method": exchange.method, "path": exchange.path,
            "status": exchange.status, **diagnosis.told(), **({"unsaid": unsaid} if unsaid else {}),
            **{name: value for name in ("bank_id", "bank_message_id") if (value := getattr(exchange, name))}})

    def report(self) -> Mapping[str, Any]:
        """By route: the last diagnosis.  accepted_since: whether a call was accepted after it."""
        return {route: {**one.diagnosis.document(), "since": timestamp(one.since), "last": timestamp(one.last),
                        "count": one.count, "accepted_since": one.accepted,
                        **{name: value for name, value in one.who.items() if value}}
                for route, one in self._standing.items()}


def _quoted(text: str) -> str:
    """For a quoted string in a header (RFC 9110 section 5.6.4)."""
    return text.replace("…", "...").replace("\\", "").replace('"', "'")[:_HINT]

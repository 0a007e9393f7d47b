"""Makes trails on disk, as the proxy's own scribe writes them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from proxy.audit.entries import Intent, Outcome
from proxy.audit.reading import find
from proxy.audit.scribe import Scribe
from proxy.audit.settings import AuditSettings
from proxy.audit.verification import Report, verify


def intent(call: int, attempt: int = 1) -> Intent:
    return Intent(
        at=1790000000.25 + call, call=call, attempt=attempt, request_id=f"r{call}", client="127.0.0.1", client_name="",
        token=0, listener="main", form="", route="nordea", application="shop", method="POST", path="/v4/payments",
        digest=b"SHA-256=" + b"x" * 43 + b"=", covered=(b"(request-target)", b"digest"), key="ab" * 32,
        certificate="1f")


def outcome(call: int, sent: str = "yes") -> Outcome:
    return Outcome(at=1790000001.0 + call, intent=intent(call), status=201, outcome="answered", refused_by="", code="",
                   sent=sent, bank_id=f"b{call}", bank_message_id="")


class Clock:
    """Both clocks of a scribe; it goes forward when it is told to."""

    def __init__(self) -> None:
        self.now = 1790000000.0

    def __call__(self) -> float:
        return self.now


def scribe(path: Path, run: str = "run", clock: Callable[[], float] = time.time,
           ticks: Callable[[], float] | None = None, **settings: Any) -> Scribe:
    return Scribe(AuditSettings(**{"file": str(path), "fsync": "never", **settings}), run, clock=clock,
                  ticks=ticks or clock)


@contextmanager
def opened(path: Path, *more: Any, **settings: Any) -> Iterator[Scribe]:
    """One process's time with the trail."""
    writer = scribe(path, *more, **settings)
    writer.open(version="1")
    yield writer
    writer.close(unwritten=0)


def write(path: Path, calls: range, **settings: Any) -> None:
    """One process that signs for these calls, one batch a line."""
    with opened(path, **settings) as writer:
        for call in calls:
            writer.write([intent(call)])
            writer.write([outcome(call)])


def judged(path: Path, *anchors: Any, **how: Any) -> Report:
    return verify(find([path]), anchors, **how)

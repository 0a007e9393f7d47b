"""One line per request, from its Exchange alone, written by a thread so that a full pipe cannot stop the loop.

The program's own messages go the same way and keep their place among them.  Lines are handed over
every 50 ms; at most 10,000 wait, beyond that they are dropped and counted.  A SIGKILL loses what was not handed over.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Protocol

import msgspec

from proxy.core.exchange import Exchange
from proxy.core.trace_context import parse
from proxy.errors import PROBLEMS
from proxy.serve.logforms import LogFormat, as_ecs, as_otel

_EVERY = 0.05
_WAITING = 10_000
_LAST_WORDS = 1.0

FIELDS = ("time", "level", "event", "request_id", "client", "client_name", "listener", "form", "destination", "policy",
          "route", "application", "method", "path", "status", "outcome", "refused_by", "code", "detail", "hint", "sent",
          "attempts", "total_ms", "queue_ms", "sign_ms", "upstream_ms", "request_bytes", "response_bytes", "key",
          "notes", "traceparent", "trace_id", "span_id", "bank_id", "bank_message_id")
"""In the order they are written; an empty one is left out.  docs/operations.md says what each means."""


DIAGNOSIS_FIELDS = ("time", "level", "event", "request_id", "route", "application", "method", "path", "status", "code",
                    "cause", "certainty", "side", "what", "evidence", "todo", "others", "unsaid", "bank_id",
                    "bank_message_id")
"""The same for event=diagnosis."""

_BEFORE_STATUS = ("request_id", "client", "client_name", "listener", "form", "destination", "policy", "route",
                  "application", "method", "path")
_AFTER_STATUS = ("outcome", "refused_by", "code", "detail")
_AFTER_HINT = ("sent", "attempts")
_AFTER_TIMES = ("request_bytes", "response_bytes", "key", "notes", "traceparent")
_AFTER_TRACE = ("bank_id", "bank_message_id")
_PLAIN = re.compile(r"[!#-<>-~]+").fullmatch
_Waiting = tuple[float, Exchange | dict[str, object]] | bytes


def describe(exchange: Exchange) -> dict[str, object]:
    """The fields of one line, in the order of FIELDS; what is empty is left out."""
    fields: dict[str, object] = {"level": "info" if went_well(exchange) else "warning", "event": "request"}
    _add(fields, exchange, _BEFORE_STATUS)
    fields["status"] = exchange.status
    _add(fields, exchange, _AFTER_STATUS)
    if exchange.refused_by == "proxy":
        fields["hint"] = PROBLEMS[exchange.code].hint
    _add(fields, exchange, _AFTER_HINT)
    timings = exchange.timings
    for name, seconds in (("total_ms", timings.total), ("queue_ms", timings.queue), ("sign_ms", timings.sign),
                          ("upstream_ms", timings.upstream)):
        if seconds:
            fields[name] = round(seconds * 1000, 3)
    _add(fields, exchange, _AFTER_TIMES)
    _trace(fields, exchange)
    _add(fields, exchange, _AFTER_TRACE)
    return fields


def _trace(fields: dict[str, object], exchange: Exchange) -> None:
    """Our own span where there is one, else the caller's."""
    if exchange.trace_id:
        fields["trace_id"], fields["span_id"] = exchange.trace_id, exchange.span_id
    elif exchange.traceparent and (parent := parse(exchange.traceparent)) is not None:
        fields["trace_id"], fields["span_id"] = parent.trace_id, parent.span_id


def went_well(exchange: Exchange) -> bool:
    """Whether nobody has to look at it: its line is of level info."""
    return exchange.outcome == "answered" and exchange.status < 500 and exchange.policy != "report"


def _add(fields: dict[str, object], exchange: Exchange, names: tuple[str, ...]) -> None:
    for name in names:
        value = getattr(exchange, name)
        if value:
            fields[name] = ",".join(value) if name == "notes" else value


def as_text(fields: dict[str, object]) -> str:
    """key=value, quoted where needed, so that a person and a grep can read it."""
    return " ".join([f"{key}={value if _PLAIN(text := str(value)) else _quoted(text)}"
                     for key, value in fields.items()])


def _quoted(text: str) -> str:
    """As a JSON string; nothing in it is a command to a terminal, such as 0x9b, or a line break to a reader."""
    if text.isprintable():
        return msgspec.json.encode(text).decode()
    return json.dumps(text).replace("\x7f", "\\u007f")


def written(fields: dict[str, object], form: LogFormat) -> bytes:
    """One line, without its end."""
    if form == "text":
        return as_text(fields).encode()
    if form == "ecs":
        fields = as_ecs(fields)
    elif form == "otel":
        fields = as_otel(fields)
    return msgspec.json.encode(fields)


class RequestLog(Protocol):
    """Where the line of a request goes."""

    def record(self, exchange: Exchange) -> None: ...


class LogLines:
    """The writer.  Made on the loop; close() when it ends; record() is cheap.

    The thread is a daemon: when nobody reads the log any more, the process ends all the same.
    """

    def __init__(self, write: Callable[[bytes], object] | None = None, *, form: LogFormat) -> None:
        """write: takes whole lines and may block; by default standard error."""
        self._write = write or to_stderr
        self._form = form
        self._waiting: deque[_Waiting] = deque()
        self._batches: SimpleQueue[deque[_Waiting] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self.dropped = 0

    def record(self, exchange: Exchange) -> None:
        self._keep((time.time(), exchange))
        if self._timer is None:
            self._schedule()

    def event(self, fields: dict[str, object]) -> None:
        """A line about something else than a request that is over; the time is added."""
        self._keep((time.time(), fields))
        self._schedule()

    def message(self, line: str) -> None:
        """A line of the program's own; from any thread."""
        self._keep(line.encode("utf-8", "replace") + b"\n")
        with contextlib.suppress(RuntimeError):     # the loop has ended, and with it the log
            self._loop.call_soon_threadsafe(self._schedule)

    def _keep(self, line: _Waiting) -> None:
        if len(self._waiting) >= _WAITING:
            self.dropped += 1
        else:
            self._waiting.append(line)

    def _schedule(self) -> None:
        if self._timer is None and not self._closed:
            self._timer = self._loop.call_later(_EVERY, self._hand_over)

    def _hand_over(self) -> None:
        self._timer = None
        if not self._waiting:
            return
        if not self._idle.is_set():
            self._schedule()
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="log", daemon=True)
            self._thread.start()
        batch, self._waiting = self._waiting, deque()
        self._idle.clear()
        self._batches.put(batch)

    def _work(self) -> None:
        while (batch := self._batches.get()) is not None:
            try:
                self._write(b"".join([line if isinstance(line, bytes) else self._line(*line) for line in batch]))
            except (OSError, ValueError):
                self.dropped += len(batch)      # nobody is left to tell: the log itself cannot be written
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._idle.set)

    def _line(self, when: float, what: Exchange | dict[str, object]) -> bytes:
        fields = {"time": timestamp(when), **(what if isinstance(what, dict) else describe(what))}
        return written(fields, self._form) + b"\n"

    async def close(self) -> None:
        """Writes what waits, for at most a second: a log that nobody reads does not keep the process."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS):
                await self._idle.wait()
                self._hand_over()
                await self._idle.wait()
        self._batches.put(None)


class OnlyWarnings:
    """The lines of requests that went wrong, for a log that is to say no more."""

    def __init__(self, lines: RequestLog) -> None:
        self._lines = lines

    def record(self, exchange: Exchange) -> None:
        if not went_well(exchange):
            self._lines.record(exchange)


def to_stderr(data: bytes) -> None:
    """Past the interpreter's buffer, whose lock a blocked thread would hold while the interpreter ends."""
    view = memoryview(data)
    while view:
        view = view[os.write(2, view):]


def timestamp(when: float) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(when)) + f".{int(when % 1 * 1000):03d}Z"


class Messages(logging.Handler):
    """Gives the program's own messages to LogLines while one runs, and to stderr before and after."""

    lines: LogLines | None = None

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        if self.lines is not None:
            self.lines.message(text)
        else:
            sys.stderr.write(text + "\n")


class LineFormatter(logging.Formatter):
    """The program's own messages in the same shape as request lines; an exception shows its type, never its text."""

    def __init__(self, form: LogFormat) -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {"time": timestamp(record.created), "level": record.levelname.lower(),
                                     "event": "message", "message": record.getMessage()}
        if record.exc_info and record.exc_info[0] is not None:
            fields["exception"] = record.exc_info[0].__name__
        return written(fields, self._form).decode()

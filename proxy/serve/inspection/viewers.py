"""Live updates: server-sent events to the pages that are open, none of which can hold up a call or another page.

A page that reads slowly has its events queued up to a bound; beyond it they are dropped, and it is told to fetch the
list again when it reads on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final

import msgspec

from proxy.errors import Refused
from proxy.serve.inspection.kept import Kept
from proxy.serve.inspection.views import summary
from proxy.wire.connection import Connection

MOST: Final = 8
"""Pages at a time."""
_QUEUE: Final = 262144
"""Bytes that wait for one page."""
_BEAT: Final = 15.0
"""Seconds between signs of life, so that a page sees when the proxy has gone."""
_FIELDS: Final = (b"Content-Type: text/event-stream\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n")
_LOST: Final = b"event: lost\ndata: {}\n\n"


class Viewers:
    """Implements tape.Audience.  Made on the event loop."""

    def __init__(self) -> None:
        self._viewers: set[Viewer] = set()
        self._beat: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def __len__(self) -> int:
        return len(self._viewers)

    def viewer(self) -> Viewer:
        """Raises Refused("overloaded")."""
        if len(self._viewers) >= MOST:
            raise Refused("overloaded", f"{MOST} pages of the inspector are open; close one")
        return Viewer(self)

    def add(self, viewer: Viewer) -> None:
        self._viewers.add(viewer)
        if self._beat is None:
            self._beat = self._loop.call_later(_BEAT, self._on_beat)

    def remove(self, viewer: Viewer) -> None:
        self._viewers.discard(viewer)

    def _on_beat(self) -> None:
        self._beat = self._loop.call_later(_BEAT, self._on_beat) if self._viewers else None
        self._tell(b": alive\n\n")

    def show(self, calls: Sequence[Kept]) -> None:
        if self._viewers and calls:
            self._tell(event("calls", [summary(call) for call in calls]))

    def cleared(self) -> None:
        """The store is empty now."""
        self._tell(event("cleared", {}))

    def _tell(self, data: bytes) -> None:
        for viewer in list(self._viewers):
            viewer.tell(data)

    def close(self) -> None:
        if self._beat is not None:
            self._beat.cancel()
        for viewer in list(self._viewers):
            viewer.end()


class Viewer:
    """One page's stream.  Implements serve.admin.Stream."""

    def __init__(self, viewers: Viewers) -> None:
        self._viewers = viewers
        self._connection: Connection | None = None
        self._paused = self._lost = False
        self._queue: deque[bytes] = deque()
        self._queued = 0

    def begin(self, connection: Connection) -> None:
        self._connection = connection
        self._viewers.add(self)
        connection.start(b"200 OK", _FIELDS, unframed=True)
        self.tell(event("open", {}))

    def tell(self, data: bytes) -> None:
        connection = self._connection
        if connection is None:
            return
        if not self._paused:
            connection.body(data)
            connection.flush()
        elif self._queued + len(data) > _QUEUE:
            self._queue.clear()
            self._queued, self._lost = 0, True
        elif not self._lost:
            self._queue.append(data)
            self._queued += len(data)

    def end(self) -> None:
        connection, self._connection = self._connection, None
        self._viewers.remove(self)
        if connection is not None:
            connection.finish()

    # --- the page's side

    def gone(self) -> None:
        self._connection = None
        self._viewers.remove(self)

    def half_closed(self) -> None:
        """A page that sends no more may still read; a browser that leaves closes altogether."""

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        waiting = [_LOST] if self._lost else list(self._queue)
        self._queue.clear()
        self._queued, self._lost = 0, False
        for data in waiting:
            self.tell(data)


def event(name: str, value: object) -> bytes:
    """JSON has no line feeds, so it is one line of data."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(value))

"""Watches calls end and keeps the last of them: a few references while callers wait, the work in a thread.

What was observed waits raw for three seconds at most, longest while nobody looks, and of a burst only as many calls as
will be kept.  Then a thread makes of each what has no secret in it, and the raw part is gone.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from time import time
from typing import Final, Protocol

from proxy.core.exchange import Exchange
from proxy.core.message import Request
from proxy.core.redaction import Known
from proxy.serve.inspection.developing import Developer, Raw
from proxy.serve.inspection.kept import Kept
from proxy.serve.inspection.store import Store
from proxy.serve.recording import Recording
from proxy.serve.rulings import Ruling

log = logging.getLogger(__name__)

WATCHED: Final = 0.1
BUSY: Final = 1.0
UNWATCHED: Final = 3.0
"""Seconds that raw calls wait for the thread: while a page is open, while many come, and while nobody looks.

The thread works on as many calls as are kept at a time: the longer it waits, the less a call costs of many."""
_MANY: Final = 20
_HEADS = 4096
"""Bytes that a raw call takes up beside its bodies, about."""


class Audience(Protocol):
    """Who sees calls as they come."""

    def __len__(self) -> int: ...
    def show(self, calls: Sequence[Kept]) -> None: ...


class Spool(Protocol):
    def write(self, calls: Sequence[Kept]) -> None:
        """Called in a thread, by one at a time.  Never raises."""


class Tape:
    """Implements recording.Observer.  Made on the event loop.  keep: bytes of each body."""

    def __init__(self, store: Store, audience: Audience, secrets: Callable[[], Iterable[bytes]], *, body_bytes: int,
                 shown: frozenset[bytes] = frozenset(), spool: Spool | None = None) -> None:
        """secrets: values that are masked wherever they stand.  shown: further headers that may be read."""
        self.keep = body_bytes
        self._store = store
        self._audience = audience
        self._secrets = secrets
        self._shown = shown
        self._spool = spool
        self._tag_key = os.urandom(16)
        self._harmless: set[bytes] = set()
        self._raw: deque[Raw] = deque()
        self._raw_bytes = self._count = 0
        self._many = False
        self._timer: asyncio.TimerHandle | None = None
        self._developing: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()

    # --- on a call's path

    def over(self, exchange: Exchange, ruling: Ruling | None, recording: Recording | None,
             request: Request | None) -> None:
        weight = _HEADS
        asked = sent = 0
        if recording is not None:
            request = recording.request
            asked = sent = recording.size
            if recording.answer is not None:
                weight += len(recording.answer)
        if request is not None and request.body:
            asked, sent = self._shorten(request, recording)
            weight += min(asked, self.keep)
        self._count += 1
        self._raw.append(Raw(self._count, time(), exchange, recording, request, asked, sent, weight))
        self._raw_bytes += weight
        if len(self._raw) > self._store.most or self._raw_bytes > self._store.most_bytes:
            self._raw_bytes -= self._raw.popleft().weight
        if self._timer is None:
            wait = UNWATCHED if not self._audience else BUSY if self._many else WATCHED
            self._timer = self._loop.call_later(wait, self._due)

    def _shorten(self, request: Request, recording: Recording | None) -> tuple[int, int]:
        """Lets go of what will not be kept of a body that nobody needs any more; -> its sizes as asked and as sent."""
        draft = recording.draft if recording is not None else None
        body = request.body
        sent = draft.body if draft is not None else b""
        if len(body) > self.keep:
            request.body = body[:self.keep]
        if draft is not None and len(sent) > self.keep:
            draft.body = request.body if sent is body else sent[:self.keep]
        return len(body), len(sent)

    # --- beside it

    def _due(self) -> None:
        self._timer = None
        if self._developing is None:
            self._developing = self._loop.create_task(self._develop())
        else:
            self._timer = self._loop.call_later(WATCHED, self._due)

    async def _develop(self) -> None:
        raw, self._raw, self._raw_bytes = self._raw, deque(), 0
        self._many = len(raw) > _MANY
        try:
            developer = Developer(Known(self._tag_key, self._secrets(), self._harmless), self._shown, self.keep)
            calls = await asyncio.to_thread(self._work, developer, raw)
            self._store.add(calls)
            self._audience.show(calls)
        except Exception as error:      # noqa: BLE001 - whatever becomes of the inspector, calls go on
            log.error("the inspector lost %d calls (%s)", len(raw), type(error).__name__)  # noqa: TRY400
        finally:
            self._developing = None

    def _work(self, developer: Developer, batch: deque[Raw]) -> list[Kept]:
        calls = []
        while batch:
            try:
                calls.append(developer.develop(batch.popleft()))
            except Exception as error:      # noqa: BLE001 - one call that cannot be shown must not hide the others
                log.error("the inspector could not keep a call (%s)", type(error).__name__)  # noqa: TRY400
        if self._spool is not None:
            self._spool.write(calls)
        return calls

    async def settle(self) -> None:
        """Once every call that is over by now can be seen."""
        while self._developing is not None or self._raw:
            if self._developing is None:
                self._developing = self._loop.create_task(self._develop())
            await asyncio.shield(self._developing)

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._developing is not None:
            await asyncio.gather(self._developing, return_exceptions=True)

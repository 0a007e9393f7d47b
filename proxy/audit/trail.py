"""The event loop's side of the audit trail: it hands lines over and is told when they are on record, and never waits.

One thread takes whatever has gathered as one batch, so that a slow disk makes batches longer and not the loop slower.
What could not be written is kept and tried again, as far as there is room; nobody waits for it any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final, Literal, NamedTuple

from proxy.audit.chain import Head
from proxy.audit.entries import Entry
from proxy.audit.scribe import Scribe
from proxy.audit.settings import AuditSettings

log = logging.getLogger(__name__)

ROOM: Final = 10_000
"""Lines that may wait to be written; twice as many where refusing one would hide how a call ended."""
_BATCH: Final = 512
_LAST_WORDS_S: Final = 5.0

Order = Literal["reopen", "close"]
Done = Callable[[str, bool], None]
"""Called on the event loop with what is wrong, "" for nothing, and whether the line is or may yet come on record."""


class _Job(NamedTuple):
    """ticket: of who waits for it, 0 for nobody.  keep: whether it is tried again."""

    entry: Entry
    ticket: int
    keep: bool


class _News(NamedTuple):
    """From the thread: lines that are in a file now, and those that are not; how the trail stands."""

    written: list[_Job]
    failed: list[_Job]
    head: Head
    failure: str


class Trail:
    """Made anywhere; open() blocks; the rest runs on the event loop.

    head: of the last line that is in a file.  failure: why the trail cannot be written now, or "".  waiting: lines that
    are not in a file yet.  lines: by kind, failures: by kind, for metrics.
    """

    def __init__(self, settings: AuditSettings, run: str, *, room: int = ROOM) -> None:
        """run: names this process in the trail."""
        self.settings = settings
        self.failure = ""
        self.waiting = 0
        self.lost = 0
        self.lines: dict[tuple[str, ...], float] = {("intent",): 0, ("outcome",): 0}
        self.failures: dict[tuple[str, ...], float] = {(kind,): 0 for kind in ("write", "full", "late", "rotate")}
        self._room = room
        self._scribe = Scribe(settings, run, clock=time.time, ticks=time.monotonic, lost=lambda: self.lost,
                              told=self._from_thread)
        self.head = self._scribe.head
        self._orders: SimpleQueue[_Job | Order] = SimpleQueue()
        self._waiters: dict[int, tuple[float, Done]] = {}
        self._tickets = 0
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = asyncio.Event()

    def open(self, **facts: object) -> None:
        """Raises ProxyError: audit_unusable, audit_locked."""
        self._scribe.open(**facts)
        self.head = self._scribe.head

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self._scribe.failure:
            self._changed(self._scribe.failure)
        log.info("audit trail %s goes on at head %s", self.settings.file, self.head)
        Thread(target=self._work, name="audit", daemon=True).start()

    # --- lines

    @property
    def full(self) -> bool:
        return self.waiting >= self._room

    def put(self, entry: Entry, done: Done | None = None, *, keep: bool = True) -> None:
        """done: who waits for it, for settings.timeout at most.  keep: whether it is tried again after a failure."""
        if self.waiting >= self._room * 2 or self._loop is None:
            self.lost += 1
            self.failures["full",] += 1
            if done is not None:
                asyncio.get_running_loop().call_soon(done, "too many lines wait to be written", False)
            return
        self.waiting += 1
        ticket = self._wait(done) if done is not None else 0
        self._orders.put(_Job(entry, ticket, keep))

    def _wait(self, done: Done) -> int:
        assert self._loop is not None
        self._tickets += 1
        self._waiters[self._tickets] = self._loop.time() + self.settings.timeout, done
        if self._timer is None:
            self._timer = self._loop.call_later(self.settings.timeout, self._late)
        return self._tickets

    def _late(self) -> None:
        """Those that have waited too long; in the order in which they came."""
        assert self._loop is not None
        self._timer = None
        now = self._loop.time()
        for ticket, (deadline, done) in list(self._waiters.items()):
            if deadline > now:
                self._timer = self._loop.call_at(deadline, self._late)
                return
            del self._waiters[ticket]
            self.failures["late",] += 1
            done("the line was not written in time", True)

    def reopen(self) -> None:
        """As on SIGHUP."""
        self._orders.put("reopen")

    async def close(self) -> None:
        """What waits is written, and who waits is told, for at most five seconds."""
        if self._loop is None:
            return
        self._orders.put("close")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_S):
                await self._closed.wait()
        if self._timer is not None:
            self._timer.cancel()
        if self.waiting:
            log.error("audit trail: %d lines could not be written before the end (%s)", self.waiting,
                      self.failure or "the disk is too slow")
        log.info("audit trail ends at head %s", self.head)

    # --- from the thread

    def _told(self, news: _News) -> None:
        self.waiting -= len(news.written) + sum(not job.keep for job in news.failed)
        self.head = news.head
        for job in news.written:
            self.lines[job.entry.kind,] += 1
            self._answer(job, news.failure if self.settings.fsync == "always" else "", on_record=True)
        for job in news.failed:
            self._answer(job, news.failure, on_record=job.keep)
        if news.failure != self.failure:
            self._changed(news.failure)

    def _answer(self, job: _Job, failure: str, *, on_record: bool) -> None:
        if job.ticket and (waiter := self._waiters.pop(job.ticket, None)) is not None:
            waiter[1](failure, on_record)

    def _changed(self, failure: str) -> None:
        if failure:
            self.failures["write",] += 1
            log.error("audit trail: it cannot be written (%s); %s", failure, "nothing is signed until it can"
                      if self.settings.on_failure == "refuse" else "requests are signed without a record")
        else:
            log.warning("audit trail: it is written again")
        self.failure = failure

    def _remark(self, kind: str, sentence: str) -> None:
        if kind == "rotate":
            self.failures["rotate",] += 1
        (log.error if kind == "rotate" else log.info)("audit trail: %s", sentence)

    # --- the thread

    def _from_thread(self, kind: str, sentence: str) -> None:
        self._call(self._remark, kind, sentence)

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):         # the loop has ended
            if self._loop is not None:
                self._loop.call_soon_threadsafe(function, *arguments)

    def _work(self) -> None:
        held: list[_Job] = []
        order: Order | None = None
        while order != "close":
            jobs, order = self._take()
            held += jobs
            self._guarded(self._scribe.reopen if order == "reopen" else self._scribe.idle)
            held = self._write(held)
        self._guarded(partial(self._scribe.close, unwritten=len(held)))
        self._call(self._told, _News([], [], self._scribe.head, self._scribe.failure))
        self._call(self._closed.set)

    def _take(self) -> tuple[list[_Job], Order | None]:
        """What has gathered, up to the next order; waits for something, or until the scribe has to do."""
        jobs: list[_Job] = []
        try:
            item = self._orders.get(timeout=self._scribe.due())
            while isinstance(item, _Job):
                jobs.append(item)
                if len(jobs) == _BATCH:
                    return jobs, None
                item = self._orders.get_nowait()
        except Empty:
            return jobs, None
        return jobs, item

    def _write(self, jobs: list[_Job]) -> list[_Job]:
        """-> those that are tried again."""
        written = 0
        for begin in range(0, len(jobs), _BATCH):
            batch = jobs[begin:begin + _BATCH]
            written += self._guarded(partial(self._scribe.write, [job.entry for job in batch])) or 0
            if self._scribe.failure:
                break
        self._call(self._told, _News(jobs[:written], jobs[written:], self._scribe.head, self._scribe.failure))
        return [job._replace(ticket=0) for job in jobs[written:] if job.keep]

    def _guarded(self, work: Callable[[], int | None]) -> int | None:
        try:
            return work()
        except Exception as error:      # noqa: BLE001 - a fault of ours must not end the thread, nor look like success
            return self._scribe.broke(f"internal error: {type(error).__name__}")

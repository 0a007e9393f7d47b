"""Puts lines onto the disk, one batch after the other, and knows at any moment where the chain stands.

A batch is one write.  When it is cut short, the lines that are whole count, and the piece behind them is declared by a
`torn` line as soon as something can be written again, so that a verifier can tell it from tampering.  The same is done
with what a killed process has left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256

from proxy.audit import chain
from proxy.audit.chain import START, Head
from proxy.audit.entries import Entry, Mark
from proxy.audit.place import Place, reason
from proxy.audit.rotation import Rotation, Told
from proxy.audit.settings import AuditSettings
from proxy.errors import ProxyError

RETRY_S = 1.0
"""Until a trail that cannot be written is tried again."""


class Scribe:
    """Blocks; lives in one thread.  head: of the last line that is in a file.  failure: what is wrong since the last
    attempt, "" when nothing is."""

    def __init__(self, settings: AuditSettings, run: str, *, clock: Callable[[], float],
                 ticks: Callable[[], float], lost: Callable[[], int] = lambda: 0,
                 told: Told = lambda kind, sentence: None) -> None:
        """clock: seconds since 1970.  ticks: of a clock that only goes forward.  lost: how many lines were dropped
        for want of room, which the trail tells as soon as it can.  told: as Rotation's."""
        self.head: Head = START
        self.failure = ""
        self._settings = settings
        self._run = run
        self._clock = clock
        self._ticks = ticks
        self._lost = lost
        self._lost_told = 0
        self._place = Place(settings.file)
        self._rotation = Rotation(settings, self._place, clock=clock, ticks=ticks, told=told)
        self._marks: list[Mark] = []            # what the trail says of itself with the next batch
        self._pieces: list[bytes] = []          # of lines, in the file, and not declared yet
        self._rest = b""                        # behind the file's last line break
        self._dirty_since: float | None = None
        self._again_at = 0.0

    def open(self, **facts: object) -> None:
        """facts: for the line that tells of this start.  Raises ProxyError: audit_unusable, audit_locked.

        Who wants to continue without a record may also begin without one, where only the disk is full.
        """
        try:
            self.head, self._pieces, self._rest = self._place.open()
            self._rotation.look()
        except BaseException:
            self._place.close()
            raise
        self._mark("opened", **facts)
        self.write(())
        if self.failure and self._settings.on_failure == "refuse":
            self._place.close()
            raise ProxyError("audit_unusable", f"{self._place.path}, {self.failure}")

    def _mark(self, event: str, **fields: object) -> None:
        self._marks.append(Mark(self._clock(), event, fields))

    # --- a batch

    def write(self, entries: Sequence[Entry]) -> int:
        """-> how many of them, from the first on, are in the file.  failure: why not all, or not on the disk."""
        before = self.failure
        try:
            self._prepare()
        except (OSError, ProxyError) as error:
            return self._failed(reason(error), 0)
        pieces, lost = len(self._pieces), self._lost()
        news = self._news(before, lost - self._lost_told)
        count, failure = self._append([*news, *self._marks, *entries])
        if pieces and count:
            del self._pieces[:pieces]
        if count >= len(news):
            self._lost_told = lost
        count -= len(news) + len(self._marks)
        self._marks = self._marks[max(0, len(self._marks) + count):] if count < 0 else []
        if failure or (self._settings.fsync == "always" and (failure := self._sync())):
            return self._failed(failure, max(0, count))
        self.failure = ""
        return len(entries)

    def _news(self, failure: str, lost: int) -> list[Mark]:
        news = []
        if self._pieces:
            pieces = [{"bytes": len(piece), "sha256": sha256(piece).hexdigest()} for piece in self._pieces]
            news.append(Mark(self._clock(), "torn", {"pieces": pieces}))
        if failure or lost:
            news.append(Mark(self._clock(), "recovered", {"after": failure, "lost": lost}))
        return news

    def _append(self, entries: Sequence[Entry]) -> tuple[int, str]:
        """-> how many are in the file, and why not all."""
        if not entries:
            return 0, ""
        heads, data, ends = [self.head], bytearray(b"\n" if self._rest else b""), []
        for entry in entries:
            head, line = chain.bind(heads[-1], entry.encode(self._run))
            heads.append(head)
            data += line
            ends.append(len(data))
        written, failure = self._place.append(bytes(data))
        count = sum(end - 1 <= written for end in ends)         # a line counts without its line break
        if count:
            self._rotation.began(heads[1].seq)
        if written:
            self._rest = bytes(data[:written].rpartition(b"\n")[2])
            if self._rest and written != ends[count - 1] - 1:
                self._pieces.append(self._rest)
            self._dirty_since = self._ticks() if self._dirty_since is None else self._dirty_since
        self.head = heads[count]
        return count, failure

    def _sync(self) -> str:
        """-> why the lines may not be on the disk."""
        if self._dirty_since is None:
            return ""
        self._dirty_since = None
        try:
            self._place.sync()
        except OSError as error:
            return reason(error)
        return ""

    def broke(self, failure: str) -> int:
        """A batch ended in a way that nobody foresaw.  -> 0: none of it counts as written."""
        return self._failed(failure, 0)

    def _failed(self, failure: str, count: int) -> int:
        self.failure = failure
        self._again_at = self._ticks() + RETRY_S
        return count

    # --- between batches

    def due(self) -> float | None:
        """Seconds until idle() has something to do; None: nothing."""
        times = [self._again_at] if self.failure else []
        if self._dirty_since is not None and self._settings.fsync == "interval":
            times.append(self._dirty_since + self._settings.fsync_interval)
        return max(0.0, min(times) - self._ticks()) if times else None

    def idle(self) -> None:
        now = self._ticks()
        if self.failure and now >= self._again_at:
            self.write(())
        dirty = self._dirty_since if self._settings.fsync == "interval" else None
        if dirty is not None and now >= dirty + self._settings.fsync_interval and (failure := self._sync()):
            self._failed(failure, 0)

    def reopen(self) -> None:
        """Now, as on SIGHUP; the next batch would do it as well."""
        try:
            self._prepare()
        except (OSError, ProxyError) as error:
            self._failed(reason(error), 0)

    def close(self, **facts: object) -> None:
        self._mark("closed", **facts)
        self.write(())
        if self._settings.fsync != "never":
            self._sync()
        self._place.close()

    def _prepare(self) -> None:
        """Raises OSError, ProxyError: there is no file to write to."""
        if self._place.moved:
            self._leave()
            if self._rotation.follow(self.head):
                self._rest = b""        # a piece at the old file's end is declared in the new one
        if self._rotation.due and not self._rest:
            self._leave()
            for pruned in self._rotation.rotate(self.head):
                self._mark("pruned", **pruned)

    def _leave(self) -> None:
        if self._settings.fsync != "never":
            self._sync()

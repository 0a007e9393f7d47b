"""Decides when a trail goes on in another file: for its age, its size, or because it was moved."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from proxy.audit.chain import Head
from proxy.audit.ends import end_of
from proxy.audit.place import Place, reason, unusable
from proxy.audit.settings import AuditSettings

RETRY_S = 60.0
"""Until a file that could not be put aside is tried again; meanwhile it grows on."""

Told = Callable[[str, str], None]


class Rotation:
    """first: number of the open file's first line, 0 when it has none.

    told: called with (kind, sentence): rotated, moved, or rotate for a failure that keeps nobody from writing.
    """

    def __init__(self, settings: AuditSettings, place: Place, *, clock: Callable[[], float],
                 ticks: Callable[[], float], told: Told) -> None:
        self.first = 0
        self._settings = settings
        self._place = place
        self._clock = clock
        self._ticks = ticks
        self._told = told
        self._born = 0.0
        self._not_before = 0.0

    def look(self) -> None:
        """At the file that has just been opened."""
        self.first, moment = self._place.first_line()
        try:
            age = self._clock() - datetime.fromisoformat(moment).timestamp()
        except ValueError:
            age = 0.0
        self._born = self._ticks() - max(0.0, age)      # from here on nobody can set it

    def began(self, number: int) -> None:
        """A line with this number is in the file."""
        if not self.first:
            self.first, self._born = number, self._ticks()

    def follow(self, head: Head) -> bool:
        """Opens FILE anew when it is another one by now; -> whether it was.

        Raises OSError, ProxyError("audit_unusable"): there is nothing to write to.
        """
        place = self._place
        if not place.moved:
            return False
        place.reopen()
        if place.size:
            end = end_of(place.path)
            if end is None or end.head != head:
                place.disown()
                raise unusable(place.path, "another file has been put in its place")
        self.look()
        self._told("moved", f"{place.path.name} had been moved away; a new file goes on with the chain")
        return True

    @property
    def due(self) -> bool:
        settings = self._settings
        if not self.first or self._ticks() < self._not_before:
            return False
        old = settings.rotate_seconds and self._ticks() - self._born >= settings.rotate_seconds
        return bool(old or (settings.rotate_bytes and self._place.size >= settings.rotate_bytes))

    def rotate(self, head: Head) -> list[dict[str, object]]:
        """-> what the trail must tell of files that were removed."""
        first = self.first
        try:
            self._place.rotate(first, head.seq)
        except OSError as error:
            self._not_before = self._ticks() + RETRY_S
            self._told("rotate", f"no new file could be begun ({reason(error)}); the old one grows on")
            return []
        self.first = 0
        self._told("rotated", f"lines {first} to {head.seq} are in a file of their own; head {head}")
        keep = self._settings.keep
        return [told for path in (self._place.rotated()[:-keep] if keep else ())
                if (told := self._remove(path)) is not None]

    def _remove(self, path: Path) -> dict[str, object] | None:
        end = end_of(path)
        try:
            path.unlink()
        except OSError as error:
            self._told("rotate", f"{path.name} could not be removed ({reason(error)})")
            return None
        return {"file": path.name, "last": end.head.seq, "hash": end.head.hash} if end is not None else None

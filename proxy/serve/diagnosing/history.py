"""What came before on each route: enough to tell one refused call from all of them, and no more than that.

An accepted call costs three assignments.  Times of accepted calls are perf_counter's, which the call has read anyway;
they become times of day when somebody asks.
"""

from __future__ import annotations

import time
from typing import Final

from proxy.core.diagnosis import History, Moment
from proxy.serve.recording import Recording
from proxy.serve.rulings import Ruling

_CALLS: Final = 8
"""Different calls that are told apart in a row of refusals."""


class _Row:
    """Refusals with one code since the last accepted call.  since: seconds since the epoch.  bodiless: of them."""

    __slots__ = ("bodiless", "calls", "count", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.count = self.bodiless = 0
        self.calls: set[tuple[str, str]] = set()


class Track:
    """One route's past.  accepted, content: perf_counter of the last accepted call, and of the last with a body."""

    __slots__ = ("accepted", "application", "content", "key", "rows")

    def __init__(self, application: str) -> None:
        self.application = application
        self.accepted = 0.0
        self.content = 0.0
        self.key = ""
        self.rows: dict[str, _Row] = {}

    def accept(self, recording: Recording) -> None:
        self.accepted = recording.sealed_at
        self.key = recording.key
        draft = recording.draft
        if draft is not None and draft.digest is not None:
            self.content = recording.sealed_at
        if self.rows:
            self.rows = {}

    def refuse(self, call: tuple[str, str], label: str, now: float) -> _Row:
        row = self.rows.get(label)
        if row is None:
            row = self.rows[label] = _Row(now)
        row.count += 1
        if len(row.calls) < _CALLS:
            row.calls.add(call)
        return row


class Tracks(dict[str, Track]):
    """By route, of which there are as many as are configured."""

    def of(self, recording: Recording) -> Track:
        route = recording.route
        track = self.get(route.name)
        if track is None:
            track = self[route.name] = Track(route.application)
        return track

    def refused(self, recording: Recording, ruling: Ruling, call: tuple[str, str], now: float) -> History:
        """now: seconds since the epoch.  call: method and path template."""
        track = self.of(recording)
        row = track.refuse(call, ruling.label, now)
        if recording.draft is None or recording.draft.digest is None:
            row.bodiless += 1
        offset = now - time.perf_counter()
        others = [other.accepted for other in self.values()
                  if other is not track and other.application == track.application]
        return History(
            known=True, now=now, since=moment(row.since, now), refusals=row.count, calls=len(row.calls),
            bodiless=row.bodiless,
            accepted=_moment(track.accepted, offset, now), accepted_key=track.key,
            accepted_content=_moment(track.content, offset, now),
            elsewhere=_moment(max(others, default=0.0), offset, now))


def _moment(reading: float, offset: float, now: float) -> Moment | None:
    """reading: of perf_counter, 0 for never."""
    return moment(reading + offset, now) if reading else None


def moment(seconds: float, now: float) -> Moment:
    """Both since the epoch.  The day is told when it is not today's."""
    at = time.gmtime(seconds)
    same_day = int(seconds // 86400) == int(now // 86400)
    return Moment(seconds, time.strftime("%H:%M:%S UTC" if same_day else "%Y-%m-%d %H:%M UTC", at))

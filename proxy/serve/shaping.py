"""Keeps calls under the bank's burst limits, as its answers name them: some wait their turn, the others get a 429 that
says it is ours, and the bank's own 429 becomes rare.

    X-BurstLimit-Limit: name=burst-limit-1,130;name=auth-v5-api-burstlimit,30;

Each answer says under which limits its path falls, so the next call of such a path takes a turn in the window of each.
What has not been called yet is not held back.  In any stretch of `window` seconds no more than the limit are begun.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from proxy.core.exchange import path_template
from proxy.core.message import Field
from proxy.errors import Refused
from proxy.serve.telemetry import RATE_LIMIT
from proxy.wire.limits import Count, Seconds

LIMIT: Final = b"x-burstlimit-limit"
REMAINING: Final = b"x-burstlimit-remaining"
_PATHS = 64
_NAMES = 16
_LARGEST = 10_000
"""A higher limit need not be waited for; a window's turns are kept in memory."""


class ShapingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How calls are kept under the bank's burst limits."""

    share: Annotated[float, Meta(gt=0, le=1, description=(
        "The part of the bank's limit that this process may use: 1 divided by the number of replicas."))] = 1.0
    window: Annotated[Seconds, Meta(description="Seconds for which the bank counts a burst.")] = 1.0
    longest_wait: Annotated[Seconds, Meta(description="Seconds that a call waits for its turn at most.")] = 2.0
    waiting: Annotated[Count, Meta(description="Calls that wait for their turn at a time.")] = 100


class _Window:
    """The last turns under one limit."""

    __slots__ = ("held_until", "turns")

    def __init__(self, limit: int) -> None:
        self.turns: deque[float] = deque(maxlen=limit)
        self.held_until = 0.0

    def sized(self, limit: int) -> None:
        if self.turns.maxlen != limit:
            self.turns = deque(self.turns, maxlen=limit)

    def next(self, now: float, window: float) -> float:
        """When the next call may begin."""
        full = len(self.turns) == self.turns.maxlen
        return max(now, self.held_until, self.turns[0] + window if full else now)


class Shaper:
    """Of one application at one bank.  waiting: calls whose turn has not come.  Times are the loop's, in seconds."""

    def __init__(self, settings: ShapingSettings, watch: Callable[[str], None]) -> None:
        """watch: is told "delayed" or "refused" of each call that could not go at once."""
        self._settings = settings
        self._watch = watch
        self._windows: dict[bytes, _Window] = {}
        self._names: dict[str, tuple[bytes, ...]] = {}
        self.waiting = 0

    def turn(self, path: bytes, now: float) -> float:
        """Seconds until this call may begin; whoever has to wait calls came() when it is over.

        Raises Refused("rate_limited_here") when that would take too long or too many wait already.
        """
        windows = [self._windows[name] for name in self._names.get(path_template(path), ())]
        begin = max([window.next(now, self._settings.window) for window in windows], default=now)
        wait = begin - now
        if wait > self._settings.longest_wait or (wait > 0 and self.waiting >= self._settings.waiting):
            self._watch("refused")
            refused = Refused("rate_limited_here")
            refused.retry_after = max(1, math.ceil(wait))
            raise refused
        for window in windows:
            window.turns.append(begin)
        if wait > 0:
            self.waiting += 1
            self._watch("delayed")
        return wait

    def came(self) -> None:
        self.waiting -= 1

    def learn(self, path: bytes, fields: Iterable[Field], now: float) -> None:
        """fields: of an answer.  What does not parse is ignored."""
        for name, _, value in fields:
            if name == LIMIT:
                self._limits(path, RATE_LIMIT.findall(value)[:_NAMES])
            elif name == REMAINING:
                self._used_up(RATE_LIMIT.findall(value), now)

    def _used_up(self, found: list[tuple[bytes, bytes]], now: float) -> None:
        """Somebody else uses the same limits: nothing is left in this window."""
        for name, left in found:
            window = self._windows.get(name)
            if window is not None and int(left) == 0:
                window.held_until = now + self._settings.window

    def _limits(self, path: bytes, found: list[tuple[bytes, bytes]]) -> None:
        names = []
        for name, value in found:
            limit = max(1, math.floor(int(value) * self._settings.share))
            if limit > _LARGEST or (name not in self._windows and len(self._windows) >= _NAMES):
                continue
            self._windows.setdefault(name, _Window(limit)).sized(limit)
            names.append(name)
        if names:
            template = path_template(path)
            self._names.pop(template, None)
            self._names[template] = tuple(names)        # the last ones stay, so that odd paths crowd out none in use
            if len(self._names) > _PATHS:
                del self._names[next(iter(self._names))]

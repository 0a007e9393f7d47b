"""Who leaves when there is no room for somebody who comes: whoever has kept us waiting for longest.

Only those leave of whom nothing is signed or sent, so that nothing can be lost or told wrongly:
    handshake   a TLS handshake that is not done
    request     a request that has begun and is not whole
    silent      a connection that has never said a word
    idle        a connection between two requests, after all the others
and only after a second, which is enough for an honest caller's next bytes.  Who has a request in hand, or has not taken
its answer yet, is never ended here.  Age decides and not the address, as all containers of a pod share one.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from proxy.wire.server import Live

log = logging.getLogger(__name__)

Kind = Literal["handshake", "request", "silent", "idle"]
KINDS: Final[tuple[Kind, ...]] = ("handshake", "request", "silent", "idle")

GRACE: Final = 1.0
"""Seconds."""
_LOOK_AGAIN: Final = 0.05
"""Looking at a thousand connections takes a millisecond: not for each newcomer."""
_TOLD_EVERY: Final = 60.0


class Stay(NamedTuple):
    """Why a connection waits for its caller, since when (loop time), and what it holds meanwhile (bytes)."""

    kind: Kind
    since: float
    held: int = 0


class Room:
    """connections: those of the server, a live set.  left: how many had to leave, by kind."""

    def __init__(self, connections: set[Live], now: Callable[[], float]) -> None:
        self.left: Counter[str] = Counter(dict.fromkeys(KINDS, 0))
        self._connections = connections
        self._now = now
        self._line: deque[tuple[Live, Stay]] = deque()
        self._look_at = self._tell_at = 0.0

    def make(self, reason: str) -> Live | None:
        """Ends one connection.  reason: a clause for the log.  -> which; None: nobody has waited for long enough."""
        now = self._now()
        if now >= self._look_at:
            self._look(now)
        while self._line:
            connection, stay = self._line.popleft()
            if self._leaves(connection, stay, reason):
                return connection
        return None

    def _look(self, now: float) -> None:
        """Lines up who may leave.  Nobody joins them before the eldest of the others has waited for GRACE."""
        stays = [(connection, stay) for connection in self._connections if (stay := connection.stay) is not None]
        self._line = deque(sorted(((connection, stay) for connection, stay in stays if stay.since <= now - GRACE),
                                  key=_order))
        youngest = min((stay.since for _, stay in stays if stay.since > now - GRACE), default=now)
        self._look_at = max(youngest + GRACE, now + _LOOK_AGAIN)

    def give_back(self, asking: Live, needed: Callable[[], bool], reason: str) -> None:
        """Ends who holds most, of requests that have been unfinished for GRACE, as long as bytes are needed.

        asking: whose bytes there is no room for; when it is the one that holds most, nobody else leaves for it.
        """
        now = self._now()
        held = sorted(((stay.held, id(connection), connection, stay) for connection in self._connections
                       if (stay := connection.stay) is not None and stay.held and stay.since <= now - GRACE),
                      reverse=True)
        for _, _, connection, stay in held:
            if connection is asking or not needed():
                return
            self._leaves(connection, stay, reason)

    def _leaves(self, connection: Live, stay: Stay, reason: str) -> bool:
        """-> whether it does: since it was lined up it may have gone on, or have been sent something."""
        if connection.stay != stay or not connection.make_room(reason):
            return False
        self.left[stay.kind] += 1
        now = self._now()
        if now >= self._tell_at:
            self._tell_at = now + _TOLD_EVERY
            log.warning("%s: whoever has kept us waiting for longest is ended for whoever comes; until now %s", reason,
                        ", ".join(f"{count} {kind}" for kind, count in self.left.items() if count))
        return True


def _order(one: tuple[Live, Stay]) -> tuple[bool, float]:
    stay = one[1]
    return stay.kind == "idle", stay.since

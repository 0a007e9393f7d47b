"""A listening socket that several processes accept from, evenly.

The event loop's own server takes everything that waits at one go, so that of several idle processes one would get all
connections of a burst, and keep them.  Here each turn of the loop takes one, and a process that has more connections
than another leaves a new one to it for a moment.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final, Protocol

log = logging.getLogger(__name__)

_NO_ROOM: Final = 0.5
"""Seconds until the next try when the process has no descriptor left."""


_LEAVE_IT: Final = 0.002
_AT_MOST: Final = 10
"""Seconds for which a new connection is left to a process that has fewer, for each that it has less, but at most
so many times; then it is taken all the same."""
NOBODY: Final = 2**31 - 1
"""The number of a process that does not accept."""


class Numbers(Protocol):
    def __iter__(self) -> Iterator[int]: ...
    def __getitem__(self, place: int, /) -> int: ...
    def __setitem__(self, place: int, number: int, /) -> None: ...


class Board:
    """How many connections each process has.  numbers: in memory that they share, one each."""

    def __init__(self, numbers: Numbers, mine: int) -> None:
        """mine: the place of this process."""
        self._numbers = numbers
        self._mine = mine

    def tell(self, count: int) -> None:
        self._numbers[self._mine] = count

    def ahead(self) -> int:
        """By how many connections of the process that has the fewest."""
        return self._numbers[self._mine] - min(self._numbers)


class SharedQueue:
    """sockets: the one it accepts from, for as long as it does.  arriving: accepted, and not with its protocol yet."""

    def __init__(self, sock: socket.socket, factory: Callable[[], asyncio.Protocol], backlog: int, board: Board,
                 taken: Callable[[], None]) -> None:
        """Called on the event loop; sock is its own from here on.  taken: called when there is one more."""
        self._board = board
        self._taken = taken
        self._left = False
        self._loop = asyncio.get_running_loop()
        self._factory = factory
        self._arriving: set[asyncio.Task[object]] = set()
        self.sockets = [sock]
        sock.setblocking(False)
        sock.listen(backlog)
        self._loop.add_reader(sock, self._accept)

    @property
    def arriving(self) -> int:
        return len(self._arriving)

    def close(self) -> None:
        while self.sockets:
            sock = self.sockets.pop()
            self._loop.remove_reader(sock)
            sock.close()

    def _accept(self) -> None:
        if not self.sockets:
            return
        ahead = 0 if self._left else self._board.ahead()
        if ahead > 0:
            self._left = True
            self._pause(_LEAVE_IT * min(ahead, _AT_MOST))
            return
        self._left = False
        try:
            caller, _ = self.sockets[0].accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return      # somebody else was faster, or the caller has gone
        except OSError as error:
            log.warning("no connection can be accepted now (%s)", error.strerror)
            self._pause(_NO_ROOM)
            return
        if caller.family != socket.AF_UNIX:
            with suppress(OSError):
                caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task: asyncio.Task[object] = self._loop.create_task(self._connect(caller))
        self._arriving.add(task)
        task.add_done_callback(self._arriving.discard)
        self._taken()

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self.sockets[0])
        self._loop.call_later(seconds, self._again)

    def _again(self) -> None:
        if self.sockets:
            self._loop.add_reader(self.sockets[0], self._accept)

    async def _connect(self, caller: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._factory, caller)
        except OSError:
            caller.close()

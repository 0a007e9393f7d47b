"""Listeners, the live connections, and the one clock that enforces every deadline of theirs."""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable
from typing import Protocol

from proxy.wire.application import Application
from proxy.wire.connection import Connection
from proxy.wire.limits import Limits, Timeouts
from proxy.wire.queue import NOBODY, Board, SharedQueue
from proxy.wire.room import Room, Stay

Bound = tuple[str, int]
Accept = Callable[["Server", str], asyncio.Protocol]

_BACKLOG = 1024
_TICK = 0.25
_NEVER = float("inf")


class Live(Protocol):
    """What is accepted and not over: a connection, a handshake, a tunnel.

    deadline: loop time after which expired() is called.  idle: whether closing it now would lose nothing.  stay: since
    when it has waited for its caller; None: it must not be ended for others.  make_room(): ends it all the same; reason
    is a clause for its caller.  -> whether it does end.
    """

    deadline: float

    @property
    def idle(self) -> bool: ...
    @property
    def stay(self) -> Stay | None: ...
    def make_room(self, reason: str) -> bool: ...
    def expired(self) -> None: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...


class Server:
    """Accepts for one application on any number of listeners.

    draining: answers carry Connection: close.  buffered: bytes of requests held in memory.  room: who had to leave.
    lag: worst lateness of the clock in seconds since it was last read through take_lag().
    """

    def __init__(self, application: Application, limits: Limits, timeouts: Timeouts) -> None:
        self.application = application
        self.limits = limits
        self.timeouts = timeouts
        self.draining = False
        self.buffered = 0
        self.connections: set[Live] = set()
        self._listeners: list[asyncio.AbstractServer] = []
        self._queues: list[SharedQueue] = []
        self._board: Board | None = None
        self._loop = asyncio.get_running_loop()
        self.now: Callable[[], float] = self._loop.time
        self.room = Room(self.connections, lambda: self.now())
        self._leaving: set[Live] = set()
        self._idle: dict[Live, float] = {}
        self._lag = 0.0
        self._due = self.now() + _TICK
        self._timer = self._loop.call_at(self._due, self._tick)

    async def listen(self, name: str, address: str, port: int, *, accept: Accept = Connection) -> list[Bound]:
        """accept: makes what talks to an accepted caller.  -> the bound (address, port) pairs.  Raises OSError."""
        server = await self._loop.create_server(lambda: accept(self, name), address, port, backlog=_BACKLOG)
        self._listeners.append(server)
        return [sock.getsockname()[:2] for sock in server.sockets if sock.family in (socket.AF_INET, socket.AF_INET6)]

    async def listen_on(self, name: str, sock: socket.socket, *, accept: Accept = Connection) -> None:
        """sock: bound, of any family, and the server's from here on."""
        if sock.family == socket.AF_UNIX:
            server = await self._loop.create_unix_server(lambda: accept(self, name), sock=sock, backlog=_BACKLOG)
        else:
            server = await self._loop.create_server(lambda: accept(self, name), sock=sock, backlog=_BACKLOG)
        self._listeners.append(server)

    def share(self, name: str, sock: socket.socket, board: Board, *, accept: Accept = Connection) -> None:
        """sock: bound, and other processes accept from it too.  board: theirs and this one's.  Raises OSError."""
        self._board = board
        self._queues.append(SharedQueue(sock, lambda: accept(self, name), _BACKLOG, board, self._tell))
        self._tell()

    def _tell(self) -> None:
        if self._board is not None:
            self._board.tell(len(self.connections) + sum(queue.arriving for queue in self._queues))

    def register(self, connection: Live, *, heir: bool = False) -> bool:
        """-> whether there is room for it; a connection without room is answered and closed.

        heir: it comes in the place of one that was registered a moment ago.
        """
        self.connections.add(connection)
        if heir or len(self.connections) - len(self._leaving) <= self.limits.connections:
            return True
        if len(self.connections) <= 2 * self.limits.connections:
            leaves = self.room.make("limits.connections is reached")
            self._leaving.add(leaves or connection)
            return leaves is not None
        self._leaving.add(connection)
        connection.abort()
        return False

    def unregister(self, connection: Live) -> None:
        self.connections.discard(connection)
        self._leaving.discard(connection)
        if self._board is not None:
            self._tell()

    def overfull(self) -> bool:
        return self.buffered > self.limits.buffered

    def take_lag(self) -> float:
        lag, self._lag = self._lag, 0.0
        return lag

    def _tick(self) -> None:
        now = self.now()
        self._lag = max(self._lag, now - self._due)
        self._due = now + _TICK
        self._timer = self._loop.call_at(self._due, self._tick)
        for connection in [c for c in self.connections if c.deadline < now]:
            try:
                connection.expired()
            except Exception:       # noqa: BLE001 - a fault of one must not keep the others from their deadlines
                connection.deadline = _NEVER
                connection.abort()

    def callers_wait(self) -> bool:
        """Whether somebody has connected who is not accepted yet; closing the listeners now would reset them."""
        waiting = select.poll()
        listening = [sock for listener in self._listeners
                     for sock in listener.sockets or ()]  # type: ignore[attr-defined]
        for sock in (*listening, *(sock for queue in self._queues for sock in queue.sockets)):
            waiting.register(sock.fileno(), select.POLLIN)
        return bool(waiting.poll(0)) or any(queue.arriving for queue in self._queues)

    def stop_accepting(self) -> None:
        for listener in self._listeners:
            listener.close()
        for queue in self._queues:
            queue.close()
        if self._board is not None:
            self._board.tell(NOBODY)
            self._board = None

    def close_idle(self) -> None:
        """Ends those that were idle at the last call as well: to one that was accepted or has answered a moment ago, a
        request may be on its way."""
        idle = {connection: connection.deadline for connection in self.connections if connection.idle}
        for connection, deadline in idle.items():
            if self._idle.get(connection) == deadline:
                connection.close()
        self._idle = idle

    async def close(self) -> None:
        """Cuts what is left."""
        self.stop_accepting()
        for connection in list(self.connections):
            connection.abort()
        self._timer.cancel()
        await asyncio.sleep(0)

"""A server with an application made for tests, and a caller that says any bytes."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import asynccontextmanager, suppress

from proxy.errors import Refused
from proxy.wire.application import Answer
from proxy.wire.limits import Limits, Timeouts
from proxy.wire.server import Server

OWN = b"Content-Type: text/plain\r\n"


class App:
    """Echoes method, target and body at once; "/later…" waits for finish(), "/deny…" is not admitted.

    heard: what it was told, in order.
    """

    def __init__(self) -> None:
        self.heard, self.held, self.changed = [], [], asyncio.Event()

    def _note(self, *what) -> None:
        self.heard.append(what)
        self.changed.set()

    async def hears(self, *what) -> None:
        while what not in self.heard:
            self.changed.clear()
            await self.changed.wait()

    def admit(self, connection, request) -> None:
        if request.target.startswith(b"/deny"):
            raise Refused("route_denied")

    def handle(self, connection, request) -> None:
        self._note("handle", request.target)
        if request.target.startswith(b"/later"):
            self.held.append((connection, request))
            return
        self.finish(connection, request)

    def finish(self, connection, request) -> None:
        body = b"%b %b %b" % (request.method, request.target, request.body)
        connection.answer(Answer(b"200 OK", OWN + b"Content-Length: %d\r\n" % len(body), body))

    def refuse(self, connection, request, error) -> Answer:
        self._note("refuse", error.code)
        body = error.code.encode()
        return Answer(b"%d Refused" % error.problem.status, OWN + b"Content-Length: %d\r\n" % len(body), body)

    def gone(self, connection) -> None:
        self._note("gone")

    def half_closed(self, connection) -> None:
        self._note("half_closed")

    def pause(self, connection) -> None:
        self._note("pause")

    def resume(self, connection) -> None:
        self._note("resume")


class Caller:
    def __init__(self, reader, writer) -> None:
        self.reader, self.writer = reader, writer

    def say(self, raw: bytes) -> None:
        self.writer.write(raw)

    async def answer(self, *, body: bool = True) -> tuple[int, dict[bytes, bytes], bytes]:
        head = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = head[:-4].split(b"\r\n")
        fields = dict(line.split(b": ", 1) for line in lines)
        length = int(fields.get(b"Content-Length", 0)) if body else 0
        return int(first.split()[1]), fields, await self.reader.readexactly(length)

    async def ask(self, raw: bytes):
        self.say(raw)
        return await self.answer()

    def reset(self) -> None:
        """A plain close would be a half-close to the server: the FIN looks the same."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def rest(self) -> bytes:
        """Everything until the server ends the connection in an orderly way."""
        return await self.reader.read()


class Door:
    """server, app, and calls; ahead() moves the server's clock and lets it look at its deadlines."""

    def __init__(self, server: Server, app: App, address, port: int) -> None:
        self.server, self.app, self.address, self.port = server, app, address, port
        self.callers = []
        self._ahead = 0.0
        loop = asyncio.get_running_loop()
        server.now = lambda: loop.time() + self._ahead

    def ahead(self, seconds: float) -> None:
        self._ahead += seconds
        self.server._timer.cancel()
        self.server._tick()

    async def call(self, **how) -> Caller:
        caller = Caller(*await asyncio.open_connection(self.address, self.port, **how))
        self.callers.append(caller)
        return caller


@asynccontextmanager
async def open_door(limits=None, **timeouts):
    app = App()
    server = Server(app, Limits(**(limits or {})), Timeouts(**timeouts))
    ((address, port),) = await server.listen("main", "127.0.0.1", 0)
    door = Door(server, app, address, port)
    try:
        yield door
    finally:
        await server.close()
        while server.connections:
            await asyncio.sleep(0)
        for caller in door.callers:
            caller.writer.close()
            with suppress(OSError):
                await caller.writer.wait_closed()


def get(target: bytes, *fields: bytes, version: bytes = b"1.1") -> bytes:
    return b"\r\n".join((b"GET %b HTTP/%b" % (target, version), b"Host: a", *fields, b"", b""))


def post(target: bytes, body: bytes, *fields: bytes) -> bytes:
    return b"\r\n".join((b"POST %b HTTP/1.1" % target, b"Host: a", b"Content-Length: %d" % len(body), *fields, b"",
                         body))

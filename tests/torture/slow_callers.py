"""Callers that hold on to what they have got, as a process of their own: `python -m tests.torture.slow_callers`.

stdin    a line {"port", "crowd": {kind: count}, "again": seconds, or null for once each, "pace": seconds a byte},
         then a line "stop", and so on
stdout   a line {"there": count} when all are connected and have begun, and after "stop", or when all have ended:
         {"ended": [[kind, how, seconds]], "cpu": seconds}

how: the status of the answer, "closed" without one, "reset", or "stopped".  seconds: from its last honest byte.
"""

from __future__ import annotations

import asyncio
import json
import resource
import select
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from random import Random
from typing import Any

HOST = "open.nordea.com"
LONG = 10_000_000
_PIECE = 65536
_SMALL = 16384
_HEAD = b"Host: localhost\r\nAuthorization: Bearer token\r\n"
_CHUNKED = b"POST /echo HTTP/1.1\r\n" + _HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200)


class Caller:
    """One connection.  began: when it ceased to be honest."""

    def __init__(self, sock: socket.socket, pace: float, begun: Callable[[], None]) -> None:
        self.loop = asyncio.get_running_loop()
        self.sock = sock
        self.pace = pace
        self._begun = begun
        self.began = time.monotonic()

    def begins(self) -> None:
        self.began = time.monotonic()
        self._begun()

    async def send(self, raw: bytes) -> None:
        await self.loop.sock_sendall(self.sock, raw)

    async def end(self) -> str:
        """Reads until the end."""
        seen = b""
        try:
            while piece := await self.loop.sock_recv(self.sock, _PIECE):
                seen = (seen + piece)[:64]
        except OSError:
            return seen[9:12].decode() or "reset"
        return seen[9:12].decode() or "closed"

    async def end_unread(self) -> str:
        """Waits for the reset without taking a byte."""
        poll = select.poll()
        poll.register(self.sock.fileno(), 0)
        while not poll.poll(0):
            await asyncio.sleep(0.05)
        return "reset"

    async def while_sending(self, pieces: AsyncIterator[bytes]) -> str:
        """Its end, whatever becomes of what is sent meanwhile."""
        sending = asyncio.create_task(self._send_all(pieces))
        try:
            return await self.end()
        finally:
            sending.cancel()
            await asyncio.wait([sending])

    async def _send_all(self, pieces: AsyncIterator[bytes]) -> None:
        try:
            async for piece in pieces:
                await self.send(piece)
        except OSError:
            pass                    # it has been refused, which is what the answer says

    async def drip(self, raw: bytes) -> AsyncIterator[bytes]:
        for byte in raw:
            yield bytes((byte,))
            await asyncio.sleep(self.pace)


async def _of(first: bytes, again: bytes) -> AsyncIterator[bytes]:
    """first, then `again` until there are ten megabytes, at three megabytes a second."""
    yield first
    block = again * (_PIECE // len(again) + 1)
    for _ in range(LONG // len(block) + 1):
        yield block
        await asyncio.sleep(0.02)


async def drip_head(caller: Caller) -> str:
    """Of nearly all that a head may have."""
    caller.begins()
    await caller.send(b"GET /echo HTTP/1.1\r\n" + _HEAD + b"X: " + b"x" * 30_000)
    return await caller.while_sending(caller.drip(b"x" * 1000))


async def drip_body(caller: Caller) -> str:
    caller.begins()
    await caller.send(b"POST /echo HTTP/1.1\r\n" + _HEAD + b"Content-Length: 10000\r\n\r\n" + b"x" * 8000)
    return await caller.while_sending(caller.drip(b"x" * 1999))


async def silent(caller: Caller) -> str:
    caller.begins()
    return await caller.end()


async def idle(caller: Caller) -> str:
    await caller.send(b"GET /echo HTTP/1.1\r\n" + _HEAD + b"\r\n")
    seen = await caller.loop.sock_recv(caller.sock, _PIECE)
    caller.begins()
    ending = await caller.end()
    return ending if b" 200 " in seen[:16] else seen[9:12].decode()


async def half_handshake(caller: Caller) -> str:
    await caller.send(f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n".encode())
    seen = await caller.loop.sock_recv(caller.sock, _PIECE)
    caller.begins()
    if b" 200 " not in seen[:16]:
        return seen[9:12].decode()
    await caller.send(_HELLO)
    ending = await caller.end()
    return "closed" if ending == "reset" else ending


async def half_closed(caller: Caller) -> str:
    await caller.send(b"GET /echo HTTP/1.1\r\n" + _HEAD)
    caller.sock.shutdown(socket.SHUT_WR)
    caller.begins()
    return await caller.end()


async def never_reads(caller: Caller) -> str:
    await caller.send(b"GET /bytes/30000000 HTTP/1.1\r\n" + _HEAD + b"\r\n")
    caller.begins()
    return await caller.end_unread()


async def pipelines(caller: Caller) -> str:
    """Three hundred requests, and not one answer read."""
    caller.begins()
    sending = asyncio.create_task(caller._send_all(_often(b"GET /bytes/100000 HTTP/1.1\r\n" + _HEAD + b"\r\n", 300)))
    try:
        return await caller.end_unread()
    finally:
        sending.cancel()
        await asyncio.wait([sending])


async def _often(raw: bytes, count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield raw


def _long(first: bytes, again: bytes) -> Callable[[Caller], Awaitable[str]]:
    async def send(caller: Caller) -> str:
        caller.begins()
        return await caller.while_sending(_of(first, again))

    return send


KINDS: dict[str, Callable[[Caller], Awaitable[str]]] = {
    "drips a head": drip_head, "drips a body": drip_body, "says nothing": silent, "stays idle": idle,
    "half a handshake": half_handshake, "half-closed": half_closed, "never reads": never_reads,
    "pipelines unread": pipelines,
    "a header of 10 MB": _long(b"GET /echo HTTP/1.1\r\n" + _HEAD + b"X: ", b"x"),
    "10 MB of headers": _long(b"GET /echo HTTP/1.1\r\n" + _HEAD, b"X: y\r\n"),
    "a request line of 10 MB": _long(b"GET /", b"x"),
    "a chunk extension of 10 MB": _long(_CHUNKED + b"1;a=", b"x"),
    "10 MB of trailers": _long(_CHUNKED + b"1\r\nx\r\n0\r\n", b"X: y\r\n"),
    "a body of 10 MB": _long(b"POST /echo HTTP/1.1\r\n" + _HEAD + b"Content-Length: 10000000\r\n\r\n", b"x"),
}
_UNREAD = ("never reads", "pipelines unread")


class Crowd:
    """again: seconds after which each comes back; None: once is enough."""

    def __init__(self, port: int, crowd: dict[str, int], again: float | None, pace: float) -> None:
        self._port, self._again, self._pace = port, again, pace
        self._random = Random(port)
        self.ended: list[tuple[str, str, float]] = []
        self._left = sum(crowd.values())
        self.there = asyncio.Event()
        self.tasks = [asyncio.create_task(self._one(kind)) for kind, count in crowd.items() for _ in range(count)]

    async def _one(self, kind: str) -> None:
        first = True

        def begun() -> None:
            nonlocal first
            if first:
                first = False
                self._left -= 1
                if not self._left:
                    self.there.set()

        while True:
            how, seconds = await self._once(kind, begun)
            self.ended.append((kind, how, seconds))
            begun()
            if self._again is None:
                return
            await asyncio.sleep(self._again * (0.5 + self._random.random()))

    async def _once(self, kind: str, begun: Callable[[], None]) -> tuple[str, float]:
        with socket.socket() as sock:
            sock.setblocking(False)
            if kind in _UNREAD:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL)
            caller = Caller(sock, self._pace, begun)
            try:
                await caller.loop.sock_connect(sock, ("127.0.0.1", self._port))
                how = await KINDS[kind](caller)
            except OSError as error:
                how = type(error).__name__
            return how, round(time.monotonic() - caller.began, 3)

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def _main() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        given: dict[str, Any] = json.loads(line)
        before = _cpu()
        crowd = Crowd(given["port"], given["crowd"], given["again"], given["pace"])
        await crowd.there.wait()
        _say({"there": len(crowd.tasks)})
        if given["again"] is None:
            await asyncio.wait(crowd.tasks)
        else:
            await reader.readline()
        await crowd.stop()
        _say({"ended": crowd.ended, "cpu": _cpu() - before})
        if given["again"] is None:
            await reader.readline()


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _say(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    import uvloop

    uvloop.run(_main())

"""A TCP link between proxy and bank that fails as it is told: the faults that a bank's own program cannot play."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

_ALERT = b"\x15\x03\x03\x00\x02\x02\x28"        # fatal, handshake_failure (RFC 8446 section 6)
_GARBAGE = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
_CHUNK = 61

KINDS: dict[str, str] = {
    "reset at accept": "RST as soon as the connection is there",
    "reset at hello": "RST after the ClientHello",
    "closed at hello": "FIN after the ClientHello",
    "garbage": "plain HTTP where TLS should be",
    "alert": "a fatal TLS alert",
    "request cut": "RST after `after` bytes from the proxy",
    "answer cut": "RST after `after` bytes from the bank",
    "answer ended": "FIN after `after` bytes from the bank, without close_notify",
    "stall": "nothing more from the bank after `after` bytes, and no end",
    "slow": "61 bytes at a time, both ways",
}


@dataclass(frozen=True, slots=True)
class Plan:
    kind: str = ""
    after: int = 0


class Link:
    """plan: asked for each connection that is accepted."""

    def __init__(self, bank_port: int, plan: Callable[[], Plan]) -> None:
        self._bank_port = bank_port
        self._plan = plan
        self._tasks: set[asyncio.Task[None]] = set()
        self.accepted = 0
        self.port = 0

    @classmethod
    @asynccontextmanager
    async def open(cls, bank_port: int, plan: Callable[[], Plan]) -> AsyncIterator[Link]:
        link = cls(bank_port, plan)
        server = await asyncio.start_server(link._accept, "127.0.0.1", 0, backlog=1024)
        link.port = server.sockets[0].getsockname()[1]
        try:
            yield link
        finally:
            server.close()
            for task in list(link._tasks):
                task.cancel()
            await asyncio.gather(*link._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.accepted += 1
        try:
            await self._serve(self._plan(), reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            pass                            # the run is over
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _serve(self, plan: Plan, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if plan.kind == "reset at accept":
            _reset(writer)
            return
        if plan.kind in ("reset at hello", "closed at hello", "garbage", "alert"):
            await reader.read(65536)
            if plan.kind == "reset at hello":
                _reset(writer)
                return
            writer.write({"garbage": _GARBAGE, "alert": _ALERT}.get(plan.kind, b""))
            writer.write_eof()
            with suppress(TimeoutError):
                async with asyncio.timeout(2):
                    await reader.read()
            return
        await self._between(plan, reader, writer)

    async def _between(self, plan: Plan, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_bank, to_bank = await asyncio.open_connection("127.0.0.1", self._bank_port)
        chunk = _CHUNK if plan.kind == "slow" else 65536
        up = asyncio.create_task(_pass(reader, to_bank, chunk, plan.after if plan.kind == "request cut" else None))
        down = asyncio.create_task(_pass(from_bank, writer, chunk, plan.after if plan.kind in (
            "answer cut", "answer ended", "stall") else None))
        try:
            done, _ = await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
            used_up = any(not task.cancelled() and task.exception() is None and task.result() for task in done)
            if used_up and plan.kind in ("request cut", "answer cut"):
                _reset(writer)
                _reset(to_bank)
            elif used_up and plan.kind == "answer ended":
                writer.write_eof()
                await up
            elif used_up:
                await up                    # stall: until the proxy gives up
        finally:
            for task in (up, down):
                task.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
            to_bank.transport.abort()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, chunk: int, budget: int | None) -> bool:
    """Passes bytes on until the end or until the budget is used up. -> whether it was"""
    while budget is None or budget > 0:
        data = await reader.read(chunk if budget is None else min(chunk, budget))
        if not data:
            return False
        if budget is not None:
            budget -= len(data)
        writer.write(data)
        await writer.drain()
    return True


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None and not writer.transport.is_closing():
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()

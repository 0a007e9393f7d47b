"""Peers that behave worse than the emulator can."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from proxy.emulator.records import Bell
from tests.e2e.line import within
from tests.e2e.standing import Files


@dataclass(slots=True)
class Peer:
    """port, and how many connections it has accepted and still has."""

    port: int = 0
    accepted: int = 0
    open: int = 0
    heard: list[bytes] = field(default_factory=list)
    bell: Bell = field(default_factory=Bell)

    async def until(self, condition: Callable[[], bool]) -> None:
        await within(self.bell.until(condition))

    async def until_all_gone(self) -> None:
        await self.until(lambda: self.open == 0)


@asynccontextmanager
async def serving(peer: Peer, handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object],
                  context: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    tasks: set[asyncio.Task[None]] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer.accepted += 1
        peer.open += 1
        peer.bell.ring()
        try:
            await handle(reader, writer)  # type: ignore[misc]
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()
            peer.open -= 1
            peer.bell.ring()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(converse(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


@asynccontextmanager
async def silent_peer() -> AsyncIterator[Peer]:
    """Accepts and reads, and never says a word."""
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async with serving(Peer(), handle) as peer:
        yield peer


def bank_context(files: Files) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.directory / "bank" / "server.crt", files.directory / "bank" / "server.key")
    return context


@asynccontextmanager
async def deaf_listener(files: Files) -> AsyncIterator[int]:
    """Shakes hands over TLS, then reads nothing any more."""
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.get_running_loop().create_future()

    async with serving(Peer(), handle, bank_context(files)) as peer:
        yield peer.port


@asynccontextmanager
async def tunnel(credentials: str = "", refuse: bytes = b"") -> AsyncIterator[Peer]:
    """A company's proxy: CONNECT, with Basic credentials when given; refuse: a status line it answers instead."""
    wanted = base64.b64encode(credentials.encode())

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        peer.heard.append(head)
        if refuse or (credentials and b"\r\nProxy-Authorization: Basic " + wanted + b"\r\n" not in head):
            writer.write((refuse or b"HTTP/1.1 407 Proxy Authentication Required") + b"\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        host, _, port = head.split(b" ", 2)[1].rpartition(b":")
        inner_reader, inner_writer = await asyncio.open_connection(host.decode(), int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))
        finally:
            inner_writer.transport.abort()
            with suppress(OSError):
                await inner_writer.wait_closed()

    peer = Peer()
    async with serving(peer, handle):
        yield peer


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write_eof()

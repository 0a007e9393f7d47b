"""Frames between the supervisor and a worker, over a socket pair: things told, and questions with an answer.

A frame is four bytes of length and a msgpack list [kind, number, name, value].  The end of the channel is the end of
the process at its other side.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import msgspec

from proxy.errors import ProxyError

_LENGTH: Final = struct.Struct(">I")
_LONGEST: Final = 16 << 20
_UNREAD: Final = 4 << 20
"""Bytes that may wait for the other side; beyond that it is taken for dead."""
_TELL, _ASK, _ANSWER, _FAILED = range(4)

Told = Callable[[str, Any], None]
Asked = Callable[[str, Any], Awaitable[object]]


class ChannelClosed(Exception):
    """Nobody is at the other side any more."""


def pair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)


def first_frame(sock: socket.socket) -> tuple[str, Any]:
    """What is told before there is an event loop.  Blocks.  Raises ChannelClosed."""
    (length,) = _LENGTH.unpack(_exactly(sock, _LENGTH.size))
    _, _, name, value = msgspec.msgpack.decode(_exactly(sock, min(length, _LONGEST)))
    return name, value


def _exactly(sock: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        piece = sock.recv(count - len(data))
        if not piece:
            raise ChannelClosed
        data += piece
    return bytes(data)


class Channel:
    """One end.  Made on the event loop by over()."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, told: Told, asked: Asked) -> None:
        """told: called with name and value.  asked: gives the answer; a ProxyError travels to whoever asked."""
        self._reader = reader
        self._writer = writer
        self._told = told
        self._asked = asked
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._number = 0
        self._open = True
        self._reading = asyncio.get_running_loop().create_task(self._read())

    @classmethod
    async def over(cls, sock: socket.socket, told: Told, asked: Asked) -> Channel:
        reader, writer = await asyncio.open_unix_connection(sock=sock)
        return cls(reader, writer, told, asked)

    @property
    def busy(self) -> bool:
        """Whether the other side has not read everything yet."""
        return bool(self._writer.transport.get_write_buffer_size())

    def tell(self, name: str, value: object = None) -> None:
        """Nothing happens when nobody is there: closed() says so."""
        self._send(_TELL, 0, name, value)

    async def ask(self, name: str, value: object = None, *, seconds: float) -> Any:
        """Raises ProxyError as the other side did, ChannelClosed, TimeoutError."""
        if not self._open:
            raise ChannelClosed
        self._number += 1
        number = self._number
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self._send(_ASK, number, name, value)
            async with asyncio.timeout(seconds):
                return await answer
        finally:
            del self._waiting[number]

    async def closed(self) -> None:
        """Returns when the other side has gone; cancelling it changes nothing."""
        await asyncio.shield(self._reading)

    async def close(self) -> None:
        self._reading.cancel()
        for task in list(self._answering):
            task.cancel()
        await asyncio.gather(self._reading, *self._answering, return_exceptions=True)
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def flushed(self) -> None:
        """Waits until the other side has been given everything."""
        with suppress(OSError):
            await self._writer.drain()

    # --- the frames

    def _send(self, kind: int, number: int, name: str, value: object) -> None:
        if not self._open:
            return
        frame = msgspec.msgpack.encode([kind, number, name, value])
        self._writer.write(_LENGTH.pack(len(frame)) + frame)
        if self._writer.transport.get_write_buffer_size() > _UNREAD:
            self._writer.transport.abort()

    async def _read(self) -> None:
        try:
            while True:
                (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
                if length > _LONGEST:
                    break
                self._hear(*msgspec.msgpack.decode(await self._reader.readexactly(length)))
        except (EOFError, OSError):     # IncompleteReadError is an EOFError
            pass
        finally:
            self._open = False
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(ChannelClosed())

    def _hear(self, kind: int, number: int, name: str, value: Any) -> None:
        if kind == _TELL:
            self._told(name, value)
        elif kind == _ASK:
            task = asyncio.get_running_loop().create_task(self._answer(number, name, value))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
        elif (answer := self._waiting.get(number)) is not None and not answer.done():
            if kind == _ANSWER:
                answer.set_result(value)
            else:
                answer.set_exception(ProxyError(*value))

    async def _answer(self, number: int, name: str, value: object) -> None:
        try:
            self._send(_ANSWER, number, name, await self._asked(name, value))
        except ProxyError as error:
            self._send(_FAILED, number, name, [error.code, error.detail])
        except Exception as error:      # noqa: BLE001 - whoever asked gets a word, and no traceback
            self._send(_FAILED, number, name, ["internal_error", type(error).__name__])

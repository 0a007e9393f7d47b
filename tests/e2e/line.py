"""A caller on a plain socket, which sends any bytes and shows the bytes that come back as they came."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
DEADLINE = 30.0


async def within(work: Awaitable[T], seconds: float = DEADLINE) -> T:
    """No test hangs: a state that does not come is a failure."""
    return await asyncio.wait_for(work, seconds)


async def eventually(condition: Any, seconds: float = DEADLINE) -> None:
    """For states nobody announces: looks again on every turn of the loop.  Prefer a bell where there is one."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


@dataclass(frozen=True, slots=True)
class Answer:
    """status, fields as received (name, value), body without chunk framing; raw: every byte."""

    status: int
    reason: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes
    raw: bytes
    version: bytes = b"HTTP/1.1"

    def all(self, name: str) -> list[bytes]:
        return [value for field, value in self.fields if field.lower() == name.lower().encode()]

    def __getitem__(self, name: str) -> str:
        """The only value of a field."""
        (value,) = self.all(name)
        return value.decode("latin-1")

    def __contains__(self, name: str) -> bool:
        return bool(self.all(name))

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def problem(self) -> tuple[int, str, str]:
        """(status, code, whether it was sent) of one of the proxy's own answers, which must all agree."""
        document = self.json
        assert self["Content-Type"] == "application/problem+json"
        assert document["status"] == self.status
        assert document["upstream_sent"] == self["Signing-Proxy-Upstream-Sent"]
        assert document["request_id"] == self["Signing-Proxy-Request-Id"]
        assert document["hint"]
        assert f'details="{document["code"]}"' in self["Proxy-Status"]
        return self.status, document["code"], document["upstream_sent"]


class Cut(Exception):
    """The connection ended before the answer did.  partial: what had come."""

    def __init__(self, partial: bytes) -> None:
        super().__init__(f"cut after {len(partial)} bytes")
        self.partial = partial


class Line:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._seen = bytearray()

    async def send(self, raw: bytes) -> None:
        """Raises Cut when the connection has ended."""
        try:
            self.writer.write(raw)
            await within(self.writer.drain())
        except (OSError, RuntimeError) as error:        # uvloop's word for a transport that is closed
            raise Cut(b"") from error

    async def ask(self, raw: bytes, *, bodiless: bool = False) -> Answer:
        await self.send(raw)
        return await self.answer(bodiless=bodiless)

    async def answer(self, *, bodiless: bool = False) -> Answer:
        """The next answer.  bodiless: it answers HEAD.  Raises Cut."""
        self._seen.clear()
        try:
            return await within(self._answer(bodiless))
        except asyncio.IncompleteReadError as error:
            raise Cut(bytes(self._seen) + error.partial) from error
        except ConnectionError as error:
            raise Cut(bytes(self._seen)) from error

    async def _answer(self, bodiless: bool) -> Answer:
        head = await self._take(self.reader.readuntil(b"\r\n\r\n"))
        first, *lines = head[:-4].split(b"\r\n")
        version, status, reason = first.split(b" ", 2)
        fields = tuple((name, value) for name, _, value in (line.partition(b": ") for line in lines))
        plain = {name.lower(): value for name, value in fields}
        body = b""
        if int(status) >= 200 and int(status) not in (204, 304) and not bodiless:
            body = await self._body(plain)
        return Answer(int(status), reason, fields, body, bytes(self._seen), version)

    async def _body(self, plain: dict[bytes, bytes]) -> bytes:
        if b"transfer-encoding" in plain:
            return b"".join([chunk async for chunk in self._chunks()])
        if b"content-length" in plain:
            return await self._take(self.reader.readexactly(int(plain[b"content-length"])))
        return await self._take(self.reader.read())

    async def _chunks(self) -> AsyncIterator[bytes]:
        while size := int(await self._take(self.reader.readuntil(b"\r\n")), 16):
            yield (await self._take(self.reader.readexactly(size + 2)))[:-2]
        assert await self._take(self.reader.readexactly(2)) == b"\r\n"

    async def _take(self, reading: Awaitable[bytes]) -> bytes:
        data = await reading
        self._seen += data
        return data

    async def rest(self) -> bytes:
        """Everything up to an orderly end of the connection.  Raises ConnectionError when it is reset."""
        return await within(self.reader.read())


@asynccontextmanager
async def connected(port: int, address: str = "127.0.0.1", *, limit: int = 1 << 20) -> AsyncIterator[Line]:
    reader, writer = await within(asyncio.open_connection(address, port, limit=limit))
    try:
        yield Line(reader, writer)
    finally:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


def reset(line: Line) -> None:
    """Leaves with a reset, so that the other side learns of it at once."""
    sock = line.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.writer.transport.abort()


def request(method: str, target: str, *fields: str, body: bytes = b"", host: str = "localhost",
            version: str = "HTTP/1.1") -> bytes:
    """A request with a Host and, where there is a body, its Content-Length; fields: whole lines."""
    length = (f"Content-Length: {len(body)}",) if body else ()
    lines = [f"{method} {target} {version}", f"Host: {host}", *fields, *length, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


BEARER = "Authorization: Bearer token"


def get(target: str, *fields: str, **more: Any) -> bytes:
    return request("GET", target, BEARER, *fields, **more)


def post(target: str, body: bytes = b'{"amount":"2.00"}', *fields: str, method: str = "POST", **more: Any) -> bytes:
    return request(method, target, BEARER, "Content-Type: application/json", *fields, body=body, **more)

"""A developer at the inspector, without a browser."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.e2e.line import Answer, Line, within
from tests.e2e.peers import Peer, bank_context, serving
from tests.e2e.standing import Files, Proxy

HOST = "localhost"


def token(proxy: Proxy) -> str:
    return proxy.running.inspector.tokens()[0].reveal().decode()


async def ask(proxy: Proxy, path: str, *headers: str, method: str = "GET", body: bytes = b"", given: str | None = None,
              ) -> Answer:
    """given: another token than the right one."""
    lines = [f"{method} /inspector/api/{path} HTTP/1.1", f"Host: {HOST}",
             f"Authorization: Bearer {token(proxy) if given is None else given}", *headers,
             *([f"Content-Length: {len(body)}"] if body else [])]
    return await proxy.ask("\r\n".join([*lines, "", ""]).encode() + body, listener="admin")


async def exchanges(proxy: Proxy) -> list[dict[str, Any]]:
    """Newest first."""
    return (await ask(proxy, "exchanges")).json["exchanges"]


async def exchange(proxy: Proxy, number: int | None = None) -> dict[str, Any]:
    """The last one, or this one."""
    number = number or (await exchanges(proxy))[0]["id"]
    return (await ask(proxy, f"exchange?id={number}")).json


async def replay(proxy: Proxy, number: int, **order: Any) -> Answer:
    return await ask(proxy, "replay", "Content-Type: application/json", method="POST",
                     body=json.dumps({"id": number, **order}).encode())


def values(headers: list[list[str]], name: str) -> list[str]:
    return [value for given, value, *_ in headers if given.lower() == name.lower()]


def marks(headers: list[list[str]]) -> dict[str, str]:
    return {name: mark for name, _, mark in headers}


class Page:
    """Live updates as a page gets them."""

    def __init__(self, line: Line) -> None:
        self.line = line

    async def next(self) -> tuple[str, Any]:
        """The next event that is one, and its data."""
        while True:
            size = int((await within(self.line.reader.readuntil(b"\r\n"))).strip(), 16)
            chunk = (await within(self.line.reader.readexactly(size + 2)))[:-2].decode()
            if chunk.startswith(":"):
                continue
            name, data = chunk.removesuffix("\n\n").split("\n")
            return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))

    async def calls(self) -> list[dict[str, Any]]:
        name, data = await self.next()
        assert name == "calls"
        return data


@asynccontextmanager
async def watching(proxy: Proxy) -> AsyncIterator[Page]:
    async with proxy.connect("admin") as line:
        await line.send(f"GET /inspector/api/events HTTP/1.1\r\nHost: {HOST}\r\n"
                        f"Authorization: Bearer {token(proxy)}\r\n\r\n".encode())
        head = await within(line.reader.readuntil(b"\r\n\r\n"))
        assert head.startswith(b"HTTP/1.1 200 "), head
        page = Page(line)
        assert await page.next() == ("open", {})
        yield page


@asynccontextmanager
async def answering(files: Files, raw: bytes) -> AsyncIterator[str]:
    """A bank that answers every request with these bytes; its URL."""
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not (await reader.readuntil(b"\r\n\r\n")).startswith(b"\r\n"):
            writer.write(raw)
            await writer.drain()

    async with serving(Peer(), handle, bank_context(files)) as peer:
        yield f"https://127.0.0.1:{peer.port}"


async def curl(command: str, **variables: str) -> bytes:
    """What a shell makes of it; the exit code is 0."""
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", command, env={"PATH": "/usr/local/bin:/usr/bin:/bin", **variables},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    out, err = await within(process.communicate())
    assert process.returncode == 0, err
    return out

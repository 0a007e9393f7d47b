"""A caller that asks for a tunnel and speaks TLS in it, byte by byte under the test's control."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.e2e.line import Answer, Cut, Line, connected, within
from tests.e2e.standing import BANK_NAME, Proxy


def connect(authority: str, *fields: str, host: str | None = None) -> bytes:
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority if host is None else host}", *fields, "", ""]
    return "\r\n".join(lines).encode()


def trusting(proxy: Proxy) -> ssl.SSLContext:
    """A client that trusts this proxy's authority and nothing else."""
    assert proxy.running.authority is not None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=proxy.running.authority.pem.decode())
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


class Inside:
    """The writer and the reader of a Line inside TLS over another Line.  tls: what was agreed on."""

    def __init__(self, outside: Line, context: ssl.SSLContext, name: str | None) -> None:
        context.check_hostname = context.check_hostname and name is not None
        self._outside = outside
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self.plain = asyncio.StreamReader(limit=1 << 20)
        self._pump: asyncio.Task[None] | None = None

    def hello(self) -> bytes:
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return self._outgoing.read()

    async def shake(self) -> None:
        """Raises ssl.SSLError, Cut."""
        while True:
            try:
                self.tls.do_handshake()
                await self._flush()
                self._pump = asyncio.create_task(self._read())
                return
            except ssl.SSLWantReadError:
                await self._flush()
                await self._more()
            except ssl.SSLError:
                await self._flush()     # the alert
                raise

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await self._outside.send(self._outgoing.read())

    async def _more(self) -> None:
        data = await within(self._outside.reader.read(65536))
        if not data:
            raise Cut(b"")
        self._incoming.write(data)

    async def _read(self) -> None:
        try:
            while True:
                try:
                    data = self.tls.read(65536)
                    if not data:
                        break
                    self.plain.feed_data(data)
                except ssl.SSLWantReadError:
                    data = await self._outside.reader.read(65536)
                    if not data:
                        break
                    self._incoming.write(data)
        except ssl.SSLZeroReturnError:
            pass
        except OSError as error:
            self.plain.set_exception(ConnectionResetError(str(error)))
            return
        self.plain.feed_eof()

    # --- as an asyncio.StreamWriter, as far as Line needs one

    def write(self, raw: bytes) -> None:
        self.tls.write(raw)
        self._outside.writer.write(self._outgoing.read())

    async def drain(self) -> None:
        await self._outside.writer.drain()

    def say_goodbye(self) -> None:
        """close_notify, and the stream stays open to read."""
        try:
            self.tls.unwrap()
        except ssl.SSLError:
            pass
        self._outside.writer.write(self._outgoing.read())

    async def close(self) -> None:
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)


@asynccontextmanager
async def tunnelled(proxy: Proxy, *fields: str, authority: str = f"{BANK_NAME}:443", name: str | None = BANK_NAME,
                    context: ssl.SSLContext | None = None, early: bool = False, listener: str = "main",
                    ) -> AsyncIterator[Line]:
    """name: the TLS server name, None for none.  early: the ClientHello comes with the CONNECT.

    The line's writer is an Inside.  Raises ssl.SSLError, Refused.
    """
    async with connected(proxy.port(listener)) as outside:
        inside = Inside(outside, context or trusting(proxy), name)
        hello = inside.hello()
        answer = await outside.ask(connect(authority, *fields) + (hello if early else b""), bodiless=True)
        if answer.status != 200:
            raise Refused(answer)
        if not early:
            await outside.send(hello)
        try:
            await inside.shake()
            yield Line(inside.plain, inside)  # type: ignore[arg-type]
        finally:
            await inside.close()


class Refused(Exception):
    """The tunnel was not opened."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def last_head(bank: Any) -> list[bytes]:
    """The lines of the head that the bank received last."""
    return bank.received[-1].head.split(b"\r\n\r\n")[0].split(b"\r\n")

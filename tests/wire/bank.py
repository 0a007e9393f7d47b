"""A bank made of a TLS listener and a script, and a call that writes down what the pool tells it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress

from proxy.wire.dial import Dialer, Origin, Resolver
from proxy.wire.limits import Limits, Timeouts
from proxy.wire.pool import Pool

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Line:
    """One accepted connection."""

    def __init__(self, reader, writer) -> None:
        self.reader, self.writer = reader, writer

    async def request(self) -> bytes:
        """The next whole request."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        return head + await self.reader.readexactly(int(length or 0))

    async def answer(self, raw: bytes = OK) -> bytes:
        request = await self.request()
        self.writer.write(raw)
        return request

    def cut(self) -> None:
        if not self.writer.transport.is_closing():     # Python 3.11.2 fails on one that has already let go
            self.writer.transport.abort()

    async def end(self) -> bytes:
        """What still comes until the other side closes."""
        try:
            return await self.reader.read()
        except OSError:
            return b""


class Bank:
    def __init__(self) -> None:
        self.accepted: asyncio.Queue[Line] = asyncio.Queue()
        self.lines: list[Line] = []

    async def line(self) -> Line:
        return await self.accepted.get()

    def _accept(self, reader, writer) -> None:
        line = Line(reader, writer)
        self.lines.append(line)
        self.accepted.put_nowait(line)

    @classmethod
    @asynccontextmanager
    async def open(cls, context=None):
        bank = cls()
        server = await asyncio.start_server(bank._accept, "127.0.0.1", 0, ssl=context)
        bank.address, bank.port = server.sockets[0].getsockname()
        bank.origin = Origin("127.0.0.1", bank.port, "bank.test")
        try:
            yield bank
        finally:
            server.close()
            for line in bank.lines:
                line.cut()
                with suppress(OSError):
                    await line.writer.wait_closed()


class Call:
    """Seals with its method and the number of the attempt; events: what it was told, in order."""

    left = False

    def __init__(self, pool: Pool, method: bytes = b"GET", *, body: bytes = b"", late: bool = False, seal=None) -> None:
        self.pool, self.method, self.body_sent, self.late, self.raise_ = pool, method, body, late, seal
        self.seals, self.events, self.payload = 0, [], b""
        self.failure = self.sent = self.response = None
        self.done = asyncio.get_running_loop().create_future()
        self.sealing = asyncio.Event()
        self.has_head = asyncio.Event()

    def submit(self, within: float = 100.0) -> Call:
        self.ticket = self.pool.submit(self, self.method, self.pool.now() + within)
        return self

    def bytes(self) -> bytes:
        return b"%b /%d HTTP/1.1\r\nHost: bank.test\r\nContent-Length: %d\r\n\r\n%b" % (
            self.method, self.seals, len(self.body_sent), self.body_sent)

    def seal(self, ticket):
        self.seals += 1
        self.sealing.set()
        if self.raise_ is not None:
            raise self.raise_
        return None if self.late else self.bytes()

    def head(self, response) -> None:
        self.response = response
        self.has_head.set()
        self.events.append("head")

    def body(self, data: bytes) -> None:
        self.payload += data

    def flush(self) -> None:
        self.events.append("flush")

    def end(self) -> None:
        self.events.append("end")
        self.done.set_result(None)

    def failed(self, failure, sent) -> None:
        assert not self.done.done(), "told twice"
        assert getattr(failure, "sent", sent) == sent
        self.failure, self.sent = failure, sent
        self.events.append("failed")
        self.done.set_result(None)

    async def outcome(self) -> tuple:
        """(status, body), or (code, sent)."""
        await self.done
        return (self.failure.code, self.sent) if self.failure else (self.response.status, self.payload)


class Watched(list):
    """The pool's events."""

    def connection(self, event: str) -> None:
        self.append(event)


class Fixed(Resolver):
    """Resolves to what a test says, the last answer for ever."""

    def __init__(self, *answers) -> None:
        super().__init__(30)
        self.answers = list(answers)

    async def resolve(self, host, port):
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@asynccontextmanager
async def pool_to(origin: Origin, context, *, resolver=None, egress=None, limits=None, kept=10.0, **timeouts):
    """A pool whose clock the test moves: pool.ahead seconds before the loop's.  kept: how long its bank is known to
    keep an idle connection."""
    loop = asyncio.get_running_loop()
    dialer = Dialer(context, resolver or Resolver(30), egress=egress)
    pool = Pool(origin, dialer, Limits(**(limits or {})), Timeouts(**timeouts), Watched())
    pool.patience.kept(kept)
    pool.ahead = 0.0
    pool.now = lambda: loop.time() + pool.ahead
    try:
        yield pool
    finally:
        await pool.close()
        while pool.counts[0]:       # until every transport has said goodbye
            await asyncio.sleep(0)

"""Plain requests to other hosts: unsigned, once, with a truthful word about what was sent."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from ipaddress import ip_network

import pytest

from proxy.core.destinations import Verdict, read_authority
from proxy.core.message import Request
from proxy.serve.forward import Forward, unsigned
from proxy.wire.limits import Limits, Timeouts
from proxy.wire.outbound import Outbound
from proxy.wire.solo import Solos
from tests.wire.bank import OK, Bank, Fixed
from tests.wire.door import App, Door, Server

LOOPBACK = (ip_network("127.0.0.0/8"),)
SECRET = b"hunter2"


class Desk(App):
    """An application that forwards everything.  recorded: exchanges."""

    full_paths = False

    def __init__(self, resolver) -> None:
        super().__init__()
        self.timeouts, self.recorded = Timeouts(
            connect=1000, first_byte=20, between_bytes=20, write=20, deadline=100), asyncio.Queue()
        self.solos = Solos(Outbound(resolver, lambda address, port: False), Limits(), self.timeouts)
        self.ahead, self.verdict = 0.0, Verdict("tunnel", LOOPBACK)
        loop = asyncio.get_running_loop()
        self.now = self.solos.now = lambda: loop.time() + self.ahead

    def later(self, seconds: float) -> None:
        self.ahead += seconds
        self.solos.tick()

    def request_id(self, request) -> str:
        return "id-1"

    def record(self, exchange, ruling) -> None:
        self.recorded.put_nowait(exchange)

    def handle(self, connection, request) -> None:
        destination = read_authority(request.authority, default_port=80)
        connection.call = Forward(self, connection, request, destination, self.verdict, self.solos)
        connection.call.begin()

    def gone(self, connection) -> None:
        connection.call.gone()

    def half_closed(self, connection) -> None:
        connection.call.half_closed()

    def pause(self, connection) -> None:
        connection.call.pause()

    def resume(self, connection) -> None:
        connection.call.resume()


@asynccontextmanager
async def forwarding(resolver):
    desk = Desk(resolver)
    server = Server(desk, Limits(), Timeouts())
    ((address, port),) = await server.listen("main", "127.0.0.1", 0)
    door = Door(server, desk, address, port)
    try:
        yield door
    finally:
        await server.close()
        await desk.solos.close()
        for caller in door.callers:
            caller.writer.transport.abort()
        while desk.solos.live or server.connections:
            await asyncio.sleep(0)


@pytest.fixture
async def site():
    """The other host."""
    async with Bank.open() as site:
        yield site


@pytest.fixture
async def door(site):
    async with forwarding(Fixed([(2, "127.0.0.1", site.port)])) as door:
        yield door


def asking(method: bytes = b"GET", *fields: bytes, body: bytes = b"", path: bytes = b"/a?b=c") -> bytes:
    length = (b"Content-Length: %d" % len(body),) if body else ()
    return b"\r\n".join((b"%b http://Site.test%b HTTP/1.1" % (method, path), b"Host: Site.test", *fields, *length, b"",
                         body))


async def test_it_goes_out_in_origin_form_without_what_was_meant_for_us(door, site):
    caller = await door.call()
    caller.say(asking(b"POST", b"Proxy-Authorization: Bearer " + SECRET, b"Proxy_Authorization: " + SECRET,
                      b"Proxy-Connection: keep-alive", b"Connection: keep-alive, X-Hop", b"X-Hop: 1", b"TE: trailers",
                      b"Accept: a/b", b"accept: c/d", b"Authorization: kept", body=b"body"))
    line = await site.line()
    raw = await line.request()
    assert raw == (b"POST /a?b=c HTTP/1.1\r\nHost: Site.test\r\nAccept: a/b\r\naccept: c/d\r\nAuthorization: kept\r\n"
                   b"Content-Length: 4\r\nConnection: close\r\n\r\nbody")
    assert SECRET not in raw
    line.writer.write(OK)
    assert (await caller.answer())[::2] == (200, b"ok")
    exchange = await door.app.recorded.get()
    assert (exchange.outcome, exchange.sent, exchange.status, exchange.route, exchange.request_bytes,
            exchange.response_bytes, exchange.notes) == ("answered", "yes", 200, "none", 4, 2, ())


@pytest.mark.parametrize(("method", "length"), [(b"GET", False), (b"POST", True), (b"DELETE", False)])
def test_a_length_is_given_where_one_is_expected(method, length):
    assert (b"Content-Length: 0" in unsigned(Request(method, b"/", [], authority=b"a"))) is length


async def test_every_request_has_a_connection_of_its_own(door, site):
    caller = await door.call()
    for _ in range(2):
        caller.say(asking())
        line = await site.line()
        await line.answer()
        assert (await caller.answer())[0] == 200
        assert await line.end() == b""
    assert len(site.lines) == 2


async def test_what_would_be_denied_is_noted(door, site):
    door.app.verdict = Verdict("report", LOOPBACK)
    caller = await door.call()
    caller.say(asking())
    await (await site.line()).answer()
    await caller.answer()
    assert (await door.app.recorded.get()).notes == ("would_be_denied",)


async def test_an_answer_of_unknown_length_is_streamed(door, site):
    caller = await door.call()
    caller.say(asking())
    line = await site.line()
    await line.request()
    line.writer.write(b"HTTP/1.1 200 OK\r\n\r\none")
    assert await caller.reader.readuntil(b"one") == b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none"
    line.writer.close()
    assert await caller.reader.readuntil(b"0\r\n\r\n") == b"\r\n0\r\n\r\n"


async def test_an_address_that_may_not_be_is_never_dialled(door, site):
    door.app.verdict = Verdict("tunnel", ())
    status, fields, body = await (await door.call()).ask(asking())
    assert (status, fields[b"Signing-Proxy-Upstream-Sent"]) == (403, b"no")
    assert b'"address_denied"' in body
    assert site.lines == []
    exchange = await door.app.recorded.get()
    assert (exchange.outcome, exchange.sent, exchange.code) == ("refused", "no", "address_denied")


@pytest.mark.parametrize(("raw", "code", "status"), [
    (b"", "destination_closed", 502), (b"HTTP/1.1 200 OK\r\n", "destination_closed", 502),
    (b"SSH-2.0-x\r\n\r\n", "destination_malformed", 502),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "destination_malformed", 502),
    (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "destination_malformed", 502)])
@pytest.mark.parametrize("method", [b"GET", b"POST"])
async def test_a_bad_answer_is_not_asked_for_again(door, site, method, raw, code, status):
    caller = await door.call()
    caller.say(asking(method))
    line = await site.line()
    await line.request()
    line.writer.write(raw)
    line.writer.close()
    answer = await caller.answer()
    assert (answer[0], answer[1][b"Signing-Proxy-Upstream-Sent"]) == (status, b"maybe")
    assert b"may have acted" in answer[2]
    assert (await door.app.recorded.get()).code == code
    assert len(site.lines) == 1


async def test_no_answer_in_time(door, site):
    caller = await door.call()
    caller.say(asking())
    await (await site.line()).request()
    door.app.later(19)
    assert door.app.recorded.empty()
    door.app.later(2)
    answer = await caller.answer()
    assert (answer[0], answer[1][b"Signing-Proxy-Upstream-Sent"]) == (504, b"maybe")
    assert (await door.app.recorded.get()).code == "destination_no_answer"


async def test_an_answer_that_stops_in_the_middle_is_cut(door, site):
    caller = await door.call()
    caller.say(asking())
    line = await site.line()
    await line.request()
    line.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\none")
    await caller.reader.readuntil(b"one")
    door.app.later(21)
    with pytest.raises(ConnectionResetError):
        await caller.rest()
    exchange = await door.app.recorded.get()
    assert (exchange.outcome, exchange.code, exchange.sent) == ("cut", "destination_no_answer", "maybe")


async def test_nobody_there(site):
    async with forwarding(Fixed([(2, "127.0.0.1", 1)])) as door:
        answer = await (await door.call()).ask(asking())
        assert (answer[0], answer[1][b"Signing-Proxy-Upstream-Sent"]) == (502, b"no")
        assert (await door.app.recorded.get()).code == "destination_unreachable"
        assert not door.app.solos.live


class Never(Fixed):
    """Does not answer."""

    async def resolve(self, host, port):
        await asyncio.Event().wait()


async def test_a_caller_that_leaves_before_anything_was_sent():
    async with forwarding(Never()) as door:
        caller = await door.call()
        caller.say(asking())
        while not door.app.solos.live:
            await asyncio.sleep(0)
        caller.reset()
        exchange = await door.app.recorded.get()
        assert (exchange.outcome, exchange.sent) == ("client_gone", "no")
        door.app.solos.tick()
        while door.app.solos.live:
            await asyncio.sleep(0)


async def test_a_caller_that_half_closes_before_anything_was_sent():
    async with forwarding(Never()) as door:
        caller = await door.call()
        caller.say(asking())
        while not door.app.solos.live:
            await asyncio.sleep(0)
        caller.writer.write_eof()
        answer = await caller.answer()
        assert (answer[0], answer[1][b"Signing-Proxy-Upstream-Sent"]) == (400, b"no")


async def test_the_whole_call_has_a_deadline():
    async with forwarding(Never()) as door:
        caller = await door.call()
        caller.say(asking())
        while not door.app.solos.live:
            await asyncio.sleep(0)
        door.app.later(101)
        assert (await caller.answer())[0] == 504
        assert (await door.app.recorded.get()).code == "destination_timeout"


async def test_a_caller_that_leaves_after_sending(door, site):
    caller = await door.call()
    caller.say(asking(b"POST", body=b"x"))
    line = await site.line()
    await line.request()
    caller.reset()
    while door.server.connections:
        await asyncio.sleep(0)
    line.writer.write(OK)
    exchange = await door.app.recorded.get()
    assert (exchange.outcome, exchange.sent, exchange.status) == ("client_gone", "yes", 200)

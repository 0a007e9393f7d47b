"""Whatever Vault does with a connection, an exchange on the loop ends in time, once, and with its own answer."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from time import monotonic

import pytest

from proxy.keys.vault import dialling
from proxy.keys.vault import links as links_module
from proxy.keys.vault.exchange import Answer, Unreachable, head, whole
from proxy.keys.vault.links import Links
from proxy.keys.vault.place import Address
from tests.e2e.line import eventually, within

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
LONG = 60.0


class Scripted:
    """A Vault whose connections do as they are told.  script(request, writer): after each whole request; False closes.

    greeting: said first on every connection.  asked: the bodies of all requests.  connections: how many there have
    been.  open: how many there are.
    """

    def __init__(self, script, greeting=b""):
        self.script = script
        self.greeting = greeting
        self.asked: list[bytes] = []
        self.connections = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for _ in range(3):
            await asyncio.sleep(0)
        await self._server.wait_closed()

    @property
    def open(self):
        return len(self._writers)

    async def _accept(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        self._writers.add(writer)
        self.connections += 1
        writer.write(self.greeting)
        try:
            while True:
                length = int((await reader.readuntil(b"\r\n\r\n")).rpartition(b"Content-Length: ")[2])
                self.asked.append(await reader.readexactly(length))
                if await self.script(self.asked[-1], writer) is False:
                    break
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self._writers.discard(writer)


async def answer(body, writer):
    writer.write(OK + body)


async def never(body, writer):
    await asyncio.sleep(LONG)


@pytest.fixture
async def scripted():
    async with contextlib.AsyncExitStack() as stack:
        async def start(script=answer, **settings):
            return await stack.enter_async_context(Scripted(script, **settings))

        yield start


@pytest.fixture
async def linked(scripted):
    """linked(vault, most=64): links to it."""
    made = []

    def make(vault, *, most=64, secure=False, host="127.0.0.1"):
        made.append(Links(Address(secure, host, vault.port, host), ssl.create_default_context, most))
        return made[-1]

    yield make
    for links in made:
        links.close()
        await links.closed()
        await eventually(lambda links=links: not links.links)


async def ask(links, body=b"ab", seconds=30.0):
    """The outcome; asserts that there is only one."""
    done = asyncio.get_running_loop().create_future()
    links.ask(whole(head("vault", "POST", "/v1/x", {}), body), monotonic() + seconds, done.set_result)
    return await within(done)


async def test_links_are_kept_and_used_again(scripted, linked):
    vault = await scripted()
    links = linked(vault)
    for body in (b"a1", b"b2", b"c3"):
        assert await ask(links, body) == Answer(200, body)
    assert vault.connections == 1


async def test_one_exchange_on_a_link_at_a_time(scripted, linked):
    """Answers come in another order than questions, and each finds its own."""
    held = {}

    async def swap(body, writer):
        held[body] = writer
        if len(held) == 2:
            for known, to in reversed(held.items()):
                to.write(OK + known)

    vault = await scripted(swap)
    links = linked(vault)
    assert await asyncio.gather(ask(links, b"a1"), ask(links, b"b2")) == [Answer(200, b"a1"), Answer(200, b"b2")]
    assert vault.connections == 2


async def test_a_kept_link_that_is_closed_instead_of_an_answer_is_replaced_once(scripted, linked):
    vault = await scripted(lambda body, writer: closing(vault, body, writer))

    async def closing(vault, body, writer):
        if len(vault.asked) == 1 or vault.connections == 2:
            writer.write(OK + body)
        else:
            return False

    links = linked(vault)
    assert await ask(links, b"a1") == Answer(200, b"a1")
    assert await ask(links, b"b2") == Answer(200, b"b2")
    assert (vault.asked, vault.connections) == ([b"a1", b"b2", b"b2"], 2)


async def test_a_fresh_link_that_is_closed_instead_of_an_answer_is_not(scripted, linked):
    async def close(body, writer):
        return False

    vault = await scripted(close)
    outcome = await ask(linked(vault))
    assert (outcome.clause, outcome.late) == ("the connection broke", False)
    assert vault.asked == [b"ab"]


async def test_a_kept_link_that_breaks_within_an_answer_is_not_replaced(scripted, linked):
    async def cut(body, writer):
        writer.write(OK + (body if body == b"a1" else body[:1]))
        return body == b"a1"

    vault = await scripted(cut)
    links = linked(vault)
    await ask(links, b"a1")
    assert (await ask(links, b"b2")).clause == "the connection broke"
    assert vault.asked == [b"a1", b"b2"]


async def test_a_link_that_vault_closes_while_nobody_asks_is_forgotten(scripted, linked):
    async def last(body, writer):
        writer.write(OK + body)
        return False

    vault = await scripted(last)
    links = linked(vault)
    for body in (b"a1", b"b2"):
        assert await ask(links, body) == Answer(200, body)
        await eventually(lambda: not links.links)
    assert vault.asked == [b"a1", b"b2"]


@pytest.mark.parametrize(("raw", "kept"), [
    (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nab", False),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab", False),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1;x=y\r\nb\r\n0\r\nT: x\r\n\r\n", True),
    (b"HTTP/1.1 200 OK\r\nCONTENT-LENGTH: 2\r\n\r\nab", True)], ids=["close", "1.0", "chunks", "length"])
@pytest.mark.parametrize("by_byte", [False, True], ids=["at once", "byte by byte"])
async def test_every_framing(scripted, linked, raw, kept, by_byte):
    async def write(body, writer):
        for piece in ([raw[at:at + 1] for at in range(len(raw))] if by_byte else [raw]):
            writer.write(piece)
            await asyncio.sleep(0)

    vault = await scripted(write)
    links = linked(vault)
    for _ in range(2):
        assert await ask(links) == Answer(200, b"ab")
    assert vault.connections == (1 if kept else 2)


async def test_an_answer_that_ends_with_its_connection(scripted, linked):
    async def write(body, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nab")
        return False

    assert await ask(linked(await scripted(write))) == Answer(200, b"ab")


@pytest.mark.parametrize("raw", [
    b"220 mail ready\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nab",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nab",
    b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (1 << 21), b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000,
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"T: x\r\n" * 100],
    ids=["another protocol", "two lengths", "length and chunks", "too long", "interim", "endless", "long head",
         "trailers"])
async def test_what_is_no_answer_ends_the_link(scripted, linked, raw):
    async def write(body, writer):
        writer.write(raw)

    vault = await scripted(write)
    links = linked(vault)
    assert (await ask(links)).clause == "what it answered is not HTTP, or larger than 1 MiB"
    assert not links.links


async def test_bytes_that_nobody_asked_for_are_not_the_next_answer(scripted, linked):
    async def twice(body, writer):
        writer.write(OK + body)
        await asyncio.sleep(0)
        writer.write(OK + b"xx")

    vault = await scripted(twice)
    links = linked(vault)
    assert await ask(links, b"a1") == Answer(200, b"a1")
    await eventually(lambda: not links.links)
    assert await ask(links, b"b2") == Answer(200, b"b2")


async def test_bytes_behind_an_answer_are_not_the_next_answer(scripted, linked):
    async def twice(body, writer):
        writer.write(OK + body + OK + b"xx")

    vault = await scripted(twice)
    links = linked(vault)
    for body in (b"a1", b"b2"):
        assert await ask(links, body) == Answer(200, body)
    assert vault.connections == 2


async def test_an_answer_that_comes_too_late_is_nobodys(scripted, linked):
    late = asyncio.Event()

    async def hold(body, writer):
        if body == b"a1":
            await late.wait()
        writer.write(OK + body)

    vault = await scripted(hold)
    links = linked(vault)
    outcome = await ask(links, b"a1", seconds=0.05)
    assert (outcome.clause, outcome.late) == ("it did not answer in time", True)
    late.set()
    assert await ask(links, b"b2") == Answer(200, b"b2")
    assert vault.connections == 2


async def test_drops_of_an_answer_are_no_answer_in_time(scripted, linked):
    async def drip(body, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nX: ")
        while True:
            writer.write(b"x")
            await asyncio.sleep(0.01)

    assert (await ask(linked(await scripted(drip)), seconds=0.2)).late


async def test_each_has_its_own_deadline(scripted, linked):
    vault = await scripted(never)
    links = linked(vault)
    outcomes = [asyncio.ensure_future(ask(links, b"%d " % number, seconds=0.05 * (number + 1))) for number in range(3)]
    for number, outcome in enumerate(outcomes):
        assert (await outcome).late
        assert len(links.asked) == 2 - number
    assert not links.links


async def test_tls_that_does_not_come_up_in_time(scripted, linked):
    """It reads the handshake and says nothing."""
    links = linked(await scripted(), secure=True)
    outcome = await ask(links, seconds=0.2)
    assert (outcome.clause, outcome.late) == ("no connection could be made in time", True)
    await links.closed()
    assert not links.links


async def test_who_does_not_speak_tls(scripted, linked):
    vault = await scripted(greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert (await ask(linked(vault, secure=True))).clause == "it does not speak TLS"


async def test_a_connection_that_is_gone_as_soon_as_it_is_there(scripted, linked, monkeypatch):
    """Its end is told before whoever dialled it goes on."""
    links = linked(await scripted())
    connected = links._dialler.connected

    async def gone(make, deadline):
        link = await connected(make, deadline)
        link.abort()
        await eventually(lambda: not links.links)
        await asyncio.sleep(0.01)
        return link

    monkeypatch.setattr(links._dialler, "connected", gone)
    assert (await ask(links)).clause == "the connection broke"


async def test_nobody_there(scripted, linked):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    vault = await scripted()
    vault.port = port
    outcome = await ask(linked(vault))
    assert (outcome.clause, outcome.late) == ("the connection was refused or cannot be made", False)


async def test_another_address_of_the_name(scripted, linked, monkeypatch):
    vault = await scripted()
    rows = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, vault.port))
            for address in ("127.0.0.9", "127.0.0.1")]
    monkeypatch.setattr(dialling.socket, "getaddrinfo", lambda *_, **__: rows)
    assert await ask(linked(vault, host="vault.test")) == Answer(200, b"ab")


async def test_a_name_that_is_unknown(scripted, linked, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(-2, "CANARY")

    monkeypatch.setattr(dialling.socket, "getaddrinfo", unknown)
    assert (await ask(linked(await scripted(), host="vault.test"))).clause == "its name does not resolve"


async def test_a_lookup_that_hangs_is_one(scripted, linked, monkeypatch):
    """It holds one thread, whoever waits for it, and those only until their time is over."""
    vault, looked, go_on = await scripted(), [], threading.Event()

    def hang(*_, **__):
        looked.append(threading.current_thread().name)
        assert go_on.wait(60)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", vault.port))]

    monkeypatch.setattr(dialling.socket, "getaddrinfo", hang)
    links = linked(vault, host="vault.test")
    first = await asyncio.gather(*(ask(links, seconds=0.1) for _ in range(5)))
    assert all(outcome.late for outcome in first)
    second = asyncio.ensure_future(ask(links, b"b2"))
    await asyncio.sleep(0)
    go_on.set()
    assert await second == Answer(200, b"b2")
    assert looked == ["vault address"]


async def test_as_many_links_are_kept_as_may_be(scripted, linked):
    together = asyncio.Barrier(6)

    async def all_at_once(body, writer):
        await together.wait()
        writer.write(OK + body)

    vault = await scripted(all_at_once)
    links = linked(vault, most=3)
    await asyncio.gather(*(ask(links) for _ in range(6)))
    await eventually(lambda: vault.open == 3)
    assert len(links.links) == 3


async def test_a_link_that_nobody_used_for_long_is_not_used(scripted, linked, monkeypatch):
    vault = await scripted()
    links = linked(vault)
    await ask(links)
    monkeypatch.setattr(links_module, "IDLE_S", 0.0)
    await asyncio.sleep(0.01)
    await ask(links)
    assert vault.connections == 2


async def test_the_end_tells_everybody_and_leaves_nothing(scripted, linked):
    """Those who wait for an answer, and those who wait for a connection."""
    vault = await scripted(never)
    answering, dialling = linked(vault), linked(vault, secure=True)
    waiting = [asyncio.ensure_future(ask(links)) for links in (answering, answering, dialling)]
    await eventually(lambda: len(vault.asked) == 2 and vault.connections == 3)
    for links in (answering, dialling):
        links.close()
        await links.closed()
    outcomes = await asyncio.gather(*waiting)
    assert [outcome.clause for outcome in outcomes] == ["the proxy is stopping"] * 3
    assert isinstance(await ask(answering), Unreachable)
    await eventually(lambda: not answering.links and not dialling.links)

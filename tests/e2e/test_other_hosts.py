"""What HTTP_PROXY also brings: calls to hosts that are no bank.  Denied, or passed on untouched, and never signed."""

from __future__ import annotations

import asyncio
import gc
import os
import signal

import pytest

from proxy.config.model import Destination, Listener
from proxy.wire.dial import Resolver
from tests.e2e.line import connected, eventually, get, post, request, reset
from tests.e2e.peers import Peer, serving, silent_peer
from tests.e2e.standing import BANK_NAME
from tests.e2e.tunnels import connect

LOOPBACK = ("127.0.0.0/8",)


def rule(port: int, policy: str = "tunnel", host: str = "127.0.0.1", **more) -> tuple[Destination, ...]:
    return (Destination(host=host, policy=policy, ports=(port,), **{"allow_addresses": LOOPBACK, **more}),)


@pytest.fixture
async def echo():
    """Gives back what it hears, and half-closes when its peer does."""
    peer = Peer()

    async def handle(reader, writer):
        while data := await reader.read(65536):
            peer.heard.append(data)
            writer.write(data)
            await writer.drain()
        writer.write_eof()
        await reader.read()

    async with serving(peer, handle):
        yield peer


@pytest.fixture
async def shop():
    """A plain HTTP server."""
    peer = Peer()

    async def handle(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = [int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        peer.heard.append(head + (await reader.readexactly(length[0]) if length else b""))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Two: 1\r\nX-Two: 2\r\n\r\nhello")
        await writer.drain()
        await reader.read()

    async with serving(peer, handle):
        yield peer


@pytest.mark.parametrize("policy", ["tunnel", "report"])
async def test_a_tunnel_passes_bytes_both_ways(bank, start_proxy, echo, policy):
    proxy = await start_proxy(bank, destinations=rule(echo.port, policy))
    async with connected(proxy.port()) as line:
        answer = await line.ask(connect(f"127.0.0.1:{echo.port}") + b"early", bodiless=True)
        assert (answer.status, answer.reason, answer.fields) == (200, b"Connection established", ())
        assert await line.reader.readexactly(5) == b"early"
        for number in range(10):
            await line.send(b"\x00\xff%d" % number)
            assert await line.reader.readexactly(3) == b"\x00\xff%d" % number
        line.writer.write_eof()
        assert await line.rest() == b""
    record = await proxy.lines.last()
    assert (record.method, record.form, record.destination, record.policy) == (
        "CONNECT", "connect", f"127.0.0.1:{echo.port}", policy)
    assert (record.status, record.outcome, record.detail, record.request_bytes, record.response_bytes) == (
        200, "answered", "closed", 35, 35)
    assert await proxy.metric("signing_proxy_tunnels_total", policy=policy, outcome="closed") == 1
    assert await proxy.metric("signing_proxy_tunnel_bytes_total", direction="sent") == 35
    assert await proxy.metric("signing_proxy_open_tunnels") == 0
    await proxy.until_connections(0)
    assert bank.received.total == 0


async def test_a_plain_request_is_passed_on_unsigned(bank, start_proxy, shop):
    proxy = await start_proxy(bank, destinations=rule(shop.port))
    host = f"127.0.0.1:{shop.port}"
    raw = post(f"http://{host}//a/../b?c=%zz", b"x=1", "Proxy-Authorization: Basic dTpw", "Proxy-Connection: close",
               "Connection: X-Mine", "X-Mine: 1", "X-Other: 2", host=host)
    async with proxy.connect() as line:
        answer = await line.ask(raw)
        assert (answer.status, answer.body, answer.all("X-Two")) == (200, b"hello", [b"1", b"2"])
        assert (await line.ask(get("/echo"))).status == 200     # and the connection goes on, to the bank
    (heard,) = shop.heard
    assert heard.startswith(b"POST //a/../b?c=%zz HTTP/1.1\r\n")
    assert heard.endswith(b"\r\n\r\nx=1")
    lowered = heard.lower()
    assert b"x-other: 2" in lowered
    for absent in (b"signature", b"digest", b"x-ibm", b"x-nordea", b"proxy-", b"x-mine"):
        assert absent not in lowered
    record = proxy.lines.records[0]
    assert (record.form, record.destination, record.policy, record.key) == ("absolute", host, "tunnel", "")
    assert bank.received.total == 1


async def test_trace_is_not_passed_on(bank, start_proxy, shop):
    proxy = await start_proxy(bank, destinations=rule(shop.port))
    host = f"127.0.0.1:{shop.port}"
    assert (await proxy.ask(request("TRACE", f"http://{host}/", host=host))).problem == (
        405, "method_not_supported", "no")


@pytest.mark.parametrize(("pattern", "networks"), [("127.0.0.1", ()), ("*", ()), ("*", ("10.0.0.0/8",))])
async def test_an_address_inside_is_refused_and_never_dialled(bank, start_proxy, shop, pattern, networks):
    proxy = await start_proxy(bank, destinations=rule(shop.port, host=pattern, allow_addresses=networks))
    for host in ("127.0.0.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]"):
        where = f"{host}:{shop.port}"
        for raw in (connect(where), get(f"http://{where}/", host=where)):
            answer = await proxy.ask(raw)
            assert answer.problem in ((403, "address_denied", "no"), (403, "destination_denied", "no"))
    assert shop.accepted == 0


async def test_a_name_that_resolves_to_an_address_inside_is_refused_after_resolution(bank, start_proxy, shop):
    proxy = await start_proxy(bank, destinations=rule(shop.port, host="*", allow_addresses=()))
    asked = []

    async def resolve(host, port):
        asked.append(host)
        return [(2, "127.0.0.1", port), (2, "10.0.0.1", port), (2, "169.254.169.254", port)]

    proxy.running.passages.outbound._resolver.resolve = resolve
    where = f"rebound.example:{shop.port}"
    assert (await proxy.ask(connect(where))).problem == (403, "address_denied", "no")
    assert (await proxy.ask(get(f"http://{where}/", host=where))).problem == (403, "address_denied", "no")
    assert asked == ["rebound.example"] * 2
    assert shop.accepted == 0


@pytest.mark.parametrize("listener", ["main", "admin"])
async def test_a_name_that_resolves_to_this_proxy(bank, start_proxy, listener):
    proxy = await start_proxy(bank, destinations=(Destination(host="*", policy="tunnel", ports=tuple(range(1, 65536)),
                                                              allow_addresses=LOOPBACK),))

    async def resolve(host, port):
        return [(2, "127.0.0.1", port)]

    proxy.running.passages.outbound._resolver.resolve = resolve
    where = f"myself.example:{proxy.port(listener)}"
    assert (await proxy.ask(connect(where))).problem == (403, "self_connect", "no")
    assert (await proxy.ask(get(f"http://{where}/metrics", host=where))).problem == (403, "self_connect", "no")


async def test_a_destination_that_is_not_there(bank, start_proxy, unused_tcp_port):
    proxy = await start_proxy(bank, destinations=rule(unused_tcp_port))
    where = f"127.0.0.1:{unused_tcp_port}"
    async with proxy.connect() as line:
        assert (await line.ask(get(f"http://{where}/", host=where))).problem == (502, "destination_unreachable", "no")
        assert (await line.ask(get("/echo"))).status == 200
        assert (await line.ask(connect(where))).problem == (502, "destination_unreachable", "no")
    assert proxy.lines.records[0].destination == where
    assert await proxy.metric("signing_proxy_tunnels_total", policy="tunnel", outcome="failed") == 1


async def test_a_caller_that_has_gone_before_a_destination_turns_out_not_to_be_there(bank, start_proxy, unused_tcp_port,
                                                                                      monkeypatch):
    """Nobody is left to hear of it, and it is no fault of ours that the log would have to tell."""
    looked_up = asyncio.Event()
    lookup = Resolver._lookup

    async def slow(host, port):
        await looked_up.wait()
        return await lookup("127.0.0.1", port)

    monkeypatch.setattr(Resolver, "_lookup", staticmethod(slow))
    proxy = await start_proxy(bank, destinations=rule(unused_tcp_port, host="gone.example"))
    async with connected(proxy.port()) as line:
        await line.send(b"GET http://gone.example:%d/ HTTP/1.1\r\nHost: gone.example:%d\r\n\r\n" % (
            unused_tcp_port, unused_tcp_port))
        await eventually(lambda: proxy.running.gateway.in_flight == 1)
        reset(line)
        assert (await proxy.lines.last()).outcome == "client_gone"
    looked_up.set()
    await eventually(lambda: not proxy.running.passages.solos.live)
    gc.collect()                # what nobody asks a task for is told by the loop when the task goes


async def test_the_port_must_be_listed(bank, start_proxy, shop):
    proxy = await start_proxy(bank, destinations=rule(shop.port + 1 if shop.port < 65535 else 1))
    assert (await proxy.ask(connect(f"127.0.0.1:{shop.port}"))).problem == (403, "destination_denied", "no")
    assert shop.accepted == 0


async def test_an_idle_tunnel_ends(bank, start_proxy, echo):
    proxy = await start_proxy(bank, destinations=rule(echo.port))
    async with connected(proxy.port()) as line:
        assert (await line.ask(connect(f"127.0.0.1:{echo.port}"), bodiless=True)).status == 200
        await line.send(b"x")
        assert await line.reader.readexactly(1) == b"x"
        proxy.later(301)
        with pytest.raises(ConnectionError):
            await line.rest()
    assert (await proxy.lines.last()).detail == "idle_timeout"
    await echo.until_all_gone()


async def test_a_destination_that_sends_no_more_is_told_on_and_the_other_way_goes_on(bank, start_proxy):
    peer = Peer()

    async def handle(reader, writer):
        writer.write(b"all there is")
        writer.write_eof()
        peer.heard.append(await reader.read())

    async with serving(peer, handle):
        proxy = await start_proxy(bank, destinations=rule(peer.port))
        async with connected(proxy.port()) as line:
            assert (await line.ask(connect(f"127.0.0.1:{peer.port}"), bodiless=True)).status == 200
            assert await line.rest() == b"all there is"
            await line.send(b"and this after it")
            line.writer.write_eof()
            await peer.until_all_gone()
    assert peer.heard == [b"and this after it"]


@pytest.mark.parametrize("early", [True, False])
async def test_a_caller_that_leaves(bank, start_proxy, early):
    async with silent_peer() as peer:
        proxy = await start_proxy(bank, destinations=rule(peer.port))
        async with connected(proxy.port()) as line:
            await line.send(connect(f"127.0.0.1:{peer.port}"))
            if not early:
                assert (await line.answer(bodiless=True)).status == 200
            reset(line)
        await eventually(lambda: proxy.running.passages.open == 0)
        await peer.until_all_gone()
        await proxy.until_connections(0)


async def test_callers_that_half_close_while_it_is_dialled_leave_nothing(bank, start_proxy, echo):
    """At every moment of the dial, on the loop that forgets a connection that is cancelled as it comes about."""
    proxy = await start_proxy(bank, destinations=rule(echo.port))
    for turns in range(12):
        async with connected(proxy.port()) as line:
            line.writer.write(connect(f"127.0.0.1:{echo.port}"))
            for _ in range(turns):
                await asyncio.sleep(0)
            line.writer.write_eof()
            await line.rest()
    await eventually(lambda: proxy.running.passages.open == 0)
    await echo.until_all_gone()
    await proxy.until_connections(0)
    assert len(proxy.lines.records) == 12


async def test_a_banks_host_is_never_called_unsigned_by_another_listener(bank, start_proxy, shop):
    proxy = await start_proxy(bank, listeners={"more": Listener(port=0)},
                              destinations=(Destination(host="*", policy="tunnel"),))
    for raw in (connect(f"{BANK_NAME}:443"), get(f"http://{BANK_NAME}/", host=BANK_NAME)):
        assert (await proxy.ask(raw, listener="more")).problem == (403, "destination_denied", "no")


async def test_slow_names_of_others_do_not_keep_a_bank_from_being_resolved(bank, start_proxy):
    """Two of them may be looked up at a time; the third waits its turn, and not in a resolver's thread."""
    asked, answer = [], asyncio.get_running_loop().create_future()

    class Slow(Resolver):
        @staticmethod
        async def _lookup(host, port):
            asked.append(host)
            await asyncio.shield(answer)
            return []

    proxy = await start_proxy(bank, destinations=rule(443, host="*"))
    proxy.running.passages.outbound._resolver = Slow(30.0, at_once=2)
    async with connected(proxy.port()) as one, connected(proxy.port()) as two, connected(proxy.port()) as three:
        for number, line in enumerate((one, two, three)):
            await line.send(connect(f"slow{number}.example:443"))
        await eventually(lambda: len(asked) == 2 and proxy.running.passages.open == 3)
        reset(one)              # its lookup goes on, and keeps its turn
        await eventually(lambda: proxy.running.passages.open == 2)
        assert (await proxy.ask(get("/echo"))).status == 200
        assert asked == ["slow0.example", "slow1.example"]
        answer.set_result(None)
        assert (await two.answer()).problem == (502, "destination_dns", "no")
        assert (await three.answer()).problem == (502, "destination_dns", "no")


async def test_no_more_tunnels_than_the_limit(bank, start_proxy):
    async with silent_peer() as peer:
        proxy = await start_proxy(bank, destinations=rule(peer.port), limits={"tunnels": 2})
        where = f"127.0.0.1:{peer.port}"
        async with connected(proxy.port()) as one, connected(proxy.port()) as two, connected(proxy.port()) as three:
            for line in (one, two):
                assert (await line.ask(connect(where), bodiless=True)).status == 200
            async with connected(proxy.port()) as four:
                for line, raw in ((four, connect(where)), (three, get(f"http://{where}/", host=where))):
                    answer = await line.ask(raw)
                    assert answer.problem == (503, "overloaded", "no")
                    assert "limits.tunnels" in answer.json["detail"]
            assert (await three.ask(get("/echo"))).status == 200
            reset(one)
            await eventually(lambda: proxy.running.passages.open == 1)
            assert (await three.ask(connect(where), bodiless=True)).status == 200


async def test_a_thousand_open_tunnels_leave_nothing_behind(bank, start_proxy, echo):
    count = 1000
    proxy = await start_proxy(bank, destinations=rule(echo.port), limits={"tunnels": 1100, "connections": 1200})
    descriptors = len(os.listdir("/proc/self/fd"))
    raw = connect(f"127.0.0.1:{echo.port}") + b"hello"
    streams = []
    for _ in range(count):
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port())
        writer.write(raw)
        streams.append((reader, writer))
    for reader, _ in streams:
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        assert await reader.readexactly(5) == b"hello"
    assert proxy.running.passages.open == count
    assert await proxy.metric("signing_proxy_open_tunnels") == count
    for _, writer in streams:
        writer.transport.abort()
    await proxy.until_connections(0)
    await echo.until_all_gone()
    assert proxy.running.passages.open == 0
    streams.clear()
    await eventually(lambda: len(os.listdir("/proc/self/fd")) <= descriptors)


@pytest.mark.parametrize("early", [0, 300_000])
async def test_a_destination_that_does_not_read_stops_its_caller(bank, start_proxy, early):
    """Also where the first bytes came with the CONNECT, and reading was stopped once before."""
    peer, done = Peer(), asyncio.Event()

    async def handle(reader, writer):
        writer.transport.pause_reading()
        await done.wait()
        writer.transport.resume_reading()
        total = 0
        while data := await reader.read(1 << 20):
            total += len(data)
        peer.heard.append(total.to_bytes(8, "big"))

    async with serving(peer, handle):
        proxy = await start_proxy(bank, destinations=rule(peer.port))
        async with connected(proxy.port()) as line:
            line.writer.write(connect(f"127.0.0.1:{peer.port}") + bytes(early))
            assert (await line.answer(bodiless=True)).status == 200
            line.writer.write(bytes(64 << 20))
            (relay,) = proxy.running.server.connections
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(line.writer.drain(), 1.5)
            held = sum(side.transport.get_write_buffer_size() for side in (relay.near, relay.far))
            assert held <= 512 * 1024
            assert relay.sent < 32 << 20
            done.set()
            await line.writer.drain()
            line.writer.write_eof()
            assert await line.rest() == b""
            await peer.until(lambda: bool(peer.heard))
    assert int.from_bytes(peer.heard[0], "big") == early + (64 << 20)


async def test_tunnels_that_are_silent_do_not_keep_a_stopping_proxy(bank, start_child):
    async with silent_peer() as peer:
        child = await start_child(bank, destinations=rule(peer.port), max_sigterm_delay=20.0)
        async with connected(child.port) as line:
            assert (await line.ask(connect(f"127.0.0.1:{peer.port}"), bodiless=True)).status == 200
            child.signal(signal.SIGTERM)
            assert await line.rest() == b""
        assert await child.ended() == 143
        await peer.until_all_gone()

"""How a connection to a bank comes about, and the name of every way in which it does not; nothing is sent in any."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import struct
from base64 import b64encode

import pytest

from proxy.core.secret import Secret
from proxy.errors import UpstreamFailed
from proxy.wire.dial import Dialer, Egress, Origin, Resolver, attach, connect
from tests.wire.bank import Bank, Call, Fixed, pool_to
from tests.wire.test_tls import End

GOOD = (socket.AF_INET, "127.0.0.1")
REFUSING = (socket.AF_INET, "127.0.0.2")


async def failure(dialer: Dialer, origin: Origin, within: float = 10.0) -> tuple[str, str]:
    end = End()
    with pytest.raises(UpstreamFailed) as failed:
        await dialer.open(origin, end, within)
    assert (failed.value.sent, end.events) == ("no", [])
    return failed.value.code, failed.value.detail


@pytest.fixture
async def plain():
    """A listener without TLS."""
    async with Bank.open() as bank:
        yield bank


async def test_a_name_that_does_not_resolve(client_context, monkeypatch):
    async def getaddrinfo(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    dialer = Dialer(client_context, Resolver(30))
    assert (await failure(dialer, Origin("nowhere.test", 443, "nowhere.test")))[0] == "upstream_dns"


async def test_a_port_nobody_listens_on(client_context):
    dialer = Dialer(client_context, Fixed([(*REFUSING, 1)]))
    assert (await failure(dialer, Origin("bank.test", 1, "bank.test")))[0] == "upstream_connect"


async def test_no_file_descriptor_is_left(client_context):
    """The bank is well, so what is counted against it stays at nothing."""
    async with pool_to(Origin("bank.test", 1, "bank.test"), client_context, resolver=Fixed([(*GOOD, 1)])) as pool:
        free = os.dup(0)
        os.close(free)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
        try:
            call = Call(pool).submit()
            assert await call.outcome() == ("upstream_connect", "no")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert call.failure.detail == "this process may open no more files"
        assert pool.breaker.failures == 0
        refused = Call(pool).submit()
        assert await refused.outcome() == ("upstream_connect", "no")
        assert (refused.failure.detail, pool.breaker.failures) == ("", 2)


async def test_the_second_address_is_tried(bank, client_context):
    dialer, end = Dialer(client_context, Fixed([(*REFUSING, bank.port), (*GOOD, bank.port)])), End()
    await dialer.open(bank.origin, end, 10.0)
    assert end.events == ["made"]
    end.transport.close()
    await end.lost


async def test_a_certificate_for_another_name(bank, client_context):
    dialer = Dialer(client_context, Resolver(30))
    code, detail = await failure(dialer, Origin(bank.address, bank.port, "other.test"))
    assert code == "upstream_tls"
    assert "other.test" in detail


async def test_it_is_not_tried_again(bank, client_context):
    async with pool_to(Origin(bank.address, bank.port, "other.test"), client_context) as pool:
        assert await Call(pool).submit().outcome() == ("upstream_tls", "no")
        assert pool._watch == ["connect_failed"]


async def test_a_bank_that_does_not_speak_tls(plain, client_context):
    opening = asyncio.ensure_future(failure(Dialer(client_context, Resolver(30)), plain.origin))
    line = await plain.line()
    await line.reader.readexactly(1)
    line.writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert await opening == ("upstream_tls", "the TLS handshake failed")


async def test_a_bank_that_hangs_up_in_the_handshake(plain, client_context):
    opening = asyncio.ensure_future(failure(Dialer(client_context, Resolver(30)), plain.origin))
    (await plain.line()).cut()
    assert await opening == ("upstream_tls", "the TLS handshake failed")


async def test_a_connect_that_takes_too_long(plain, client_context):
    assert (await failure(Dialer(client_context, Resolver(30)), plain.origin,
                          within=0))[0] == "upstream_connect_timeout"


async def test_a_handshake_that_takes_too_long_leaves_no_connection(plain, client_context):
    opening = asyncio.ensure_future(failure(Dialer(client_context, Resolver(30)), plain.origin, within=0.05))
    line = await plain.line()
    assert (await opening)[0] == "upstream_connect_timeout"
    assert (await line.end())[:1] == b"\x16"


async def test_our_own_listeners_are_never_dialled(plain, client_context):
    dialer = Dialer(client_context, Resolver(30), forbidden=lambda address, port: port == plain.port)
    assert (await failure(dialer, plain.origin))[0] == "self_connect"
    assert not plain.lines


async def test_an_answer_of_the_resolver_is_trusted_for_a_while(monkeypatch):
    loop, asked = asyncio.get_running_loop(), []

    async def getaddrinfo(host, port, **kwargs):
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", port))]

    monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
    resolver = Resolver(30)
    for _ in range(3):
        assert await resolver.resolve("bank.test", 443) == [(socket.AF_INET, "192.0.2.1", 443)]
    assert asked == ["bank.test"]
    resolver.forget("bank.test", 443)
    await resolver.resolve("bank.test", 443)
    monkeypatch.setattr(loop, "time", lambda real=loop.time: real() + 31)
    await resolver.resolve("bank.test", 443)
    assert asked == ["bank.test"] * 3


class TestEgress:
    """A company proxy in between."""

    @pytest.fixture
    async def through(self, bank, plain, client_context):
        egress = Egress(plain.address, plain.port, "käthe", Secret("p:ss/wörd?".encode()))
        return Dialer(client_context, Resolver(30), egress=egress)

    async def refused(self, dialer, bank, plain, raw: bytes, *, close: bool = False) -> tuple[str, str]:
        opening = asyncio.ensure_future(failure(dialer, bank.origin))
        line = await plain.line()
        await line.request()
        line.writer.write(raw)
        if close:
            line.writer.close()
        return await opening

    async def test_it_is_asked_for_a_tunnel_with_credentials(self, through, bank, plain):
        opening = asyncio.ensure_future(failure(through, bank.origin))
        line = await plain.line()
        authority = b"127.0.0.1:%d" % bank.port
        credentials = b64encode("käthe:p:ss/wörd?".encode())
        assert await line.request() == (b"CONNECT %b HTTP/1.1\r\nHost: %b\r\nProxy-Authorization: Basic %b\r\n\r\n"
                                        % (authority, authority, credentials))
        line.cut()
        assert (await opening)[0] == "egress_proxy_failed"

    async def test_without_a_user_name_there_are_no_credentials(self, bank):
        assert b"Authorization" not in Egress("proxy.test", 3128).request(bank.origin)

    @pytest.mark.parametrize("raw", [
        b"HTTP/1.1 200 Connection established\r\n\r\n", b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 299 Fine\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n"])
    async def test_the_call_goes_through_the_tunnel(self, bank, plain, client_context, raw):
        async with pool_to(bank.origin, client_context, egress=Egress(plain.address, plain.port)) as pool:
            call = Call(pool, b"POST", body=b"{}").submit()
            inward = await plain.line()
            await inward.request()
            inward.writer.write(raw)
            reader, writer = await asyncio.open_connection(bank.address, bank.port)
            pumps = [asyncio.ensure_future(pump(*ends)) for ends in ((inward.reader, writer), (reader, inward.writer))]
            assert (await (await bank.line()).answer()).endswith(b"\r\n\r\n{}")
            assert await call.outcome() == (200, b"ok")
            writer.transport.abort()
            inward.cut()
            await asyncio.wait(pumps)

    @pytest.mark.parametrize(("raw", "detail"), [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", "it answered 407"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n<html>", "it answered 403"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://login.test/\r\n\r\n", "it answered 302"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "it answered 100"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "its answer is not HTTP"),
        (b"SOCKS? no\r\n\r\n", "its answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX : y\r\n\r\n", "its answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 17000, "its answer has no end"),
        (b"\x16\x03\x01" + bytes(17000), "its answer has no end"),
    ])
    async def test_it_refuses(self, through, bank, plain, raw, detail):
        assert await self.refused(through, bank, plain, raw) == ("egress_proxy_failed", detail)

    @pytest.mark.parametrize("raw", [b"", b"HTTP/1.1 200 OK\r\n"])
    async def test_it_hangs_up(self, through, bank, plain, raw):
        said = await self.refused(through, bank, plain, raw, close=True)
        assert said == ("egress_proxy_failed", "it closed the connection")

    async def test_no_secret_is_told(self, through, bank, plain):
        said = await self.refused(through, bank, plain, b"HTTP/1.1 407 No\r\n\r\n")
        assert "ss" not in said[1]
        assert "wörd" not in repr(through._egress)


async def pump(reader, writer) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
    except OSError:
        pass


async def test_a_reset_as_early_as_can_be_leaves_no_socket_that_would_close_anothers_descriptor():
    class Hasty(asyncio.Protocol):
        def connection_made(self, transport):
            transport.write(b"hello")

    with socket.create_server(("127.0.0.1", 0)) as server:
        sock = await connect(socket.AF_INET, *server.getsockname())
        accepted, _ = server.accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted.close()
        await attach(sock, Hasty())
        await asyncio.sleep(0)
        assert sock.fileno() == -1

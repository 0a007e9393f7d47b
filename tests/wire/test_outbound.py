"""The address that was judged is the one that is dialled, and none that may not be is ever dialled."""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from ipaddress import ip_network

import pytest

from proxy.core.addresses import forbidden_address
from proxy.core.destinations import Destination
from proxy.errors import Refused, UpstreamFailed
from proxy.wire import outbound
from proxy.wire.outbound import Outbound, is_local_address
from tests.wire.bank import Bank, Fixed
from tests.wire.test_tls import End

V4, V6 = int(socket.AF_INET), int(socket.AF_INET6)
OPENED = partial(forbidden_address, networks=(ip_network("127.0.0.1"),))
"""127.0.0.1 stands for a public address here, and 127.0.0.2 for a private one: a listener can be on both."""


class Asked(Fixed):
    """Counts how often it was asked."""

    asked = 0

    async def resolve(self, host, port):
        self.asked += 1
        return await super().resolve(host, port)


@pytest.fixture
async def here():
    async with Bank.open() as bank:
        yield bank


@pytest.fixture
async def inside(here):
    """Whom a connection to the forbidden address, on the same port, would reach."""
    accepted = []
    server = await asyncio.start_server(lambda reader, writer: accepted.append(writer), "127.0.0.2", here.port)
    yield accepted
    server.close()


async def opened(resolver, port: int, forbidden=OPENED, *, host="name.test", own=lambda address, port: False):
    end = End()
    await Outbound(resolver, own).open(Destination(host, port), forbidden, end, 10.0)
    return end


async def failure(*args, within: float = 10.0, host="name.test", own=lambda address, port: False):
    resolver, port, forbidden = args
    end = End()
    with pytest.raises((Refused, UpstreamFailed)) as failed:
        await Outbound(resolver, own).open(Destination(host, port), forbidden, end, within)
    assert end.events == []
    assert getattr(failed.value, "sent", "no") == "no"
    return failed.value.code, failed.value.problem.status, failed.value.detail


async def ended(end: End) -> None:
    end.transport.close()
    await end.lost


async def test_of_several_addresses_only_those_that_may_be_are_dialled(here, inside):
    resolver = Asked([(V4, "127.0.0.2", here.port), (V6, "::ffff:127.0.0.2", here.port), (V4, "127.0.0.1", here.port)])
    end = await opened(resolver, here.port)
    assert end.transport.get_extra_info("peername") == ("127.0.0.1", here.port)
    await here.line()
    await ended(end)
    assert (inside, resolver.asked) == ([], 1)


async def test_a_second_answer_does_not_matter(here, inside):
    """DNS rebinding: nobody asks again between the check and the connect."""
    resolver = Asked([(V4, "127.0.0.1", here.port)], [(V4, "127.0.0.2", here.port)])
    await ended(await opened(resolver, here.port))
    assert (inside, resolver.asked) == ([], 1)
    assert await failure(resolver, here.port, OPENED) == ("address_denied", 403, "loopback address")
    assert inside == []


@pytest.mark.parametrize(("address", "reason"), [
    ("127.0.0.2", "loopback"), ("10.0.0.1", "private"), ("169.254.169.254", "metadata"), ("::1", "loopback"),
    ("::ffff:127.0.0.1", "IPv4-mapped"), ("64:ff9b::7f00:1", "NAT64"), ("fe80::1%lo", "link-local"),
    ("0.0.0.0", "unspecified")])
async def test_where_no_address_may_be_nothing_is_dialled(here, inside, address, reason):
    family = V6 if ":" in address else V4
    resolver = Fixed([(family, address, here.port)])
    assert await failure(resolver, here.port, OPENED) == ("address_denied", 403, f"{reason} address")
    assert (inside, here.lines) == ([], [])


@pytest.mark.parametrize("host", ["127.0.0.2", "::ffff:127.0.0.1", "169.254.169.254"])
async def test_a_literal_is_judged_without_asking_anybody(here, inside, host):
    resolver = Asked([(V4, "127.0.0.1", here.port)])
    assert (await failure(resolver, here.port, OPENED, host=host))[0] == "address_denied"
    assert (resolver.asked, inside, here.lines) == (0, [], [])


async def test_a_literal_that_may_be_is_dialled(here):
    await ended(await opened(Fixed([]), here.port, host="127.0.0.1"))


async def test_our_own_listeners_are_never_dialled(here):
    own = lambda address, port: (address, port) == ("127.0.0.1", here.port)     # noqa: E731
    resolver = Fixed([(V4, "127.0.0.2", here.port), (V4, "127.0.0.1", here.port)])
    assert (await failure(resolver, here.port, OPENED, own=own))[:2] == ("self_connect", 403)
    assert here.lines == []


async def test_the_next_address_is_tried(here):
    resolver = Fixed([(V4, "127.0.0.3", here.port), (V4, "127.0.0.1", here.port)])
    both = partial(forbidden_address, networks=(ip_network("127.0.0.0/8"),))
    await ended(await opened(resolver, here.port, both))


async def test_a_port_nobody_listens_on():
    assert await failure(Fixed([(V4, "127.0.0.1", 1)]), 1, OPENED) == ("destination_unreachable", 502, "")


async def test_a_connect_that_takes_too_long(here):
    resolver = Fixed([(V4, "127.0.0.1", here.port)])
    assert await failure(resolver, here.port, OPENED, within=0) == ("destination_timeout", 504, "")


@pytest.mark.parametrize("error", [UpstreamFailed("upstream_dns", sent="no"), UnicodeError("label too long")])
async def test_a_name_that_does_not_resolve(error):
    class Nowhere(Fixed):
        async def resolve(self, host, port):
            raise error

    assert await failure(Nowhere(), 443, OPENED) == ("destination_dns", 502, "")
    assert await failure(Fixed([]), 443, OPENED) == ("destination_dns", 502, "it has no address")


@pytest.mark.parametrize(("address", "local"), [
    ("127.0.0.1", True), ("127.9.9.9", True), ("192.0.2.1", False), ("2001:db8::1", False), ("8.8.8.8", False)])
async def test_addresses_of_this_machine(address, local):
    assert is_local_address(address) is local


async def test_a_slow_turn_of_the_loop_gives_the_protocol_one_connection_only(here, inside, monkeypatch):
    """Whoever is told of a connection may write at once: no later deadline may give it another one."""
    late, made, real = asyncio.Event(), [], outbound.attach

    async def attach(sock, protocol):
        await late.wait()
        await real(sock, protocol)

    class Counted(End):
        def connection_made(self, transport) -> None:
            made.append(transport.get_extra_info("peername")[0])
            super().connection_made(transport)

    monkeypatch.setattr(outbound, "attach", attach)
    addresses = [(V4, "127.0.0.1", here.port), (V4, "127.0.0.2", here.port)]
    end = Counted()
    opening = asyncio.ensure_future(Outbound(Fixed(addresses), lambda address, port: False).open(
        Destination("name.test", here.port), lambda address: "", end, 0.5))
    loop = asyncio.get_running_loop()
    passed = loop.create_future()
    loop.call_later(0.6, passed.set_result, None)       # later than the deadline
    await passed
    late.set()
    await opening
    assert (made, inside) == (["127.0.0.1"], [])
    end.transport.abort()
    await end.lost

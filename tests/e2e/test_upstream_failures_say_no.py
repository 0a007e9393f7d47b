"""While nothing has been sent, a failure says so, and what to look at."""

from __future__ import annotations

import socket
from datetime import UTC, datetime

import pytest

from proxy.emulator import Authority, Validity
from proxy.errors import PROBLEMS
from tests.e2e.line import get, post
from tests.e2e.peers import Peer, serving

PAY = post("/personal/v4/payments/domestic")


@pytest.fixture
def closed_port():
    """Nobody listens here, and nobody will while the test holds it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


async def test_a_bank_that_refuses_connections(start_proxy, closed_port):
    proxy = await start_proxy(f"https://127.0.0.1:{closed_port}")
    answer = await proxy.ask(PAY)
    assert answer.problem == (502, "upstream_connect", "no")
    assert answer["Proxy-Status"] == 'signing-proxy; error=connection_refused; details="upstream_connect"'
    assert "firewall" in answer.json["hint"]
    assert await proxy.metric("signing_proxy_upstream_connections_total", upstream=str(proxy.pool.origin),
                              event="connect_failed") == 2      # one retry, since nothing was sent


async def test_a_bank_whose_name_does_not_resolve(start_proxy):
    proxy = await start_proxy("https://bank.invalid")
    answer = await proxy.ask(PAY)
    assert answer.problem == (502, "upstream_dns", "no")
    assert answer["Proxy-Status"].startswith("signing-proxy; error=dns_error;")


EXPIRED = Validity(datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 2, 1, tzinfo=UTC))


WRONG = {
    "name": ({"server_names": ("other.example", "127.0.0.1")}, "Hostname mismatch"),
    "date": ({"server_validity": EXPIRED}, "certificate has expired"),
    "authority": ({"authority": Authority()}, "unable to get local issuer certificate"),
}


@pytest.fixture(params=WRONG)
async def wrong_bank(request, start_bank, tmp_path, authority):
    """A bank with a wrong certificate, and what is wrong with it."""
    options, said = WRONG[request.param]
    return await start_bank(**{"directory": tmp_path, "authority": authority, **options}), said


async def test_a_bank_with_a_wrong_certificate(wrong_bank, start_proxy):
    bank, said = wrong_bank
    proxy = await start_proxy(bank)
    answer = await proxy.ask(PAY)
    assert answer.problem == (502, "upstream_tls", "no")
    assert said in answer.json["detail"]
    assert answer["Proxy-Status"].startswith("signing-proxy; error=tls_certificate_error;")
    assert bank.received.total == 0


async def test_a_bank_that_speaks_no_tls(start_proxy):
    async def handle(reader, writer):
        await reader.read(1)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with serving(Peer(), handle) as peer:
        proxy = await start_proxy(f"https://127.0.0.1:{peer.port}")
        assert (await proxy.ask(PAY)).problem == (502, "upstream_tls", "no")


async def test_the_hint_does_not_send_anybody_to_the_bank_when_nothing_was_sent(bank, start_proxy):
    """upstream_closed is usually "maybe"; where it is "no" the request may simply be sent again."""
    proxy = await start_proxy(bank)
    bank.faults.add("close_after")
    answer = await proxy.ask(PAY)
    assert answer.json["hint"] == PROBLEMS["upstream_closed"].hint
    assert "do not resend" in answer.json["hint"]


async def test_the_bank_comes_back(bank, start_proxy):
    proxy = await start_proxy(bank)
    await bank.stop()
    async with proxy.connect() as line:
        assert (await line.ask(PAY)).problem == (502, "upstream_connect", "no")
        await bank.start()
        assert (await line.ask(PAY)).status == 201


async def test_a_route_that_leads_back_to_the_proxy(bank, start_proxy, closed_port):
    """Also under another spelling of its address."""
    proxy = await start_proxy(bank)
    for number, address in enumerate(("127.0.0.1", "[::ffff:127.0.0.1]", "localhost")):
        looped = await start_proxy(f"https://{address}:{proxy.port()}")
        looped.running.doors.bound.append(("127.0.0.1", proxy.port()))
        answer = await looped.ask(get(f"/echo/{number}"))
        assert answer.problem == (403, "self_connect", "no")
    assert bank.received.total == 0


async def test_a_call_that_was_answered_after_a_fault_of_ours_is_not_sent_later(bank, proxy, monkeypatch):
    """It still stands in the pool's line, and the next connection would be its own."""
    def broken() -> None:
        raise LookupError("CANARY")

    with monkeypatch.context() as patch:
        patch.setattr(proxy.pool, "_dial", broken)
        assert (await proxy.ask(post("/echo"))).problem == (500, "internal_error", "no")
    assert (await proxy.ask(get("/echo"))).status == 200
    assert [one.method for one in bank.received] == ["GET"]
    assert await proxy.metric("signing_proxy_requests_in_flight") == 0

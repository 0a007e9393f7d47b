"""Where a company lets nothing out but through its proxy, the bank is reached by CONNECT, and TLS ends at the bank."""

from __future__ import annotations

import base64

import pytest

from proxy.config.model import EgressProxy
from proxy.emulator.authority import write_private
from proxy.errors import KeyUnusable
from tests.e2e.line import get, post
from tests.e2e.peers import Peer, serving, tunnel

USER, PASSWORD = "svc-psd2", "p:ss wörd!".encode("ascii", "replace").decode()


@pytest.fixture
async def start(bank, start_proxy, tmp_path):
    """start(port): a proxy that goes out through that port with credentials."""
    write_private(tmp_path / "password", PASSWORD.encode() + b"\n")

    async def start(port, **more):
        return await start_proxy(bank, egress_proxy=EgressProxy(url=f"http://127.0.0.1:{port}", **more))

    return start


@pytest.fixture
async def company():
    async with tunnel(f"{USER}:{PASSWORD}") as peer:
        yield peer


@pytest.fixture
async def through_company(company, start, tmp_path):
    return await start(company.port, username=USER, password_file=str(tmp_path / "password"))


async def test_a_password_file_as_kubernetes_mounts_it(company, start, tmp_path):
    """A secret's volume with an fsGroup has mode 0440."""
    (tmp_path / "password").chmod(0o440)
    with pytest.raises(KeyUnusable) as refused:
        await start(company.port, username=USER, password_file=str(tmp_path / "password"))
    assert refused.value.code == "key_permissions"
    proxy = await start(company.port, username=USER, password_file=str(tmp_path / "password"), allow_group_read=True)
    assert (await proxy.ask(get("/echo"))).status == 200


async def test_the_bank_is_reached_through_the_tunnel(bank, company, through_company):
    async with through_company.connect() as line:
        assert (await line.ask(post("/personal/v4/payments/domestic"))).status == 201
        assert (await line.ask(get("/bytes/300000"))).body[-16:] == b"%015x\n" % 18749
    assert bank.received[0].verdict.signature_checked
    assert company.accepted == bank.connections == 1
    (head,) = company.heard
    assert head.startswith(f"CONNECT 127.0.0.1:{bank.port} HTTP/1.1\r\nHost: 127.0.0.1:{bank.port}\r\n".encode())


async def test_the_company_sees_its_own_credentials_and_no_others(bank, company, through_company, files):
    assert (await through_company.ask(get("/echo"))).status == 200
    (head,) = company.heard
    assert b"Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()) in head
    assert files.shop.secret.encode() not in head
    assert b"proxy-authorization" not in bank.received[-1].head.lower()


async def test_wrong_credentials(bank, company, start):
    proxy = await start(company.port)
    answer = await proxy.ask(post("/echo"))
    assert answer.problem == (502, "egress_proxy_failed", "no")
    assert answer.json["detail"] == "it answered 407"
    assert bank.connections == 0


async def test_a_destination_the_company_refuses(bank, start):
    async with tunnel(refuse=b"HTTP/1.1 403 Forbidden") as peer:
        proxy = await start(peer.port)
        assert (await proxy.ask(post("/echo"))).problem == (502, "egress_proxy_failed", "no")
    assert bank.connections == 0


async def test_a_company_proxy_that_hangs_up(start):
    async def handle(reader, writer):
        await reader.readuntil(b"\r\n\r\n")

    async with serving(Peer(), handle) as peer:
        proxy = await start(peer.port)
        assert (await proxy.ask(post("/echo"))).problem == (502, "egress_proxy_failed", "no")


async def test_a_tunnel_that_is_cut_after_execution(bank, through_company):
    bank.faults.add("reset_after", method="POST")
    assert (await through_company.ask(post("/echo"))).problem == (502, "upstream_closed", "maybe")
    assert bank.executions.total == 1

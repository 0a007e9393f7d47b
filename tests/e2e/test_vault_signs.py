"""A key that never leaves Vault seals what the bank accepts; without Vault nothing leaves, and the caller knows it."""

from __future__ import annotations

import asyncio

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from proxy.config.model import Route
from proxy.keys.vault.settings import TransitKey, VaultField, VaultKey, VaultSettings
from tests.e2e.line import eventually, get, post
from tests.e2e.standing import BANK_NAME
from tests.vault.servers import running
from tests.vault.standin import Standin


@pytest.fixture
def server():
    with running("standin") as server:
        yield server


@pytest.fixture
def transit(server, files, start_proxy, bank, monkeypatch):
    """transit(beside={}, changes={}, **settings of Vault): a proxy whose key is in Transit, with the certificate that
    the bank knows; beside: other applications."""
    monkeypatch.setenv("VAULT_TOKEN", server.token())
    private = load_pem_private_key(files.shop.key.read_bytes(), None)
    server.standin.spaces[""].mounts["transit"].put("seal", private)

    async def start(beside=None, changes=None, **settings):
        application = files.shop.application(key_file=None, certificate_file=None, key_transit=TransitKey(
            key="seal", certificate_file=str(files.shop.certificate)))
        return await start_proxy(bank, applications={"shop": application, **(beside or {})}, **(changes or {}),
                                 vault=VaultSettings(address=server.address, **settings))

    return start


async def test_the_bank_accepts_it(transit, bank):
    proxy = await transit()
    for raw in (get("/personal/v5/accounts"), post("/echo")):
        assert (await proxy.ask(raw)).status == 200
        assert bank.received[-1].verdict.signature_checked
    assert await proxy.metric("signing_proxy_vault_requests_total", operation="transit_sign", outcome="ok") == 3
    assert await proxy.metric("signing_proxy_vault_transit_in_flight") == 0
    assert await proxy.metric("signing_proxy_vault_token_expiry_timestamp_seconds") > 0
    status = (await proxy.admin("/status")).json["applications"]["shop"]
    assert status["source"] == "vault transit transit/seal"


async def test_signatures_overlap(transit, bank, server):
    """All of the lanes are in Vault's hands at a time, so that its latency costs each request once and not in turns."""
    proxy = await transit(transit_timeout=60.0)
    server.standin.held = True
    async with asyncio.TaskGroup() as tasks:
        answers = [tasks.create_task(proxy.ask(post("/echo"))) for _ in range(64)]
        await eventually(lambda: server.standin.concurrent == 64)
        assert await proxy.metric("signing_proxy_vault_transit_in_flight") == 64
        server.standin.held = False
    assert {answer.result().status for answer in answers} == {200}
    assert len(bank.executions) == 64


async def test_a_vault_that_hangs(transit, bank, server):
    """Each call waits as long as is configured, nothing is sent, and nothing of it is left when Vault is back."""
    proxy = await transit(transit_timeout=0.3)
    server.standin.held = True
    answers = await asyncio.gather(*(proxy.ask(post("/echo")) for _ in range(5)))
    assert {(answer.status, answer.json["code"], answer.json["upstream_sent"]) for answer in answers} == {
        (503, "vault_unavailable", "no")}
    assert await proxy.metric("signing_proxy_vault_requests_total", operation="transit_sign", outcome="timeout") == 5
    assert await proxy.metric("signing_proxy_vault_transit_in_flight") == 0
    assert not bank.received
    server.standin.held = False
    assert (await proxy.ask(post("/echo"))).status == 200
    assert bank.received[-1].verdict.signature_checked


async def test_a_vault_that_hangs_leaves_connections_to_other_keys(transit, bank, server, files):
    """Two of its four connections to the bank, once it is known to hang."""
    bank.register(**files.till.registration())
    route = {"profile": "nordea", "upstream": f"https://127.0.0.1:{bank.port}", "host": BANK_NAME}
    routes = (Route(application="shop", **route),
              Route(name="till", prefix="/till", strip_prefix=True, application="till", **route))
    proxy = await transit({"till": files.till.application()}, {"limits": {"upstream_connections": 4}, "routes": routes},
                          transit_timeout=0.3)
    server.standin.held = True
    answers = await asyncio.gather(*(proxy.ask(post("/echo")) for _ in range(4)))
    assert {answer.json["code"] for answer in answers} == {"vault_unavailable"}
    calls = [asyncio.create_task(proxy.ask(post("/echo"))) for _ in range(4)]
    await eventually(lambda: sum(call.done() for call in calls) == 2)
    assert {call.result().json["code"] for call in calls if call.done()} == {"signing_busy"}
    assert (await proxy.ask(post("/till/echo"))).status == 200
    assert len(bank.received) == 1
    await asyncio.gather(*calls)


async def test_more_calls_than_lanes_wait_their_turn(transit, bank, server):
    proxy = await transit(transit_lanes=2, transit_timeout=60.0)
    server.standin.held = True
    calls = [asyncio.create_task(proxy.ask(post("/echo"))) for _ in range(13)]
    await eventually(lambda: sum(call.done() for call in calls) == 3)
    assert {call.result().json["code"] for call in calls if call.done()} == {"signing_busy"}
    server.standin.held = False
    answers = await asyncio.gather(*calls)
    assert sorted(answer.status for answer in answers) == [200] * 10 + [503] * 3
    assert (server.standin.most, len(bank.executions)) == (2, 10)


async def test_a_vault_that_starts_anew(transit, bank, server):
    """Its connections break, and the next signature takes another one, without a word to the caller."""
    proxy = await transit()
    assert (await proxy.ask(post("/echo"))).status == 200
    standin = server.standin
    again = Standin(port=standin.port, root=standin.root)
    again.access, again.spaces = standin.access, standin.spaces
    await asyncio.to_thread(standin.close)
    with again:
        assert (await proxy.ask(post("/echo"))).status == 200
    assert bank.received[-1].verdict.signature_checked


async def test_callers_that_leave_while_vault_signs(transit, bank, server):
    proxy = await transit(transit_timeout=60.0)
    server.standin.held = True
    calls = [asyncio.create_task(proxy.ask(post("/echo"))) for _ in range(5)]
    await eventually(lambda: server.standin.concurrent == 5)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await eventually(lambda: proxy.running.gateway.in_flight == 0)
    server.standin.held = False
    assert (await proxy.ask(get("/echo"))).status == 200
    await eventually(lambda: proxy.running.vault.signing == 0)
    assert len(bank.received) == 1, "nothing is sent for who has gone"


async def test_a_reload_while_vault_signs(transit, bank, server):
    """What is in hand keeps its key; the links are the next key's as well."""
    proxy = await transit(transit_timeout=60.0)
    server.standin.held = True
    call = asyncio.create_task(proxy.ask(post("/echo")))
    await eventually(lambda: server.standin.concurrent == 1)
    reload = asyncio.create_task(proxy.running.reload())
    await eventually(lambda: server.standin.concurrent > 1)
    server.standin.held = False
    await reload
    assert (await call).status == 200
    assert (await proxy.ask(post("/echo"))).status == 200
    assert all(received.verdict.signature_checked for received in bank.received)


async def test_the_end_while_vault_hangs(transit, bank, server):
    """Callers are told that nothing was sent, and the end does not wait for Vault."""
    proxy = await transit(transit_timeout=60.0)
    server.standin.held = True
    calls = [asyncio.create_task(proxy.ask(post("/echo"))) for _ in range(3)]
    await eventually(lambda: server.standin.concurrent == 3)
    vault = proxy.running.vault
    await vault.ended()
    assert {(answer.status, answer.json["upstream_sent"]) for answer in await asyncio.gather(*calls)} == {(503, "no")}
    assert not bank.received
    assert ("health", "unreachable") not in vault.tally.requests(), "nobody is asked any more"


@pytest.mark.parametrize(("how", "code"), [("sealed", "vault_sealed"), ("failing", "vault_unavailable"),
                                           ("gone", "vault_unavailable"), ("denied", "vault_denied"),
                                           ("nonsense", "vault_refused"), ("forged", "signing_failed")])
async def test_without_vault_nothing_leaves(transit, bank, server, lines, how, code):
    proxy = await transit(retries=0)
    before = len(bank.received)
    spoil = {
        "sealed": lambda: setattr(server.standin, "sealed", True),
        "failing": lambda: server.standin.fail("transit/sign", 500),
        "gone": server.standin.close,
        "denied": server.standin.access.expire,
        "nonsense": lambda: server.standin.fail("transit/sign", 200, body=b"nonsense"),
        "forged": lambda: server.standin.fail("transit/sign", 200, body={"data": {"signature": "vault:v1:QUFB"}}),
    }[how]
    await asyncio.to_thread(spoil)
    answer = await proxy.ask(post("/echo"))
    assert (answer.status, answer.json["code"], answer.json["upstream_sent"]) == (503, code, "no")
    assert server.address not in answer.body.decode()
    record = await lines.last()
    assert (record.code, record.sent) == (code, "no")
    assert len(bank.received) == before


async def test_a_key_from_kv_goes_on_without_vault(server, files, start_proxy, bank, monkeypatch):
    monkeypatch.setenv("VAULT_TOKEN", server.token())
    shop = files.shop
    await asyncio.to_thread(lambda: server.put2(
        "shop", private_key=shop.key.read_text(), certificate=shop.certificate.read_text(), secret=shop.secret))
    application = shop.application(
        key_file=None, certificate_file=None, client_secret_file=None,
        client_secret_vault=VaultField(mount="kv2", path="shop", field="secret"),
        key_vault=VaultKey(mount="kv2", path="shop", certificate_field="certificate"))
    proxy = await start_proxy(bank, applications={"shop": application},
                              vault=VaultSettings(address=server.address, retries=0))
    assert (await proxy.ask(get("/echo"))).status == 200
    asked = len(server.standin.seen)
    await asyncio.to_thread(server.standin.close)
    await proxy.running.reload()
    assert (await proxy.ask(post("/echo"))).status == 200
    assert bank.received[-1].verdict.signature_checked
    assert len(server.standin.seen) == asked, "KV is never asked while a request waits"
    status = (await proxy.admin("/status")).json["applications"]["shop"]
    assert (status["last_error"]["code"], status["revision"]) == ("vault_unavailable", 1)

"""A request that is not what it should be never reaches the bank, whatever part of the proxy has failed."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from proxy.core.signing import Plan
from proxy.keys.rsa_signer import RsaSigner
from tests.e2e.line import eventually, get, post, reset
from tests.e2e.standing import Proxy


class _Slow:
    """A key that signs in a thread."""

    inline = False

    def __init__(self, signer: RsaSigner) -> None:
        self.sign, self.bits, self.spki_sha256 = signer.sign, signer.bits, signer.spki_sha256


@pytest.fixture(scope="session")
def stranger(files) -> RsaSigner:
    """The key of another pair."""
    return RsaSigner(load_pem_private_key(files.till.pair.key_pem, None))


def sign_with(proxy: Proxy, signer: object) -> None:
    """From now on another key signs than the certificate's."""
    ring = proxy.running.rings["shop"].signing
    ring.current = replace(ring.current, key=replace(ring.current.key, signer=signer))


@pytest.mark.parametrize("kind", [lambda signer: signer, _Slow], ids=["on the loop", "in a thread"])
async def test_a_signature_by_another_key_is_not_sent(bank, start_proxy, stranger, kind, caplog):
    proxy = await start_proxy(bank, self_verify=True)
    sign_with(proxy, kind(stranger))
    caplog.clear()
    answer = await proxy.ask(post("/personal/v4/payments/domestic"))
    assert answer.problem == (500, "self_verify_failed", "no")
    assert answer.json["detail"].startswith("signature: ")
    assert bank.received.total == 0
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(told) == 1
    assert answer.json["request_id"] in told[0]
    assert "signature: the certificate's public key does not verify" in told[0]
    record = await proxy.lines.last()
    assert (record.code, record.sent, record.outcome, record.attempts) == ("self_verify_failed", "no", "refused", 1)
    assert await proxy.metric("signing_proxy_self_verify_failures_total", route="nordea") == 1
    assert await proxy.metric("signing_proxy_rejected_total", reason="self_verify_failed") == 1


def _signing(proxy: Proxy) -> int:
    return sum(threads.count for threads in proxy.running.gateway.sealing._sources.values())


async def test_a_check_that_fails_itself_is_answered_at_once(bank, start_proxy, monkeypatch):
    proxy = await start_proxy(bank, self_verify=True)
    sign_with(proxy, _Slow(proxy.running.rings["shop"].signing.current.key.signer))

    def broken(*_: object) -> None:
        raise LookupError("CANARY")

    monkeypatch.setattr("proxy.serve.selfverify.find_fault", broken)
    assert (await proxy.ask(post("/echo"))).problem == (500, "internal_error", "no")
    assert bank.received.total == 0


async def test_a_signature_that_comes_when_its_caller_has_left_is_no_alarm(bank, start_proxy, stranger, caplog):
    proxy = await start_proxy(bank, self_verify=True)
    let_go = threading.Event()
    signer = _Slow(stranger)
    signer.sign = lambda message: stranger.sign(message) if let_go.wait(30) else b""
    sign_with(proxy, signer)
    async with proxy.connect() as line:
        await line.send(post("/echo"))
        await eventually(lambda: _signing(proxy))
        reset(line)
        assert (await proxy.lines.last()).outcome == "client_gone"
    caplog.clear()
    let_go.set()
    await eventually(lambda: not _signing(proxy))
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == []
    assert await proxy.metric("signing_proxy_self_verify_failures_total", route="nordea") == 0


@pytest.mark.parametrize(("old", "new", "check"), [
    (b"application/json", b"application/jsom", "signature"),
    (b'"amount"', b'"amuont"', "digest"),
    (b"POST /echo", b"POST /echo/", "signature"),
    (b"Host: ", b"host:  ", "message"),
], ids=["content type", "body", "target", "white space"])
async def test_what_is_changed_after_signing_is_not_sent(bank, start_proxy, monkeypatch, old, new, check):
    """The sabotage stands for any later fault between the key and the wire."""
    whole = Plan.complete
    proxy = await start_proxy(bank, self_verify=True)
    monkeypatch.setattr(Plan, "complete", lambda plan, signature: whole(plan, signature).replace(old, new, 1))
    answer = await proxy.ask(post("/echo", b'{"amount":"1.00"}'))
    assert answer.problem == (500, "self_verify_failed", "no")
    assert answer.json["detail"].startswith(f"{check}: ")
    assert bank.received.total == 0


async def test_the_connection_serves_on_after_a_refusal(bank, start_proxy, stranger):
    proxy = await start_proxy(bank, self_verify=True)
    right = proxy.running.rings["shop"].signing.current
    async with proxy.connect() as line:
        assert (await line.ask(get("/echo"))).status == 200
        sign_with(proxy, stranger)
        assert (await line.ask(get("/echo"))).problem[1] == "self_verify_failed"
        proxy.running.rings["shop"].signing.current = right
        assert (await line.ask(get("/echo"))).status == 200
    assert bank.connections == 1


async def test_without_a_certificate_the_signers_own_key_counts(bank, start_proxy, files, stranger):
    application = files.shop.application(certificate_file=None)
    proxy = await start_proxy(bank, self_verify=True, applications={"shop": application})
    assert (await proxy.ask(post("/echo"))).status == 200
    sign_with(proxy, stranger)
    assert (await proxy.ask(post("/echo"))).problem == (500, "self_verify_failed", "no")


@pytest.mark.parametrize(("setting", "profile", "verified"), [
    (None, "nordea", False), (None, "nordea-sandbox", True), (False, "nordea-sandbox", False), (True, "nordea", True)])
async def test_where_it_is_on(bank, start_proxy, stranger, setting, profile, verified):
    """By default where people develop; in production the bank is the one who says no."""
    proxy = await start_proxy(bank, self_verify=setting, route={"profile": profile})
    sign_with(proxy, stranger)
    answer = await proxy.ask(get("/personal/v5/accounts"))
    assert answer.status == (500 if verified else 401)
    assert bank.received.total == (0 if verified else 1)

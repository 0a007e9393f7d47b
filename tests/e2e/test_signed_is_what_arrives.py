"""The proof of tests/torture/signed_is_sent.py can fail: the same verifier, told of another certificate, refuses."""

from __future__ import annotations

from tests.e2e.line import get


async def test_a_request_the_verifier_does_not_accept_is_noticed(bank, start_proxy, files):
    proxy = await start_proxy(bank)
    bank.register(files.till.pair.certificate_pem)
    assert (await proxy.ask(get("/echo"))).status == 401
    assert not bank.received[-1].verdict.accepted
    assert bank.executions.total == 0

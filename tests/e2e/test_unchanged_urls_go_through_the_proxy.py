"""A client that is told of the proxy and its authority, and of nothing else, has its calls to the bank's own URLs
signed; one that is not told of the authority sends nothing, and the log says why."""

from __future__ import annotations

import pytest

from tests.e2e.line import eventually
from tests.e2e.matrix import CLIENTS
from tests.e2e.through import TOKEN

pytestmark = pytest.mark.timeout(300)       # the first one waits for Go's compiler, which has to make its library

ACCOUNTS, PAYMENTS = "/personal/v5/accounts?from=2024-01-01&name=%C3%A5%20b", "/personal/v4/payments/domestic"
BODY = '{"amount":"2.00","creditor":{"name":"Company A"}}'
SHOWN = {"absolute": "ok, absolute-form", "connect": "ok, CONNECT"}

every_client = pytest.mark.parametrize("client", CLIENTS, ids=str)


async def check_signed(ran, bank, lines, form):
    """Both calls came to the bank as they were made, in that form, and it has accepted them."""
    assert (ran.statuses, ran.code) == ([200, 201], 0), ran.said
    assert [(received.method, received.target) for received in bank.received] == [("GET", ACCOUNTS), ("POST", PAYMENTS)]
    assert all(received.verdict.accepted and received.verdict.signature_checked for received in bank.received)
    assert [received.body for received in bank.received] == [b"", BODY.encode()]
    await lines.last(2)
    assert [record.form for record in lines.records if record.status < 400] == [form, form]


@every_client
async def test_http_urls(client, bank, intercepting, run_client, lines, tried):
    tried(client, "http://", SHOWN[client.clear])
    ran = await run_client(client, await intercepting(), f"http://open.nordea.com{ACCOUNTS}",
                           f"http://open.nordea.com{PAYMENTS}", BODY)
    await check_signed(ran, bank, lines, client.clear)


@every_client
async def test_https_urls(client, bank, intercepting, run_client, lines, tried):
    tried(client, "https://", SHOWN[client.secure])
    ran = await run_client(client, await intercepting(), f"https://open.nordea.com{ACCOUNTS}",
                           f"https://open.nordea.com{PAYMENTS}", BODY)
    await check_signed(ran, bank, lines, client.secure)


@pytest.mark.parametrize("client", [client for client in CLIENTS if client.secure == "connect"], ids=str)
async def test_no_trust_no_call(client, bank, intercepting, run_client, lines, caplog, tried):
    tried(client, "CA unknown", "refuses")
    ran = await run_client(client, await intercepting(), f"https://open.nordea.com{ACCOUNTS}",
                           f"https://open.nordea.com{PAYMENTS}", BODY, trusting=False)
    assert ran.code != 0
    assert ran.statuses == []
    assert (bank.received.total, lines.records) == (0, [])
    if client.late:
        await eventually(lambda: "ended without a request" in caplog.text)
    else:
        await eventually(lambda: "no TLS in its tunnel to open.nordea.com" in caplog.text)
        assert "not trust the certificate authority" in caplog.text
        assert "ca env" in caplog.text


@every_client
async def test_the_token_in_the_proxys_url(client, bank, intercepting, run_client, lines, tried):
    """With client_token_file, as `signing-proxy exec` tells it: http://token:…@host:port."""
    tried(client, "token in the URL", "ok")
    ran = await run_client(client, await intercepting(token=TOKEN), f"https://open.nordea.com{ACCOUNTS}",
                           f"https://open.nordea.com{PAYMENTS}", BODY)
    await check_signed(ran, bank, lines, client.secure)
    assert not any(received.head.lower().count(b"proxy-authorization") for received in bank.received)

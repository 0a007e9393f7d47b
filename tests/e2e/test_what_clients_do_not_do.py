"""What README.md says that a client does not do by itself; each line there that says so is a test here."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

import aiohttp
import pytest

from tests.e2e.matrix import BY_NAME
from tests.e2e.peers import Peer, serving
from tests.e2e.through import ESCAPED, JAVA_TUNNELS, TOKEN, clean, environment, ran

pytestmark = pytest.mark.timeout(300)

ACCOUNTS = "https://open.nordea.com/personal/v5/accounts"
PAYMENTS = ("https://open.nordea.com/personal/v4/payments/domestic", '{"amount":"2.00"}')


def needs(name, **changes):
    client = BY_NAME[name]
    if client.missing:
        pytest.skip(client.missing)
    return replace(client, **changes)


@pytest.mark.parametrize("name", ["wget", "PHP curl"])
async def test_trusts_nothing_that_only_the_environment_names(name, intercepting, run_client, bank):
    """wget with GnuTLS and PHP's curl read none of the variables; each has an option."""
    answered = await run_client(needs(name), await intercepting(), ACCOUNTS, *PAYMENTS, trust_option=False)
    assert (answered.code != 0, answered.statuses, bank.received.total) == (True, [], 0)
    assert "certificate" in answered.said


@pytest.mark.parametrize(("name", "variables"), [
    ("curl", ("HTTP_PROXY",)), ("wget", ("HTTP_PROXY",)), ("PHP curl", ("HTTP_PROXY",)),
    ("Java HttpClient", ("HTTP_PROXY", "http_proxy")), ("Java HttpURLConnection", ("HTTP_PROXY", "http_proxy")),
])
async def test_goes_around_a_proxy_that_these_variables_name(name, variables, proxy, compiled, tmp_path, lines):
    """curl, wget and PHP read http_proxy in lower case only, Java reads none."""
    client = needs(name)
    environ = clean(tmp_path) | compiled | dict.fromkeys(variables, f"http://127.0.0.1:{proxy.port()}")
    async with listening() as elsewhere:
        url = f"http://127.0.0.1:{elsewhere.port}/"
        answered = await ran(*client.argv(environ, trusting=False), url, url, "{}", environ=environ, home=tmp_path)
    assert answered.statuses == [200, 200], answered.said
    assert elsewhere.heard[0].startswith(b"GET / HTTP/1.1\r\n")
    assert lines.records == []


async def test_aiohttp_reads_the_environment_when_told_to(proxy, monkeypatch, lines):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port()}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with (listening() as elsewhere, aiohttp.ClientSession() as session,
                session.get(f"http://127.0.0.1:{elsewhere.port}/") as answer):
        assert answer.status == 200
    assert lines.records == []
    async with (aiohttp.ClientSession(trust_env=True, headers={"Authorization": "Bearer t"}) as session,
                session.get("http://open.nordea.com/personal/v5/accounts") as answer):
        assert answer.status == 200
    assert (await lines.last()).form == "absolute"


async def test_java_hands_no_password_to_a_tunnel_unless_told_to(intercepting, run_client, bank, tmp_path):
    proxy = await intercepting(token=TOKEN)
    tool_options = environment(proxy, tmp_path)["JAVA_TOOL_OPTIONS"].replace(JAVA_TUNNELS, "")
    answered = await run_client(needs("Java HttpURLConnection"), proxy, ACCOUNTS, *PAYMENTS,
                                JAVA_TOOL_OPTIONS=tool_options)
    assert (answered.statuses[0], bank.received.total) == (407, 0)


async def test_javas_client_presents_a_token_to_a_tunnel_by_header(intercepting, run_client, tmp_path):
    """Bearer is no scheme that Java keeps from tunnels, so nothing has to be switched on."""
    proxy = await intercepting(token=TOKEN)
    tool_options = environment(proxy, tmp_path)["JAVA_TOOL_OPTIONS"].replace(JAVA_TUNNELS, "")
    answered = await run_client(needs("Java HttpClient"), proxy, ACCOUNTS, *PAYMENTS, JAVA_TOOL_OPTIONS=tool_options)
    assert answered.statuses == [200, 201], answered.said


async def test_javas_client_drops_the_banks_token_when_it_has_an_authenticator(intercepting, run_client, bank):
    client = needs("Java HttpClient")
    asked = replace(client, command=(*client.command[:-1], "asked"))
    answered = await run_client(asked, await intercepting(token=TOKEN), ACCOUNTS, *PAYMENTS)
    assert (answered.statuses, bank.received.total) == ([], 1)
    assert bank.received[-1].status == 401
    assert b"authorization:" not in bank.received[-1].head.lower()


@pytest.mark.parametrize("name", ["axios", "axios 1.7"])
async def test_axios_does_not_unescape_the_proxys_credentials(name, intercepting, run_client, bank):
    """So a token for it has letters, digits, '-' and '_' only; the others read the escapes that `ca env` writes."""
    answered = await run_client(needs(name), await intercepting(token=ESCAPED), ACCOUNTS, *PAYMENTS)
    assert (answered.statuses, bank.received.total) == ([], 0)
    assert "407" in answered.said


@pytest.mark.parametrize("name", ["curl", "wget", "requests", "httpx", "aiohttp", "urllib", "undici EnvHttpProxyAgent",
                                  "axios with https-proxy-agent", "newman", "Go net/http", "PHP curl",
                                  "Ruby Net::HTTP"])
async def test_the_others_unescape_them(name, intercepting, run_client):
    answered = await run_client(needs(name), await intercepting(token=ESCAPED), ACCOUNTS, *PAYMENTS)
    assert answered.statuses == [200, 201], answered.said


async def test_a_wrong_token_is_refused(intercepting, run_client, bank, tmp_path):
    proxy = await intercepting(token=TOKEN)
    wrong = re.sub("token:[^@]*@", "token:wrong@", environment(proxy, tmp_path)["https_proxy"])
    answered = await run_client(needs("curl"), proxy, ACCOUNTS, *PAYMENTS, https_proxy=wrong)
    assert (answered.statuses, bank.received.total) == ([], 0)
    assert "407" in answered.said


def listening():
    """A server that answers 200 to whatever comes, and keeps the heads."""
    peer = Peer()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        await reader.readexactly(int(length[1]) if length else 0)
        peer.heard.append(head)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.write_eof()

    return serving(peer, handle)

"""What clients send to a proxy and not to a server does no harm and does not reach the bank: read on the wire between
client and proxy, so that a client that has given up a habit makes its test red."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from tests.e2e.line import get, within
from tests.e2e.matrix import BY_NAME, ROOT
from tests.e2e.peers import Peer, serving
from tests.e2e.through import ESCAPED, TOKEN, clean, environment, ran

pytestmark = pytest.mark.timeout(300)

ACCOUNTS = "open.nordea.com/personal/v5/accounts"
PAYMENTS = ("http://open.nordea.com/personal/v4/payments/domestic", '{"amount":"2.00"}')


@asynccontextmanager
async def overheard(proxy):
    """A relay to the proxy that keeps what clients say to it."""
    peer = Peer()

    async def pump(reader, writer, heard=None):
        while data := await reader.read(65536):
            if heard is not None:
                heard.append(data)
            writer.write(data)
            await writer.drain()
        with suppress(OSError, RuntimeError):
            writer.write_eof()

    async def handle(reader, writer):
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", proxy.port())
        try:
            await asyncio.gather(pump(reader, inner_writer, peer.heard), pump(inner_reader, writer))
        finally:
            inner_writer.transport.abort()
            with suppress(OSError):
                await inner_writer.wait_closed()

    async with serving(peer, handle):
        yield peer


async def run_overheard(name, proxy, run_client, scheme="http"):
    """-> what the client has said, and its end."""
    client = BY_NAME[name]
    if client.missing:
        pytest.skip(client.missing)
    async with overheard(proxy) as relay:
        before = environment(proxy, ROOT)
        there = {key: value.replace(str(proxy.port()), str(relay.port)) for key, value in before.items()
                 if str(proxy.port()) in value}
        answered = await run_client(client, proxy, f"{scheme}://{ACCOUNTS}",
                                    *(word.replace("http://", f"{scheme}://") for word in PAYMENTS), **there)
    return b"".join(relay.heard), answered


@pytest.mark.parametrize("name", ["curl", "wget"])
async def test_proxy_connection_stays_here(name, intercepting, run_client, bank):
    heard, answered = await run_overheard(name, await intercepting(), run_client)
    assert b"\r\nProxy-Connection: Keep-Alive\r\n" in heard
    assert answered.statuses == [200, 201]
    assert not any(b"proxy-connection" in received.head.lower() for received in bank.received)


async def test_a_get_of_length_0_is_signed_as_one_without_body(intercepting, run_client, bank):
    """Java's HttpClient writes that in every GET."""
    heard, answered = await run_overheard("Java HttpClient", await intercepting(), run_client)
    assert heard.startswith(b"GET http://")
    assert b"\r\nContent-Length: 0\r\n" in heard.partition(b"\r\n\r\n")[0] + b"\r\n"
    assert answered.statuses == [200, 201], answered.said
    assert b"\r\ndigest:" not in bank.received[0].head.lower()


@pytest.mark.parametrize("token", [b"", TOKEN])
async def test_connect_of_http_1_0(token, intercepting, bank, lines):
    """As Python's http.client has it before 3.12: no Host, no persistence asked for, and still a tunnel comes of it."""
    proxy = await intercepting(token=token)
    context = ssl.create_default_context(cafile=str(Path(proxy.config.ca_directory, "ca.pem")))
    credentials = b"Proxy-Authorization: Bearer %b\r\n" % token if token else b""
    async with proxy.connect() as line:
        await line.send(b"CONNECT open.nordea.com:443 HTTP/1.0\r\n%b\r\n" % credentials)
        assert (await within(line.reader.readuntil(b"\r\n\r\n"))).split()[1] == b"200"
        await within(line.writer.start_tls(context, server_hostname="open.nordea.com"))
        answer = await line.ask(get("/personal/v5/accounts", host="open.nordea.com"))
    assert answer.status == 200
    assert bank.received[-1].verdict.signature_checked
    assert (await lines.last()).form == "connect"


async def test_exec_runs_a_client_that_knows_nothing(intercepting, files, tmp_path, bank, lines):
    """The whole way of a user: `signing-proxy exec -- COMMAND`, with a token file and a token that needs escapes."""
    client = BY_NAME["requests"]
    if client.missing:
        pytest.skip(client.missing)
    proxy = await intercepting(token=ESCAPED)
    path = tmp_path / "proxy.json"
    config = {"port": proxy.port(), "ca_directory": proxy.config.ca_directory,
              "client_token_file": proxy.config.client_token_file, "routes": "nordea",
              "applications": {"shop": {"client_id": files.shop.client_id, "key_file": str(files.shop.key),
                                        "client_secret_file": str(files.shop.secret_file),
                                        "certificate_file": str(files.shop.certificate)}}}
    await asyncio.to_thread(path.write_text, json.dumps(config))
    answered = await ran(sys.executable, "-m", "proxy", "exec", "--config-file", str(path), "--",
                         *client.command, f"https://{ACCOUNTS}", PAYMENTS[0].replace("http:", "https:"), PAYMENTS[1],
                         environ=clean(tmp_path) | {"PYTHONPATH": str(ROOT)}, home=tmp_path)
    assert answered.statuses == [200, 201], answered.said
    assert all(received.verdict.signature_checked for received in bank.received)
    assert {record.form for record in lines.records} == {"connect"}

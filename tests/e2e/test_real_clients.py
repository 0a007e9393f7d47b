"""Clients that nobody here wrote get what they expect."""

from __future__ import annotations

import asyncio
import json
import shutil

import aiohttp
import pytest

from tests.e2e.line import DEADLINE

curl = pytest.mark.skipif(shutil.which("curl") is None, reason="install curl to run this")


async def run_curl(proxy, path: str, *arguments: str) -> tuple[int, bytes]:
    process = await asyncio.create_subprocess_exec(
        "curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "20", *arguments,
        f"http://127.0.0.1:{proxy.port()}{path}", stdout=asyncio.subprocess.PIPE)
    output, _ = await asyncio.wait_for(process.communicate(), DEADLINE)
    return process.returncode, output


@curl
async def test_curl_gets_accounts(proxy):
    code, output = await run_curl(proxy, "/personal/v5/accounts?a=b%20c", "-H", "Authorization: Bearer t")
    assert code == 0
    assert json.loads(output)["response"]["accounts"]


@curl
async def test_curl_makes_a_payment(bank, proxy):
    code, output = await run_curl(proxy, "/personal/v4/payments/domestic", "-H", "Authorization: Bearer t", "-H",
                                  "Content-Type: application/json", "-d", '{"amount":"2.00"}')
    assert (code, json.loads(output)["response"]["payment_status"]) == (0, "PendingConfirmation")
    assert bank.bank.payments.made == 1


@curl
async def test_curl_waits_for_100_continue(bank, proxy, tmp_path):
    upload = tmp_path / "upload"
    await asyncio.to_thread(upload.write_bytes, bytes(range(256)) * 3000)
    code, output = await run_curl(proxy, "/echo", "-T", str(upload), "-H", "Expect: 100-continue", "--verbose")
    assert (code, json.loads(output)["body_length"]) == (0, 768_000)
    assert bank.received[-1].verdict.signature_checked


@curl
async def test_curl_sends_chunks(proxy, tmp_path):
    upload = tmp_path / "upload"
    await asyncio.to_thread(upload.write_bytes, b"{}" * 1000)
    code, output = await run_curl(proxy, "/echo", "-T", str(upload), "-H", "Transfer-Encoding: chunked")
    assert (code, json.loads(output)["body_length"]) == (0, 2000)


@curl
async def test_curl_unpacks_what_the_bank_packed(proxy):
    code, output = await run_curl(proxy, "/gzip", "--compressed")
    assert (code, json.loads(output)["compressed"]) == (0, True)


@curl
async def test_curl_notices_a_cut(bank, proxy):
    bank.faults.add("cut_body", after=100)
    code, _ = await run_curl(proxy, "/bytes/5000?framing=chunked")
    assert code in (18, 56)


@curl
async def test_curl_asks_for_a_head(proxy):
    code, output = await run_curl(proxy, "/bytes/5000", "--head")
    assert code == 0
    assert b"Content-Length: 5000\r\n" in output


async def test_aiohttp_keeps_its_connection(bank, proxy):
    async with aiohttp.ClientSession(f"http://127.0.0.1:{proxy.port()}") as session:
        for number in range(5):
            async with session.post("/echo", json={"number": number}, params={"q": "å b"}) as answer:
                assert answer.status == 200
                assert (await answer.json())["target"] == "/echo?q=%C3%A5+b"
    assert bank.connections == 1
    assert bank.executions.count("POST") == 5


async def test_aiohttp_sees_a_cut_as_an_error(bank, proxy):
    bank.faults.add("cut_body", after=100)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{proxy.port()}") as session:
        with pytest.raises(aiohttp.ClientError):
            async with session.get("/bytes/500000") as answer:
                await answer.read()

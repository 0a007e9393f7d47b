"""The classic bug of signing proxies is to sign the path alone; this was the first regression test."""

from __future__ import annotations

import pytest

from tests.e2e.line import get, post


@pytest.mark.parametrize("query", ["?a=1", "?continuation_key=a%2Bb%3D%3D", "?b=2&a=1&b=2", "?x=1?y=2/&z", "?a=%c3%84"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_the_query_arrives_and_is_signed_byte_for_byte(bank, proxy, method, query):
    raw = post("/echo" + query) if method == "POST" else get("/echo" + query).replace(b"GET", method.encode(), 1)
    answer = await proxy.ask(raw)
    assert answer.status == 200
    assert answer.json["target"] == "/echo" + query
    string = bank.received[-1].verdict.signing_string
    assert string.startswith(f"(request-target): {method.lower()} /echo{query}\n".encode())
    assert bank.received[-1].verdict.signature_checked


async def test_a_lone_question_mark_is_dropped_from_both(bank, proxy):
    answer = await proxy.ask(get("/echo?"))
    assert answer.json["target"] == "/echo"
    assert bank.received[-1].verdict.signature_checked


async def test_a_page_is_fetched_with_the_key_the_bank_gave(proxy):
    path = "/personal/v5/accounts/FI6593857450293470-EUR/transactions"
    first = await proxy.ask(get(path))
    assert first.json["response"]["continuation_key"] == "a+b=="
    second = await proxy.ask(get(path + "?continuation_key=a%2Bb%3D%3D"))
    assert second.status == 200
    assert second.json["response"]["transactions"] != first.json["response"]["transactions"]

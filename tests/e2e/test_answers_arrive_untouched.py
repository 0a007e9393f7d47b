"""A bank's answer reaches the caller as the bank gave it: status, headers, order, bytes; nothing is followed,
unpacked or made up."""

from __future__ import annotations

import gzip

import pytest

from tests.e2e.line import get, post, request


async def test_every_status_keeps_its_number_and_reason(proxy):
    for status in (200, 201, 202, 206, 301, 302, 303, 307, 308, 400, 401, 403, 404, 409, 410, 422, 429, 500, 501, 503):
        answer = await proxy.ask(get(f"/status/{status}"))
        assert (answer.status, answer.body) == (status, b'{"status":%d}' % status)


async def test_a_redirect_is_not_followed(bank, proxy):
    answer = await proxy.ask(get("/status/302"))
    assert answer.status == 302
    assert answer["Location"] == "https://bank.example/elsewhere?code=a%2Bb&state=1"
    assert bank.received.total == 1


async def test_authorize_gives_the_applications_302(proxy):
    answer = await proxy.ask(post("/personal/v5/authorize",
                                  b'{"redirect_uri":"https://app.example/cb","scope":["ACCOUNTS"],"state":"s1"}'))
    assert answer.status == 302
    assert answer["Location"].startswith("https://app.example/cb?code=")


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_without_body_has_none_and_the_connection_goes_on(proxy, status):
    async with proxy.connect() as line:
        answer = await line.ask(get(f"/status/{status}"))
        assert (answer.status, answer.body) == (status, b"")
        assert "Transfer-Encoding" not in answer
        assert (await line.ask(get("/echo"))).status == 200


async def test_head_has_the_headers_of_get_and_no_body(proxy):
    async with proxy.connect() as line:
        answer = await line.ask(request("HEAD", "/bytes/5000"), bodiless=True)
        assert answer["Content-Length"] == "5000"
        follow = await line.ask(get("/bytes/10"))       # would read the body of HEAD, were there one
        assert len(follow.body) == 10


async def test_head_of_a_chunked_answer_leaves_the_connection_in_order(proxy):
    async with proxy.connect() as line:
        answer = await line.ask(request("HEAD", "/bytes/5000?framing=chunked"), bodiless=True)
        assert answer.status == 200
        assert len((await line.ask(get("/bytes/10"))).body) == 10


async def test_a_gzipped_answer_stays_gzipped(proxy):
    answer = await proxy.ask(get("/gzip", "Accept-Encoding: gzip"))
    assert answer["Content-Encoding"] == "gzip"
    assert b'"compressed": true' in gzip.decompress(answer.body)
    assert int(answer["Content-Length"]) == len(answer.body)


async def test_several_set_cookie_and_odd_headers_stay_apart_and_in_order(proxy):
    answer = await proxy.ask(get("/cookies"))
    odd = (b"set-", b"x-twice", b"x-odd", b"x-empty", b"x-latin")
    own = [field for field in answer.fields if field[0].lower().startswith(odd)]
    assert own == [
        (b"Set-Cookie", b"a=1; Path=/; HttpOnly"),
        (b"Set-Cookie", b"b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT"),
        (b"set-cookie", b"c=3"),
        (b"X-Twice", b"first"), (b"X-Twice", b"second"), (b"x-ODD-Case", b"kept"), (b"X-Empty", b""),
        (b"X-Latin", b"\xc5sa \xff"),
    ]


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_every_framing_brings_the_same_bytes(proxy, framing):
    async with proxy.connect() as line:
        answer = await line.ask(get(f"/bytes/200000?framing={framing}"))
        assert answer.body == b"".join(b"%015x\n" % number for number in range(12500))
        assert (answer.all("Content-Length") == [b"200000"]) is (framing == "length")
        assert (await line.ask(get("/echo"))).status == 200


async def test_interim_answers_are_kept_from_the_caller(bank, proxy):
    bank.faults.add("interim")
    answer = await proxy.ask(get("/personal/v5/accounts"))
    assert answer.raw.startswith(b"HTTP/1.1 200 ")
    assert answer.json["response"]["accounts"]


async def test_an_answer_that_comes_byte_by_byte_is_the_same(bank, proxy):
    bank.faults.add("drip", after=1)
    answer = await proxy.ask(get("/bytes/100?framing=chunked"))
    assert answer.body == b"".join(b"%015x\n" % number for number in range(7))[:100]


@pytest.mark.parametrize(("kind", "status"), [("too_many", 429), ("unavailable", 503), ("gateway_error", 500)])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_the_banks_own_refusal_passes_through_once(bank, proxy, kind, status, method):
    bank.faults.add(kind, seconds=7)
    raw = get("/personal/v5/accounts") if method == "GET" else post("/personal/v4/payments/domestic")
    answer = await proxy.ask(raw)
    assert answer.status == status
    assert answer["Retry-After"] == "7"
    assert "X-RateLimit-Remaining" in answer
    assert "Signing-Proxy-Upstream-Sent" not in answer
    assert "Proxy-Status" not in answer
    assert answer.json["httpCode"] == str(status)
    assert bank.received.total == 1


async def test_the_gateways_xml_passes_through(bank, proxy):
    bank.faults.add("too_many")
    answer = await proxy.ask(get("/personal/v5/accounts", "Accept: application/xml"))
    assert answer.body.startswith(b"<?xml")


async def test_a_refused_signature_is_told_as_the_bank_told_it(bank, proxy, files):
    bank.register(files.till.pair.certificate_pem)
    answer = await proxy.ask(get("/personal/v5/accounts"))
    assert answer.status == 401
    assert answer.json["error"]["failures"][0]["code"] == "error.signature.invalid"

"""Whatever framing a caller uses, the bank gets the same bytes of body and header, in one framing, sealed."""

from __future__ import annotations

import gzip

import pytest

from tests.e2e.line import BEARER, connected, get, post, request

CHUNKED = "Transfer-Encoding: chunked"


def last_fields(bank):
    """Raw header lines of the last request that arrived."""
    return bank.received[-1].head[:-4].split(b"\r\n")[1:]


async def test_a_chunked_body_arrives_whole_with_its_length(bank, proxy):
    raw = request("POST", "/echo", "Content-Type: application/json", CHUNKED)
    answer = await proxy.ask(raw + b'3\r\n{"a\r\n4;x=y\r\n":1}\r\n0\r\n\r\n')
    assert answer.status == 200
    assert bank.received[-1].body == b'{"a":1}'
    assert b"Content-Length: 7" in last_fields(bank)
    assert not [line for line in last_fields(bank) if line.lower().startswith(b"transfer-encoding")]


async def test_expect_100_continue_is_answered_before_the_body_comes(bank, proxy):
    async with proxy.connect() as line:
        await line.send(post("/echo", b"", "Expect: 100-continue", "Content-Length: 4"))
        interim = await line.answer()
        assert interim.raw == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert bank.received.total == 0
        assert (await line.ask(b"1234")).status == 200
    assert bank.received[-1].body == b"1234"
    assert not [line for line in last_fields(bank) if line.lower().startswith(b"expect")]


async def test_a_caller_that_does_not_wait_for_100_is_not_told_it(bank, proxy):
    answer = await proxy.ask(post("/echo", b"1234", "Expect: 100-continue"))
    assert answer.status == 200
    assert bank.received[-1].body == b"1234"


async def test_a_gzipped_body_is_neither_unpacked_nor_hashed_unpacked(bank, proxy):
    packed = gzip.compress(b'{"amount":1}', mtime=0)
    answer = await proxy.ask(post("/echo", packed, "Content-Encoding: gzip"))
    assert answer.status == 200
    assert bank.received[-1].body == packed
    assert b"Content-Encoding: gzip" in last_fields(bank)


async def test_duplicate_headers_and_their_order_and_spelling_survive(bank, proxy):
    mine = ["X-Twice: first", "x-ODD-case: 1", "X-Twice: second", "X-Empty: ", "Accept: a", "X-Twice: first"]
    assert (await proxy.ask(get("/echo", *mine))).status == 200
    arrived = [line.decode() for line in last_fields(bank)]
    assert [line for line in arrived if line in mine] == mine


async def test_bytes_that_are_no_text_survive_in_header_values(bank, proxy):
    raw = b"GET /echo HTTP/1.1\r\nHost: localhost\r\nX-Name: \xc3\x85sa \xff\xfe\r\n\r\n"
    assert (await proxy.ask(raw)).status == 200
    assert b"X-Name: \xc3\x85sa \xff\xfe" in last_fields(bank)


async def test_an_http_1_0_caller_is_served_and_the_connection_ends(bank, proxy):
    async with proxy.connect() as line:
        answer = await line.ask(b"GET /personal/v5/accounts HTTP/1.0\r\nHost: localhost\r\n" + BEARER.encode()
                                + b"\r\n\r\n")
        assert answer.status == 200
        assert answer["Connection"] == "close"
        assert await line.rest() == b""
    assert bank.received[-1].head.startswith(b"GET /personal/v5/accounts HTTP/1.1\r\n")


async def test_an_http_1_0_caller_never_gets_chunks(proxy):
    async with proxy.connect() as line:
        await line.send(b"GET /bytes/70000?framing=chunked HTTP/1.0\r\nHost: localhost\r\n\r\n")
        head, _, body = (await line.rest()).partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert len(body) == 70000


async def test_pipelined_requests_are_answered_in_their_order(bank, proxy):
    async with proxy.connect() as line:
        await line.send(b"".join(get(f"/echo/{number}") for number in range(20)))
        answers = [await line.answer() for _ in range(20)]
    assert [answer.json["target"] for answer in answers] == [f"/echo/{number}" for number in range(20)]
    assert bank.executions.total == 20


async def test_a_request_that_comes_byte_by_byte_is_one_request(bank, proxy):
    raw = post("/echo", b"{}")
    async with proxy.connect() as line:
        for at in range(len(raw)):
            await line.send(raw[at:at + 1])
        assert (await line.answer()).status == 200
    assert bank.executions.total == 1


@pytest.mark.parametrize("name", ["Forwarded: for=10.0.0.1", "X-Forwarded-For: 10.0.0.1", "X-Forwarded-Proto: http",
                                  "X-Real-IP: 10.0.0.1", "Via: 1.1 inside", "Proxy-Connection: keep-alive",
                                  "TE: trailers", "Keep-Alive: 5", "Upgrade: h2c", "X_Forwarded_For: 10.0.0.1"])
async def test_what_is_only_between_caller_and_proxy_stays_there(bank, proxy, name):
    assert (await proxy.ask(get("/echo", name))).status == 200
    stopped = name.partition(":")[0].lower().encode()
    assert stopped not in [line.partition(b":")[0].lower() for line in last_fields(bank)]


async def test_headers_named_in_connection_stop_here(bank, proxy):
    assert (await proxy.ask(get("/echo", "Connection: x-private, keep-alive", "X-Private: 1"))).status == 200
    assert not [line for line in last_fields(bank) if line.lower().startswith(b"x-private")]


async def test_ipv6_loopback_is_served_where_it_is_listened_on(bank, start_proxy):
    proxy = await start_proxy(bank, address="::1")
    async with connected(proxy.port(), "::1") as line:
        assert (await line.ask(get("/echo", host="[::1]"))).status == 200

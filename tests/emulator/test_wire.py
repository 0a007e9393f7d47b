"""What is not one well-formed request is answered 400, recorded, and never acted on."""

from __future__ import annotations

import pytest

HOST = b"Host: localhost\r\n"
CHUNKED = b"POST /echo/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"

MALFORMED = {
    "bare LF": b"GET /echo/x HTTP/1.1\nHost: localhost\r\n\r\n",
    "HTTP/1.0": b"GET /echo/x HTTP/1.0\r\n" + HOST + b"\r\n",
    "HTTP/0.9": b"GET /echo/x\r\n" + HOST + b"\r\n",
    "method in lower case": b"get /echo/x HTTP/1.1\r\n" + HOST + b"\r\n",
    "two spaces": b"GET  /echo/x HTTP/1.1\r\n" + HOST + b"\r\n",
    "absolute form": b"GET https://localhost/echo/x HTTP/1.1\r\n" + HOST + b"\r\n",
    "authority form": b"CONNECT localhost:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    "fragment": b"GET /echo/x#y HTTP/1.1\r\n" + HOST + b"\r\n",
    "raw non-ASCII": b"GET /echo/\xc3\xa5 HTTP/1.1\r\n" + HOST + b"\r\n",
    "backslash": b"GET /echo\\x HTTP/1.1\r\n" + HOST + b"\r\n",
    "no host": b"GET /echo/x HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /echo/x HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
    "folded": b"GET /echo/x HTTP/1.1\r\n" + HOST + b"X-A: b\r\n c\r\n\r\n",
    "space before colon": b"GET /echo/x HTTP/1.1\r\n" + HOST + b"X-A : b\r\n\r\n",
    "no colon": b"GET /echo/x HTTP/1.1\r\n" + HOST + b"X-A\r\n\r\n",
    "NUL": b"GET /echo/x HTTP/1.1\r\n" + HOST + b"X-A: a\x00b\r\n\r\n",
    "two lengths": b"POST /echo/x HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
    "length list": b"POST /echo/x HTTP/1.1\r\n" + HOST + b"Content-Length: 1, 1\r\n\r\na",
    "signed length": b"POST /echo/x HTTP/1.1\r\n" + HOST + b"Content-Length: +1\r\n\r\na",
    "CL and TE": CHUNKED + b"Content-Length: 1\r\n\r\n0\r\n\r\n",
    "gzip, chunked": b"POST /echo/x HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunk size": CHUNKED + b"\r\n0x1\r\na\r\n0\r\n\r\n",
    "chunk extension": CHUNKED + b"\r\n1;a=b\r\na\r\n0\r\n\r\n",
    "trailer": CHUNKED + b"\r\n1\r\na\r\n0\r\nX-A: b\r\n\r\n",
    "long head": b"GET /echo/x HTTP/1.1\r\n" + HOST + b"X-A: " + b"a" * 70_000 + b"\r\n\r\n",
    "long body": b"POST /echo/x HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999999\r\n\r\n",
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_malformed_is_400_and_recorded(bank, caller, name):
    async with caller.connect() as line:
        answer = await line.ask(MALFORMED[name])
        assert answer.status == 400
        assert answer["connection"] == "close"
    assert bank.received[-1].verdict.code == "malformed"
    assert bank.executions.total == 0


async def test_chunked_bodies_are_read_and_both_forms_kept(bank, caller):
    raw = caller.request("POST", "/echo/x", b'{"a":1}', content_length=None, transfer_encoding="chunked")
    head, _, _ = raw.partition(b"\r\n\r\n")
    answer = await caller.ask(head + b'\r\n\r\n3\r\n{"a\r\n4\r\n":1}\r\n0\r\n\r\n')
    assert answer.json["body_length"] == 7
    assert bank.received[-1].body == b'{"a":1}'
    assert bank.received[-1].framed == b'3\r\n{"a\r\n4\r\n":1}\r\n0\r\n\r\n'


async def test_every_byte_of_the_head_is_kept(bank, caller):
    raw = caller.request("GET", "/echo/x?%c3%A5", X_Odd="\xe5\xff")
    await caller.ask(raw)
    assert bank.received[-1].head == raw
    assert bank.executions[-1].raw == raw


async def test_many_requests_on_one_connection(bank, caller):
    async with caller.connect() as line:
        for number in range(5):
            assert (await line.ask(caller.request("POST", f"/echo/{number}", b"{}"))).status == 200
    assert bank.connections == 1
    assert [one.connection for one in bank.received] == [1] * 5


async def test_connection_close_is_obeyed(caller):
    async with caller.connect() as line:
        answer = await line.ask(caller.request("GET", "/echo/x", connection="close"))
        assert answer["connection"] == "close"
        assert await line.rest() == b""


async def test_expect_continue_is_answered(caller):
    raw = caller.request("POST", "/echo/x", b"{}", expect="100-continue")
    async with caller.connect() as line:
        await line.send(raw[:-2])
        assert await line.head() == (100, [])
        assert (await line.ask(raw[-2:])).status == 200


async def test_a_request_cut_off_is_recorded_as_such(bank, caller):
    for cut in (20, -1):
        async with caller.connect() as line:
            await line.send(caller.request("POST", "/echo/x", b"{}")[:cut])
            line.writer.write_eof()
            assert await line.rest() == b""
        assert bank.received[-1].verdict.code == "truncated"
    assert bank.executions.total == 0

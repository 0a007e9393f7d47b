"""What cannot be signed is refused with a stable code and a sentence; the bank sees nothing; the next request works."""

from __future__ import annotations

import pytest

from tests.e2e.line import get, post, request

HOST = b"Host: localhost\r\n"

# Refused once the request has been read whole: the connection goes on.
READABLE = {
    "double slash": (get("/personal//v5/accounts"), 400, "bad_target"),
    "dots": (get("/personal/../v5/accounts"), 400, "bad_target"),
    "encoded dots": (get("/personal/%2e%2E/accounts"), 400, "bad_target"),
    "raw utf-8": ("GET /kontot/Åsa HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(), 400, "bad_target"),
    "bad escape": (get("/a%zz"), 400, "bad_target"),
    "encoded line break": (get("/a%0d%0aX:1"), 400, "bad_target"),
    "fragment": (get("/a#b"), 400, "bad_target"),
    "backslash": (get("/a\\b"), 400, "bad_target"),
    "asterisk": (request("OPTIONS", "*"), 400, "bad_target"),
    "get with a body": (request("GET", "/echo", body=b"x"), 400, "body_not_allowed"),
    "head with a body": (request("HEAD", "/echo", body=b"x"), 400, "body_not_allowed"),
    "trace": (request("TRACE", "/echo"), 405, "method_not_supported"),
    "own method": (request("BREW", "/echo"), 405, "method_not_supported"),
    "lower-case method": (request("get", "/echo"), 405, "method_not_supported"),
    "connection: digest": (post("/echo", b"{}", "Connection: Digest"), 400, "protected_header_in_connection"),
    "connection: x-ibm": (get("/echo", "Connection: X_IBM_Client-Id"), 400, "protected_header_in_connection"),
    "connection: authorization": (get("/echo", "Connection: authorization"), 400, "protected_header_in_connection"),
    "connection: content-type": (post("/echo", b"{}", "Connection: Content-Type"), 400,
                                 "protected_header_in_connection"),
    "two content types": (post("/echo", b"{}", "Content-Type: text/plain"), 400, "content_type_invalid"),
    "empty content type": (request("POST", "/echo", "Content-Type: ", body=b"{}"), 400, "content_type_invalid"),
}

# Refused where it cannot be known what follows: the connection ends.
UNREADABLE = {
    "no http": (b"\x16\x03\x01\x02\x00hello\r\n\r\n", 400, "malformed_request"),
    "http/0.9": (b"GET /echo\r\n\r\n", 400, "malformed_request"),
    "http/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "malformed_request"),
    "two spaces": (b"GET  /echo HTTP/1.1\r\n" + HOST + b"\r\n", 400, "malformed_request"),
    "space in target": (b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n", 400, "malformed_request"),
    "bare line feed": (b"GET /echo HTTP/1.1\nHost: localhost\n\n", 400, "malformed_request"),
    "no host": (b"GET /echo HTTP/1.1\r\n\r\n", 400, "malformed_request"),
    "two hosts": (b"GET /echo HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400, "malformed_request"),
    "host with user": (request("GET", "/echo", host="a@localhost"), 400, "malformed_request"),
    "foreign host in target": (get("http://elsewhere.example/echo"), 400, "malformed_request"),
    "folded header": (b"GET /echo HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n", 400, "malformed_request"),
    "space before colon": (b"GET /echo HTTP/1.1\r\n" + HOST + b"X : a\r\n\r\n", 400, "malformed_request"),
    "nul": (b"GET /echo HTTP/1.1\r\n" + HOST + b"X: a\x00\r\n\r\n", 400, "malformed_request"),
    "two lengths": (post("/echo", b"", "Content-Length: 2", "Content-Length: 2") + b"{}", 400, "malformed_request"),
    "length list": (post("/echo", b"", "Content-Length: 2, 2") + b"{}", 400, "malformed_request"),
    "signed length": (post("/echo", b"", "Content-Length: +2") + b"{}", 400, "malformed_request"),
    "length and chunked": (post("/echo", b"", "Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n", 400,
                           "malformed_request"),
    "gzip, chunked": (post("/echo", b"", "Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n", 400,
                      "malformed_request"),
    "bad chunk": (post("/echo", b"", "Transfer-Encoding: chunked") + b"0x2\r\n{}\r\n0\r\n\r\n", 400,
                  "malformed_request"),
    "trailer": (post("/echo", b"", "Transfer-Encoding: chunked") + b"2\r\n{}\r\n0\r\nX: 1\r\n\r\n", 400,
                "malformed_request"),
    "connection: host": (get("/echo", "Connection: Host"), 400, "malformed_request"),
    "expect": (post("/echo", b"{}", "Expect: the-unexpected"), 417, "expectation_failed"),
    "head too large": (get("/echo", "X-Large: " + "x" * 40_000), 431, "headers_too_large"),
    "length too large": (post("/echo", b"", f"Content-Length: {2 << 20}"), 413, "body_too_large"),
    "chunks too large": (post("/echo", b"", "Transfer-Encoding: chunked") + b"200000\r\n" + bytes(2 << 20), 413,
                         "body_too_large"),
}


@pytest.mark.parametrize("name", READABLE)
async def test_a_readable_bad_request_is_refused_and_the_connection_goes_on(bank, proxy, name):
    raw, status, code = READABLE[name]
    bodiless = raw.startswith(b"HEAD")
    async with proxy.connect() as line:
        answer = await line.ask(raw, bodiless=bodiless)
        assert answer.status == status
        if not bodiless:
            assert answer.problem == (status, code, "no")
        assert bank.received.total == 0
        assert (await line.ask(get("/echo"))).status == 200
    record = proxy.lines.records[0]
    assert (record.code, record.sent, record.outcome, record.attempts) == (code, "no", "refused", 0)
    assert record.timings.total == 0.0      # it never began
    assert await proxy.metric("signing_proxy_rejected_total", reason=code) == 1


@pytest.mark.parametrize("name", UNREADABLE)
async def test_an_unreadable_request_is_refused_and_nothing_after_it_is_read(bank, proxy, name):
    raw, status, code = UNREADABLE[name]
    async with proxy.connect() as line:
        answer = await line.ask(raw + get("/echo/smuggled"))
        assert answer.problem == (status, code, "no")
        assert answer["Connection"] == "close"
        assert await line.rest() == b""
    assert (await proxy.ask(get("/echo"))).status == 200
    assert [received.target for received in bank.received] == ["/echo"]


async def test_a_method_that_is_never_signed_is_told_which_are(bank, proxy):
    async with proxy.connect() as line:
        answer = await line.ask(request("TRACE", "/echo"))
        assert answer.problem == (405, "method_not_supported", "no")
        assert "CONNECT" not in answer["Allow"]
        assert "TRACE" not in answer["Allow"]


async def test_the_refusal_names_the_part_and_not_the_value(proxy):
    answer = await proxy.ask(get("/personal/../secret-account"))
    assert answer.json["detail"] == "a '.' or '..' path segment"
    assert "Percent-encode" in answer.json["hint"]
    assert b"secret-account" not in answer.raw


async def test_a_refusal_before_the_body_saves_its_sending(bank, proxy):
    """Expect: 100-continue asks whether to send at all."""
    async with proxy.connect() as line:
        answer = await line.ask(post("/a//b", b"", "Expect: 100-continue", "Content-Length: 1000"))
        assert answer.problem == (400, "bad_target", "no")
        assert await line.rest() == b""


async def test_the_callers_request_id_is_on_the_refusal(proxy):
    answer = await proxy.ask(get("/a//b", "X-Request-ID: mine-42"))
    assert answer["Signing-Proxy-Request-Id"] == "mine-42"
    strange = await proxy.ask(get("/a//b", 'X-Request-ID: "<b>"'))
    assert strange["Signing-Proxy-Request-Id"].isalnum()


@pytest.mark.parametrize("body", [1 << 20, (1 << 20) + 1])
async def test_the_limit_itself_passes_and_one_byte_more_does_not(bank, proxy, body):
    answer = await proxy.ask(post("/echo", bytes(body)))
    assert answer.status == (200 if body == 1 << 20 else 413)
    assert bank.executions.total == (answer.status == 200)

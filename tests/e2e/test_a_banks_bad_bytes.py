"""Whatever bytes a bank answers with, the call ends, is recorded once and truthfully, and the clock goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.e2e.line import get, post
from tests.e2e.peers import Peer, bank_context, serving
from tests.e2e.standing import Proxy, samples

PAY = post("/personal/v4/payments/domestic")
UNREADABLE = (b'{"error":"\xff"}', b"\xff\xfe{}", b'{"error":{"failures":[{"code":"\xc3\x28"}]}}', b"[" * 10000,
              b"<a>\xff</a>", b'{"group_header":"\xed\xa0\x80"}', b"{" * 16384 + b"\xff")


def answered(body: bytes, *fields: bytes, status: bytes = b"400 Bad Request") -> bytes:
    return b"\r\n".join((b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *fields, b"", body))


@pytest.fixture
def start_scripted(files, stack, start_proxy) -> Callable[..., Awaitable[Proxy]]:
    """start_scripted(*answers, **settings): a bank that gives these bytes in turn, and then is silent."""
    async def start(*answers: bytes, **changes: object) -> Proxy:
        left = list(answers)

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                peer.heard.append(head + await reader.readexactly(int(length or 0)))
                if not left:
                    await reader.read(-1)
                    return
                writer.write(left.pop(0))
                await writer.drain()

        peer = await stack.enter_async_context(serving(Peer(), handle, bank_context(files)))
        proxy = await start_proxy(f"https://127.0.0.1:{peer.port}", **changes)
        proxy.heard = peer.heard
        return proxy

    return start


async def requests_counted(proxy: Proxy) -> float:
    found = samples((await proxy.admin("/metrics")).body)
    return sum(value for (name, _), value in found.items() if name == "signing_proxy_requests_total")


@pytest.mark.parametrize("body", UNREADABLE)
async def test_an_error_that_cannot_be_read_is_passed_on_and_recorded(start_scripted, body):
    proxy = await start_scripted(answered(body), timeouts={"first_byte": 0.3})
    answer = await proxy.ask(PAY)
    assert (answer.status, answer.body) == (400, body)
    record = await proxy.lines.last()
    assert (record.status, record.outcome, record.refused_by, record.code) == (400, "answered", "bank", "")
    assert proxy.running.gateway.in_flight == 0
    assert (len(proxy.lines.records), await requests_counted(proxy)) == (1, 1)
    late = await proxy.ask(PAY)         # the bank is silent from here on
    assert late.problem == (504, "upstream_timeout", "maybe")
    assert proxy.running.gateway.in_flight == 0
    assert len(proxy.lines.records) == 2


BROKEN = {
    "chunk size": b"Transfer-Encoding: chunked\r\n\r\nzz\r\nrest",
    "chunk longer than its size": b"Transfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n",
    "trailer": b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("status", [b"200 OK", b"400 Bad Request"])
@pytest.mark.parametrize("broken", BROKEN)
async def test_a_body_that_breaks_at_once_is_recorded_as_what_the_caller_got(start_scripted, broken, status):
    proxy = await start_scripted(b"HTTP/1.1 %b\r\n%b" % (status, BROKEN[broken]))
    answer = await proxy.ask(PAY)
    assert answer.problem == (502, "upstream_malformed", "maybe")
    record = await proxy.lines.last()
    assert (record.status, record.outcome, record.refused_by) == (502, "failed", "proxy")
    assert (record.code, record.sent) == ("upstream_malformed", "maybe")
    assert proxy.running.gateway.in_flight == 0
    assert (len(proxy.lines.records), len(proxy.heard)) == (1, 1)


@pytest.mark.parametrize("name", [b"Signing-Proxy-Upstream-Sent", b"signing-proxy-upstream-sent",
                                  b"SIGNING-PROXY-UPSTREAM-SENT"])
async def test_a_bank_cannot_say_that_nothing_was_sent(start_scripted, name):
    """A caller that believed it would pay twice."""
    proxy = await start_scripted(answered(b"{}", name + b": no", b"X-Own: kept", status=b"500 Oops"),
                                 answered(b"", name + b": no", status=b"200 OK"))
    for status in (500, 200):
        answer = await proxy.ask(get("/echo"))
        assert answer.status == status
        assert "Signing-Proxy-Upstream-Sent" not in answer
        assert ("X-Own" in answer) is (status == 500)

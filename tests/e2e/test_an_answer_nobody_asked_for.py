"""What a bank sends on an idle connection is nobody's answer: not even where the next request is about to be written
there, and nobody has read it yet."""

from __future__ import annotations

import pytest

from tests.e2e.line import get, post
from tests.e2e.peers import Peer, bank_context, serving

POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\nsomebody else's"[:-1]
GOODBYE = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@pytest.fixture
async def bank(files):
    """Answers with the target; lines: how to write on each of its connections."""
    async def handle(reader, writer) -> None:
        peer.lines.append(writer)
        while True:
            target = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]
            peer.targets.append(target)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(target), target))

    class Speaking(Peer):
        lines: list
        targets: list

    peer = Speaking()
    peer.lines, peer.targets = [], []
    async with serving(peer, handle, bank_context(files)):
        yield peer


@pytest.mark.parametrize("unasked", [POISON, GOODBYE], ids=["another's answer", "a goodbye"])
@pytest.mark.parametrize("call", [get("/next"), post("/next", b"")], ids=["GET", "POST"])
async def test_a_request_is_not_written_behind_an_answer_that_has_come_already(bank, start_proxy, call, unasked):
    proxy = await start_proxy(f"https://127.0.0.1:{bank.port}")
    async with proxy.connect() as line:
        assert (await line.ask(get("/first"))).body == b"/first"
        line.writer.write(call)                 # both are in the kernel when the proxy looks, the caller's bytes first
        bank.lines[0].write(unasked)
        answer = await line.answer()
    assert (answer.status, answer.body) == (200, b"/next")
    assert bank.targets == [b"/first", b"/next"]
    assert bank.accepted == 2

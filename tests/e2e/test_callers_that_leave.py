"""A caller that goes away before anything was sent stops its call; after that, the outcome is awaited and told."""

from __future__ import annotations

from tests.e2e.line import eventually, get, post, reset
from tests.e2e.peers import silent_peer


async def test_gone_before_the_request_is_whole_nothing_is_sent(bank, proxy):
    async with proxy.connect() as line:
        await line.send(post("/echo", b"", "Content-Length: 10") + b"123")
        await eventually(lambda: proxy.running.server.buffered)
        reset(line)
        await eventually(lambda: not proxy.running.server.connections)
    assert proxy.running.server.buffered == 0
    assert (await proxy.ask(get("/echo"))).status == 200
    assert bank.received.total == 1


async def test_gone_while_a_connection_is_made_nothing_is_sent(start_proxy):
    """The bank has accepted, and has not shaken hands yet."""
    async with silent_peer() as peer:
        proxy = await start_proxy(f"https://127.0.0.1:{peer.port}", timeouts={"connect": 3600.0, "queue": 3600.0})
        async with proxy.connect() as line:
            await line.send(post("/echo"))
            await peer.until(lambda: peer.open == 1)
            reset(line)
            record = await proxy.lines.last()
        assert (record.outcome, record.sent, record.attempts) == ("client_gone", "no", 0)


async def test_gone_while_it_waits_for_a_connection_nothing_is_executed(bank, start_proxy):
    proxy = await start_proxy(bank, limits={"upstream_connections": 1}, timeouts={"queue": 3600.0})
    bank.faults.add("stall", path="/echo/first")
    async with proxy.connect() as first, proxy.connect() as second:
        await first.send(get("/echo/first"))
        await bank.until(lambda: bank.faults.taken == 1)
        await second.send(post("/echo/second"))
        await eventually(lambda: proxy.running.gateway.in_flight == 2)
        reset(second)
        record = await proxy.lines.last()
        assert (record.outcome, record.sent, record.method) == ("client_gone", "no", "POST")
        bank.faults.release()
        assert (await first.answer()).status == 200
        assert (await first.ask(get("/echo/third"))).status == 200
    assert [one.target for one in bank.executions] == ["/echo/first", "/echo/third"]


async def test_gone_after_sending_the_outcome_is_logged(bank, proxy):
    bank.faults.add("stall")
    async with proxy.connect() as line:
        await line.send(post("/echo"))
        await bank.until(lambda: bank.faults.taken == 1)
        reset(line)
        await eventually(lambda: not proxy.running.server.connections)
        assert not proxy.lines.records      # the outcome is not known yet
        bank.faults.release()
        record = await proxy.lines.last()
    assert (record.outcome, record.sent, record.status) == ("client_gone", "yes", 200)
    assert bank.executions.total == 1


async def test_gone_after_sending_and_then_cut_is_logged_as_uncertain(bank, proxy):
    bank.faults.add("stall_before")
    async with proxy.connect() as line:
        await line.send(post("/echo"))
        await bank.until(lambda: bank.faults.taken == 1)
        reset(line)
        await eventually(lambda: not proxy.running.server.connections)
        bank.faults.release()
        record = await proxy.lines.last()
    assert (record.outcome, record.sent, record.code) == ("client_gone", "maybe", "upstream_closed")
    assert await proxy.metric("signing_proxy_uncertain_total", route="nordea") == 1


async def test_gone_in_the_middle_of_the_answer_the_bank_is_not_read_to_its_end(bank, proxy):
    async with proxy.connect() as line:
        await line.send(get("/bytes/1000000000"))
        await line.reader.readuntil(b"\r\n\r\n")
        reset(line)
        record = await proxy.lines.last()
    assert (record.outcome, record.sent) == ("client_gone", "yes")
    assert record.response_bytes < 100_000_000
    await bank.until(lambda: bank.open_connections == 0)
    assert proxy.running.gateway.in_flight == 0


async def test_a_half_close_after_sending_still_gets_the_answer(bank, proxy):
    bank.faults.add("stall")
    async with proxy.connect() as line:
        await line.send(post("/echo"))
        await bank.until(lambda: bank.faults.taken == 1)
        line.writer.write_eof()
        bank.faults.release()
        assert (await line.answer()).status == 200
        assert await line.rest() == b""
    assert (await proxy.lines.last()).outcome == "answered"

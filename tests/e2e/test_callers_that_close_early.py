"""A caller that closes its side before anything was sent: nothing is executed for it, and it is told.

Most have given up and will call again: what was executed for them after that would be executed twice.
"""

from __future__ import annotations

import pytest

from tests.e2e.line import eventually, get, post, reset
from tests.e2e.peers import silent_peer

CLOSED = (400, "caller_closed", "no")


@pytest.fixture
async def busy(bank, start_proxy):
    """(proxy, line of the call that has its only connection to the bank)."""
    proxy = await start_proxy(bank, limits={"upstream_connections": 1}, timeouts={"queue": 3600.0})
    bank.faults.add("stall", path="/echo/first")
    async with proxy.connect() as first:
        await first.send(get("/echo/first"))
        await bank.until(lambda: bank.faults.taken == 1)
        yield proxy, first


async def waiting(proxy, line, raw=None) -> None:
    """Sends it and waits until it waits."""
    await line.send(raw or post("/echo/second"))
    await eventually(lambda: proxy.pool.counts[2] == 1)


@pytest.mark.parametrize("raw", [get("/echo/second"), post("/echo/second")])
async def test_a_half_close_while_it_waits_in_line_is_answered_and_nothing_is_executed(bank, busy, raw):
    proxy, first = busy
    async with proxy.connect() as second:
        await waiting(proxy, second, raw)
        second.writer.write_eof()
        answer = await second.answer()
        assert answer.problem == CLOSED
        assert answer["Connection"] == "close"
        assert await second.rest() == b""
    record = await proxy.lines.last()
    assert (record.outcome, record.code, record.sent, record.attempts) == ("refused", "caller_closed", "no", 0)
    bank.faults.release()
    assert (await first.answer()).status == 200
    assert (await first.ask(get("/echo/third"))).status == 200
    assert [one.target for one in bank.executions] == ["/echo/first", "/echo/third"]
    assert proxy.running.gateway.in_flight == 0


async def test_a_close_while_it_waits_in_line(bank, busy):
    """A plain close() looks the same from here: a FIN, and no reset until something is written."""
    proxy, first = busy
    async with proxy.connect() as second:
        await waiting(proxy, second)
        second.writer.close()
        record = await proxy.lines.last()
    assert record.sent == "no"
    bank.faults.release()
    assert (await first.answer()).status == 200
    assert (await first.ask(get("/echo/third"))).status == 200
    assert [one.target for one in bank.executions] == ["/echo/first", "/echo/third"]


async def test_a_half_close_while_hands_are_shaken(start_proxy):
    async with silent_peer() as peer:
        proxy = await start_proxy(f"https://127.0.0.1:{peer.port}", timeouts={"connect": 3600.0, "queue": 3600.0})
        async with proxy.connect() as line:
            await line.send(post("/echo"))
            await peer.until(lambda: peer.open == 1)
            line.writer.write_eof()
            assert (await line.answer()).problem == CLOSED
        assert proxy.running.gateway.in_flight == 0
        assert len(proxy.lines.records) == 1


async def test_the_connection_that_was_made_for_it_serves_the_next(bank, busy):
    """Also the call that came after it, which is not the one to be withdrawn."""
    proxy, first = busy
    async with proxy.connect() as second, proxy.connect() as third:
        await waiting(proxy, second)
        await third.send(post("/echo/third"))
        await eventually(lambda: proxy.pool.counts[2] == 2)
        second.writer.write_eof()
        assert (await second.answer()).problem == CLOSED
        bank.faults.release()
        assert (await first.answer()).status == 200
        assert (await third.answer()).status == 200
    assert [one.target for one in bank.executions] == ["/echo/first", "/echo/third"]


async def test_a_request_and_its_half_close_in_one_go(bank, busy):
    """The FIN may be here before the request is begun: it hears the same."""
    proxy, first = busy
    async with proxy.connect() as second:
        second.writer.write(post("/echo/second"))
        second.writer.write_eof()
        assert (await second.answer()).problem == CLOSED
    bank.faults.release()
    assert (await first.answer()).status == 200
    assert (await first.ask(get("/echo/third"))).status == 200
    assert [one.target for one in bank.executions] == ["/echo/first", "/echo/third"]


@pytest.mark.parametrize("raw", [get("/echo"), post("/echo")])
async def test_a_half_close_after_sending_still_gets_its_answer(bank, proxy, raw):
    bank.faults.add("stall")
    async with proxy.connect() as line:
        await line.send(raw)
        await bank.until(lambda: bank.faults.taken == 1)
        line.writer.write_eof()
        await eventually(lambda: all(connection._eof for connection in proxy.running.server.connections))
        bank.faults.release()
        answer = await line.answer()
        assert (answer.status, answer["Connection"]) == (200, "close")
        assert await line.rest() == b""
    record = await proxy.lines.last()
    assert (record.outcome, record.sent) == ("answered", "yes")
    assert bank.executions.total == 1


def held(proxy) -> bool:
    """Whether a second request waits behind the one in hand, so that nothing more is read from its caller."""
    return any(connection._tap.paused for connection in proxy.running.server.connections)


LEAVING = {"close": lambda line: line.writer.close(), "reset": reset}


@pytest.mark.parametrize("leave", LEAVING.values(), ids=LEAVING)
async def test_a_caller_that_has_sent_ahead_and_goes_while_it_waits_in_line(bank, busy, leave):
    """Nobody reads its end of the connection, as its next request waits there."""
    proxy, first = busy
    async with proxy.connect() as second:
        await waiting(proxy, second)
        await second.send(post("/echo/ahead"))
        await eventually(lambda: held(proxy))
        leave(second)
        bank.faults.release()
        assert (await first.answer()).status == 200
        record = await proxy.lines.last(2)
        assert (record.code, record.sent, record.attempts) == ("caller_closed", "no", 0)
        await eventually(lambda: len(proxy.running.server.connections) == 1)
    assert (await first.ask(get("/echo/third"))).status == 200
    assert [one.target for one in bank.executions] == ["/echo/first", "/echo/third"]
    assert proxy.running.gateway.in_flight == 0


@pytest.mark.parametrize("leave", LEAVING.values(), ids=LEAVING)
async def test_what_was_sent_ahead_by_a_caller_that_has_gone_meanwhile(bank, proxy, leave):
    bank.faults.add("stall", path="/echo/first")
    async with proxy.connect() as line:
        await line.send(post("/echo/first"))
        await bank.until(lambda: bank.faults.taken == 1)
        await line.send(post("/echo/ahead"))
        await eventually(lambda: held(proxy))
        leave(line)
        bank.faults.release()
        await eventually(lambda: not proxy.running.server.connections)
    assert (await proxy.ask(get("/echo/third"))).status == 200
    assert [one.target for one in bank.executions] == ["/echo/first", "/echo/third"]

"""An answer that was cut is cut for the caller too: never padded, never ended as if it were whole."""

from __future__ import annotations

from contextlib import suppress

import pytest

from tests.e2e.line import Cut, get

BYTES = b"".join(b"%015x\n" % number for number in range(8192))


@pytest.mark.parametrize("ending", ["close", "abort", "reset"])
@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("after", [0, 40_000])
async def test_a_cut_answer_is_aborted(bank, proxy, framing, ending, after):
    bank.faults.add("cut_body", after=after, ending=ending)
    async with proxy.connect() as line:
        with pytest.raises(Cut) as cut:
            await line.ask(get(f"/bytes/{len(BYTES)}?framing={framing}"))
    head, separator, _ = cut.value.partial.partition(b"\r\n\r\n")
    assert not separator or head.startswith(b"HTTP/1.1 200 ")
    assert not cut.value.partial.endswith(b"0\r\n\r\n")
    record = await proxy.lines.last()
    assert (record.outcome, record.code, record.sent) == ("cut", "upstream_closed", "maybe")


@pytest.mark.parametrize("ending", ["abort", "reset"])
async def test_an_answer_that_lasts_until_the_end_needs_an_orderly_end(bank, proxy, ending):
    """Over TLS a cut is not an end: without close_notify the answer is not whole."""
    bank.faults.add("cut_body", after=40_000, ending=ending)
    with pytest.raises(Cut) as cut:
        await proxy.ask(get(f"/bytes/{len(BYTES)}?framing=close"))
    assert not cut.value.partial.endswith(b"0\r\n\r\n")


async def test_an_answer_that_lasts_until_an_orderly_end_is_whole(proxy):
    answer = await proxy.ask(get(f"/bytes/{len(BYTES)}?framing=close"))
    assert answer.body == BYTES


async def test_an_answer_shorter_than_its_length_is_aborted(bank, proxy):
    bank.faults.add("length_long", after=7)
    with pytest.raises(Cut):
        await proxy.ask(get(f"/bytes/{len(BYTES)}"))
    assert (await proxy.lines.last()).code == "upstream_closed"


async def test_an_answer_that_breaks_its_own_framing_is_not_passed_on_as_whole(bank, proxy):
    """Whether a byte of it had gone out when the bad one came is the network's choice."""
    bank.faults.add("bad_chunk")
    with suppress(Cut):
        answer = await proxy.ask(get("/bytes/5000"))
        assert answer.problem == (502, "upstream_malformed", "maybe")
    assert (await proxy.lines.last()).code == "upstream_malformed"


async def test_what_goes_beyond_the_length_does_not_reach_the_caller(bank, proxy):
    bank.faults.add("length_short", after=100)
    async with proxy.connect() as line:
        answer = await line.ask(get("/bytes/5000"))
        assert (answer["Content-Length"], answer.body) == ("4900", BYTES[:4900])
        assert (await line.ask(get("/bytes/16"))).body == BYTES[:16]
    assert bank.connections == 2


async def test_the_next_request_after_a_cut_works(bank, proxy):
    bank.faults.add("cut_body", after=10)
    with pytest.raises(Cut):
        await proxy.ask(get("/bytes/5000"))
    assert (await proxy.ask(get("/bytes/5000"))).body == BYTES[:5000]


async def test_an_http_1_0_caller_sees_a_reset_where_the_end_would_mean_whole(bank, proxy):
    """Its answer ends with the connection, so an orderly end after a cut would be a lie."""
    bank.faults.add("cut_body", after=40_000)
    async with proxy.connect() as line:
        await line.send(f"GET /bytes/{len(BYTES)}?framing=chunked HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        with pytest.raises(ConnectionError):
            await line.rest()

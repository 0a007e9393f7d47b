"""Ten thousand generated requests arrive at a verifier that shares no code with the signer: each as it was sent, each
with a signature over exactly the bytes that arrived."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from random import Random

import pytest

from proxy.emulator.records import Received
from tests.e2e.generated import Generated, generate
from tests.e2e.line import Line, get

COUNT, CALLERS, SEED = 10_000, 24, 20261121
_SEALED = {b"x-ibm-client-id", b"x-ibm-client-secret", b"x-nordea-originating-host", b"x-nordea-originating-date",
           b"digest", b"signature", b"host", b"content-length"}


@pytest.mark.timeout(240)
async def test_ten_thousand_generated_requests_arrive_as_they_were_signed(start_bank, start_proxy):
    bank = await start_bank(keep=2 * COUNT)
    proxy = await start_proxy(bank)
    random = Random(SEED)
    sent = [generate(random, number) for number in range(COUNT)]
    queue = iter(sent)
    await asyncio.gather(*(_caller(proxy, queue, Random(SEED + caller)) for caller in range(CALLERS)))

    assert bank.executions.total == COUNT
    arrived = {number_of(received): received for received in bank.received}
    assert len(arrived) == COUNT
    for one in sent:
        _compare(one, arrived[one.number])
    assert await proxy.metric("signing_proxy_requests_in_flight") == 0
    assert not proxy.running.server.buffered


async def _caller(proxy, queue: Iterator[Generated], random: Random) -> None:
    """Takes requests until there are no more; opens a connection as often as one has ended."""
    one = next(queue, None)
    while one is not None:
        async with proxy.connect() as line:
            while one is not None:
                await _send_in_pieces(line, one.raw, random)
                answer = await line.answer(bodiless=one.method == "HEAD")
                assert answer.status == 200, (one, answer)
                closes, one = one.closes, next(queue, None)
                if closes:
                    assert answer["Connection"] == "close"
                    assert await line.rest() == b""
                    break


async def _send_in_pieces(line: Line, raw: bytes, random: Random) -> None:
    if random.random() < 0.7:
        await line.send(raw)
        return
    at = random.randrange(len(raw))
    await line.send(raw[:at])
    await asyncio.sleep(0)      # lets the proxy see the first piece alone
    await line.send(raw[at:])


def number_of(received: Received) -> int:
    (value,) = (value for name, value in received.fields if name == "X-Number")
    return int(value)


def _compare(one: Generated, received: Received) -> None:
    line, *fields = received.head[:-4].split(b"\r\n")
    assert line == b"%b %b HTTP/1.1" % (one.method.encode(), one.target)
    assert received.body == one.body
    assert received.verdict.accepted
    assert received.verdict.signature_checked
    own = [field for field in fields if field.partition(b":")[0].lower() not in _SEALED]
    added = [] if _typed(one) or not (one.body or one.method in ("POST", "PUT", "PATCH")) else [
        b"Content-Type: application/json"]
    assert own == [*added, *one.fields]


def _typed(one: Generated) -> bool:
    return any(field.lower().startswith(b"content-type:") for field in one.fields)


async def test_a_request_the_verifier_does_not_accept_is_noticed(bank, start_proxy, files):
    """The proof above can fail: the same verifier, told of another certificate, refuses."""
    proxy = await start_proxy(bank)
    bank.register(files.till.pair.certificate_pem)
    assert (await proxy.ask(get("/echo"))).status == 401
    assert not bank.received[-1].verdict.accepted
    assert bank.executions.total == 0

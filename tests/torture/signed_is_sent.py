"""Signed = sent: generated requests in the three forms, verified from the raw bytes that arrived at the bank."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from random import Random
from typing import Literal

from proxy.emulator.records import Received
from tests.e2e.generated import Generated, generate
from tests.e2e.line import Line
from tests.e2e.standing import BANK_NAME, Proxy
from tests.e2e.tunnels import trusting, tunnelled
from tests.torture.figures import Figure, none_of, scaled
from tests.torture.ground import Ground

Form = Literal["origin", "absolute", "connect"]
FORMS: tuple[Form, ...] = ("origin", "absolute", "connect")
PROMISE = "signed = sent"
COUNT, CALLERS, SEED = 50_000, 24, 20261121
_SEALED = frozenset((b"x-ibm-client-id", b"x-ibm-client-secret", b"x-nordea-originating-host",
                     b"x-nordea-originating-date", b"digest", b"signature", b"host", b"content-length"))


async def run(ground: Ground, size: float) -> list[Figure]:
    count = scaled(COUNT, size, least=len(FORMS) * CALLERS)
    return [await _form(ground, form, -(-count // len(FORMS))) for form in FORMS]


async def _form(ground: Ground, form: Form, count: int) -> Figure:
    random = Random(f"{SEED} {form}")
    sent = [generate(random, number, form) for number in range(count)]
    async with ground.both(ca_directory=str(ground.client_ca), bank={"keep": count}) as (bank, proxy):
        queue = iter(sent)
        refused = sum(await asyncio.gather(*(_caller(proxy, form, queue, Random(f"{SEED} {number}"))
                                             for number in range(CALLERS))))
        arrived = {number_of(received): received for received in bank.received}
        executed = bank.executions.total
    wrong = [one for one in sent if one.number not in arrived or differences(one, arrived[one.number])]
    bad = len(wrong) + refused + abs(executed - count)
    first = wrong[0].raw[:80].decode("latin-1") if wrong else ""
    return none_of(PROMISE, f"mismatches, {form} form", bad, count, first)


async def _caller(proxy: Proxy, form: Form, queue: Iterator[Generated], random: Random) -> int:
    """Takes requests until there are no more; opens a connection as often as one has ended. -> not answered with 200"""
    refused, one = 0, next(queue, None)
    while one is not None:
        async with _line(proxy, form) as line:
            while one is not None:
                await _send_in_pieces(line, one.raw, random)
                answer = await line.answer(bodiless=one.method == "HEAD")
                refused += answer.status != 200
                closes, one = one.closes, next(queue, None)
                if closes:
                    refused += answer["Connection"] != "close" or await line.rest() != b""
                    break
    return refused


@asynccontextmanager
async def _line(proxy: Proxy, form: Form) -> AsyncIterator[Line]:
    async with (tunnelled(proxy, context=trusting(proxy)) if form == "connect" else proxy.connect()) as line:
        yield line


async def _send_in_pieces(line: Line, raw: bytes, random: Random) -> None:
    if random.random() < 0.7:
        await line.send(raw)
        return
    at = random.randrange(1, len(raw))
    await line.send(raw[:at])
    await asyncio.sleep(0)      # lets the proxy see the first piece alone
    await line.send(raw[at:])


def number_of(received: Received) -> int:
    (value,) = (value for name, value in received.fields if name == "X-Number")
    return int(value)


def differences(one: Generated, received: Received) -> list[str]:
    """What is not as the caller sent it, or not as it was signed."""
    line, *fields = received.head[:-4].split(b"\r\n")
    own = [field for field in fields if field.partition(b":")[0].lower() not in _SEALED]
    added = [] if _typed(one) or not (one.body or one.method in ("POST", "PUT", "PATCH")) else [
        b"Content-Type: application/json"]
    checks = {"request line": line == b"%b %b HTTP/1.1" % (one.method.encode(), one.target),
              "body": received.body == one.body, "fields": own == [*added, *one.fields],
              "host": b"Host: " + BANK_NAME.encode() in fields,
              "verdict": received.verdict.accepted and received.verdict.signature_checked}
    return [name for name, fine in checks.items() if not fine]


def _typed(one: Generated) -> bool:
    return any(field.lower().startswith(b"content-type:") for field in one.fields)

"""A connection that has ended leaves nothing to the collector, which seldom comes by in a process that is frozen."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from proxy.wire.tls import Tls
from tests.wire.test_tls import End, conversation


@pytest.fixture
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def turns(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def talked(server_context, client_context, leave) -> list[weakref.ref]:
    """A conversation with a word each way, ended by leave(tls).  -> what would still be there."""
    bank, caller = End(), End()
    async with conversation(server_context, client_context, bank, caller) as (bank_tls, tls):
        tls.write(b"question")
        await bank.has(8)
        bank_tls.write(b"answer")
        await caller.has(6)
        leave(tls)
        await caller.lost
        await bank.lost
        assert isinstance(tls, Tls)
        return [weakref.ref(tls), weakref.ref(bank_tls), weakref.ref(bank), weakref.ref(caller)]


@pytest.mark.parametrize("leave", [Tls.close, Tls.abort])
@pytest.mark.usefixtures("no_collector")
async def test_after_it_ended_without_the_collector(server_context, client_context, leave):
    references = await talked(server_context, client_context, leave)
    await turns()
    assert [reference() for reference in references] == [None] * 4

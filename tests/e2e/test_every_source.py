"""Wherever a key is kept, the proxy loads it, signs with it, takes another, refuses a broken one, outlives an outage,
and waits for nothing without an end.

One suite for all places (places.py), through a running proxy before the emulator.  What only one of them has is tested
beside it: tests/keys, tests/vault, test_vault_signs.py, test_keys_on_a_token.py.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from proxy.app import compose
from proxy.emulator import Authority, Pair
from proxy.errors import KeyUnusable
from tests.e2e import places
from tests.e2e.line import Answer, get, post
from tests.e2e.places import Place
from tests.e2e.standing import Proxy, configuration
from tests.keys import hsm
from tests.keys.making import PASSWORD
from tests.vault.servers import Server, running


@pytest.fixture(scope="module")
def successor() -> Pair:
    return Authority().seal()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running("standin") as server:
        yield server


@pytest.fixture(scope="module")
def store(files, successor, tmp_path_factory) -> hsm.Store:
    return places.Token.make(tmp_path_factory.mktemp("hsm"), files.shop.pair, successor)


@pytest.fixture(params=places.NAMES)
def place(request, files, tmp_path, monkeypatch) -> Iterator[Place]:
    """With the key whose certificate the bank has."""
    place = places.make(request.param, tmp_path, monkeypatch, request)
    place.put(files.shop.pair)
    yield place
    place.close()


@pytest.fixture
def settings(place, files) -> Callable[[], dict]:
    return lambda: {"applications": {"shop": files.shop.application(**place.settings())}, **place.more()}


@pytest.fixture
async def proxy(bank, start_proxy, settings) -> Proxy:
    return await start_proxy(bank, **settings())


async def shop(proxy: Proxy) -> dict:
    return (await proxy.admin("/status")).json["applications"]["shop"]


def due(proxy: Proxy):
    return asyncio.to_thread(proxy.running.rings["shop"].signing.reload_due)


def accepted(bank, answer: Answer) -> bool:
    return answer.status == 200 and bank.received[-1].verdict.signature_checked


async def test_it_is_loaded_and_signs(proxy, bank, place, files):
    assert accepted(bank, await proxy.ask(get("/personal/v5/accounts")))
    async with asyncio.TaskGroup() as tasks:
        answers = [tasks.create_task(proxy.ask(post("/echo", b'{"n": %d}' % number))) for number in range(8)]
    assert all(accepted(bank, answer.result()) for answer in answers)
    status = await shop(proxy)
    assert status["source"].startswith(place.source)
    assert (status["revision"], status["key"]["bits"], "last_error" in status) == (1, 2048, False)
    assert not await due(proxy)
    for secret in (hsm.PIN, PASSWORD.decode(), "PRIVATE KEY"):
        assert secret not in str(status)


async def test_another_key_is_noticed_and_taken(proxy, bank, place, successor):
    before = (await shop(proxy))["key"]["spki_sha256"]
    await asyncio.to_thread(place.put, successor)
    assert accepted(bank, await proxy.ask(get("/echo"))), "until it is loaded the old one signs"
    assert await due(proxy)
    assert (await proxy.running.reload()).failed == []
    bank.register(successor.certificate_pem)
    assert accepted(bank, await proxy.ask(post("/echo")))
    status = await shop(proxy)
    assert (status["revision"], status["reloads"]) == (2, {"ok": 1, "failed": 0})
    assert status["key"]["spki_sha256"] != before
    assert not await due(proxy)


@pytest.mark.parametrize("how", ["mismatch", "garbage"])
async def test_a_broken_one_keeps_the_old(proxy, bank, place, files, successor, how, caplog):
    before = await shop(proxy)
    if how == "mismatch":
        await asyncio.to_thread(place.put, files.shop.pair, successor.certificate_pem)
    else:
        await asyncio.to_thread(place.spoil)
    code = place.garbage if how == "garbage" else "key_pair_mismatch"
    assert await due(proxy)
    assert (await proxy.running.reload()).failed == ["application shop, current"]
    after = await shop(proxy)
    assert after["last_error"]["code"] == code
    assert (after["key"], after["revision"], after["reloads"]["failed"]) == (before["key"], 1, 1)
    (record,) = [record for record in caplog.records if "reload failed, the old key stays" in record.getMessage()]
    assert (record.levelno, code in record.getMessage()) == (logging.ERROR, True)
    assert "CANARY" not in caplog.text
    assert await proxy.metric("signing_proxy_key_reloads_total", application="shop", outcome="failed") == 1
    assert accepted(bank, await proxy.ask(post("/echo")))
    assert (await proxy.admin("/readyz")).status == 200
    await asyncio.to_thread(place.put, files.shop.pair)
    assert await due(proxy), "a failed reload is tried again"
    assert (await proxy.running.reload()).failed == []
    assert "last_error" not in await shop(proxy)


async def test_an_outage_is_outlived(proxy, bank, place, settings, files):
    await asyncio.to_thread(place.take_away)
    assert not await due(proxy), "an outage alone is nothing to load"
    await proxy.running.reload()
    status = await shop(proxy)
    assert (status["last_error"]["code"], status["revision"]) == (place.outage, 1)
    answer, received = await proxy.ask(post("/echo")), len(bank.received)
    if place.in_process:
        assert accepted(bank, answer)
    else:
        assert (answer.problem, received) == ((503, place.no_signature[0], "no"), 0)
    assert await asyncio.to_thread(started, configuration(bank, files, **settings())) == place.outage
    await asyncio.to_thread(place.bring_back)
    assert accepted(bank, await proxy.ask(post("/echo")))
    assert await due(proxy)
    assert (await proxy.running.reload()).failed == []
    assert accepted(bank, await proxy.ask(get("/echo")))


def started(config) -> str:
    """The code that a start ends with."""
    rings = compose.keyrings(config, os.environ)
    try:
        with pytest.raises(KeyUnusable) as caught:
            rings["shop"].load(datetime.now(UTC))
    finally:
        if rings.vault is not None:
            rings.vault.close()
    return caught.value.code


async def test_what_does_not_answer_is_not_waited_for(proxy, bank, place):
    await asyncio.to_thread(place.hang, proxy)
    reload = asyncio.create_task(proxy.running.reload())
    answer = await proxy.ask(post("/echo"))
    if place.in_process:
        assert accepted(bank, answer)
    else:
        assert (answer.problem, len(bank.received)) == ((503, place.no_signature[1], "no"), 0)
    await reload
    status = await shop(proxy)
    assert (status["last_error"]["code"], status["revision"]) == (place.timeout, 1)
    await asyncio.to_thread(place.let_go, proxy)
    assert accepted(bank, await proxy.ask(post("/echo")))
    assert (await proxy.running.reload()).failed == []
    assert accepted(bank, await proxy.ask(get("/echo")))

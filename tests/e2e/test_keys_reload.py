"""SIGHUP brings in a new key while calls go on; a key that does not fit changes nothing."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from proxy.emulator import Authority, Emulator, Pair
from tests.e2e.line import connected, get, post, request
from tests.e2e.standing import Party


@pytest.fixture
def mine(files, tmp_path) -> Party:
    """The shop's files, to be changed."""
    directory = tmp_path / "own"
    shutil.copytree(files.shop.key.parent, directory)
    return Party(files.shop.client_id, files.shop.secret, files.shop.pair, directory / "seal.key",
                 directory / "seal.crt", directory / "secret")


@pytest.fixture(scope="session")
def successor() -> Pair:
    return Authority().seal()


async def status(child) -> dict:
    async with connected(child.listeners["admin"]) as line:
        return (await line.ask(request("GET", "/status"))).json["applications"]["shop"]


@contextmanager
def either_key_counts(bank: Emulator, old: Pair, new: Pair) -> Iterator[None]:
    """A bank that is patient while a key is replaced, so that the proxy alone decides whether a call fails."""
    judge = bank.verifier.judge

    def patient(head, body, node):
        for pair in (old, new):
            bank.register(pair.certificate_pem)
            verdict = judge(head, body, node)
            if verdict.accepted:
                break
        return verdict

    bank.verifier.judge = patient
    yield
    bank.verifier.judge = judge
    bank.register(new.certificate_pem)


async def test_a_new_key_pair_under_load_fails_no_request(bank, start_child, files, mine, successor):
    child = await start_child(bank, applications={"shop": mine.application()})
    before = await status(child)
    stop = asyncio.Event()

    async def caller() -> int:
        count = 0
        async with connected(child.port) as line:
            while not stop.is_set():
                assert (await line.ask(post("/echo"))).status == 200
                count += 1
        return count

    with either_key_counts(bank, files.shop.pair, successor):
        callers = [asyncio.create_task(caller()) for _ in range(4)]
        await bank.until(lambda: bank.executions.total > 20)
        await asyncio.to_thread(successor.write, mine.key.parent, "seal.key", "seal.crt")
        child.signal(signal.SIGHUP)
        await child.told(message="application shop: reloaded, revision 2")
        at = bank.executions.total
        await bank.until(lambda: bank.executions.total > at + 20)
        stop.set()
        assert sum(await asyncio.gather(*callers)) == bank.executions.total
    after = await status(child)
    assert after["revision"] == 2
    assert after["key"]["spki_sha256"] != before["key"]["spki_sha256"]
    assert after["reloads"] == {"ok": 1, "failed": 0}
    async with connected(child.port) as line:
        assert (await line.ask(get("/echo"))).status == 200
    assert bank.received[-1].verdict.signature_checked


async def test_new_files_are_found_without_a_signal(bank, start_child, mine, successor):
    child = await start_child(bank, applications={"shop": mine.application()}, timed_reload=0.05)
    bank.register(successor.certificate_pem)
    await asyncio.to_thread(successor.write, mine.key.parent, "seal.key", "seal.crt")
    await child.told(message="keyring shop: reloaded, revision 2")
    async with connected(child.port) as line:
        assert (await line.ask(get("/echo"))).status == 200

"""What a token signs is what the bank takes; a token that fails costs an answer, and nothing is sent."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from proxy.config.model import Route
from proxy.emulator import Authority, Pair
from proxy.keys.pkcs11.source import LANES, WAITING
from proxy.keys.pkcs11.thread import close_all, thread_of
from tests.e2e.line import connected, get, post
from tests.e2e.standing import BANK_NAME
from tests.keys import hsm
from tests.keys.test_pkcs11_thread import Hang


def private(pair: Pair):
    return load_pem_private_key(pair.key_pem, None)


@pytest.fixture(scope="module")
def store(files, tmp_path_factory) -> hsm.Store:
    """Token seals with the keys of both applications."""
    hsm.needed()
    store = hsm.Store.make(tmp_path_factory.mktemp("hsm"))
    store.pin_file()
    store.token("seals")
    for ident, label, party in (("01", "shop", files.shop), ("02", "till", files.till)):
        store.key("seals", private(party.pair), label, ident)
    return store


@pytest.fixture(autouse=True)
def environment(store, monkeypatch) -> Iterator[None]:
    monkeypatch.setenv("SOFTHSM2_CONF", store.environ["SOFTHSM2_CONF"])
    close_all()
    yield
    close_all()


def application(party, store, label: str, *, timeout: float = 10.0, **changes):
    return party.application(key_file=None, key_pkcs11=store.settings(key_label=label, timeout=timeout), **changes)


async def test_both_applications_of_a_token_are_accepted(bank, start_proxy, files, store):
    proxy = await start_proxy(bank, applications={"shop": application(files.shop, store, "shop"),
                                                  "till": application(files.till, store, "till")},
                              route={"application": "shop"})
    async with asyncio.TaskGroup() as tasks:
        answers = [tasks.create_task(proxy.ask(post("/echo", b'{"n": %d}' % number))) for number in range(20)]
    assert {task.result().status for task in answers} == {200}
    assert bank.received[-1].verdict.signature_checked
    status = (await proxy.admin("/status")).json["applications"]
    assert status["shop"]["key"]["spki_sha256"] != status["till"]["key"]["spki_sha256"]
    assert hsm.PIN not in str(status)


async def test_a_token_that_hangs_holds_up_no_other_key(bank, start_proxy, files, store):
    """RSA-3072 signs in threads as well, and at the same bank host."""
    long = Authority().seal(key_bits=3072)
    key, certificate = long.write(store.directory, "long.key", "long.crt")
    bank.register(long.certificate_pem, client_id=files.till.client_id, client_secret=files.till.secret)
    till = files.till.application(key_file=str(key), certificate_file=str(certificate))
    proxy = await start_proxy(
        bank, applications={"shop": application(files.shop, store, "shop", timeout=30.0), "till": till},
        routes=tuple(Route(name=name, profile="nordea", upstream=f"https://127.0.0.1:{bank.port}", host=BANK_NAME,
                           prefix=f"/{name}", strip_prefix=True, application=name) for name in ("shop", "till")))
    hang = Hang()
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(thread_of(hsm.module()).run, hang, deadline=30, code="x")
        await asyncio.to_thread(hang.begun.wait, 30)
        waiting = [asyncio.create_task(proxy.ask(get("/shop/echo"))) for _ in range(LANES + WAITING + 5)]
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert done.pop().result().problem == (503, "signing_busy", "no")
        async with asyncio.TaskGroup() as tasks:
            answers = [tasks.create_task(proxy.ask(post("/till/echo"))) for _ in range(20)]
        assert {task.result().status for task in answers} == {200}
        assert sum(not one.done() for one in waiting) == LANES + WAITING
        hang.end()
        assert sorted(answer.status for answer in await asyncio.gather(*waiting)) == [200] * 48 + [503] * 5
        assert hanging.result(30) == "done"


async def test_a_reload_takes_the_key_that_was_put_in_the_old_ones_place(bank, start_child, files, store):
    successor = Authority().seal()
    certificate = store.directory / "rotating.pem"
    certificate.write_bytes(files.shop.pair.certificate_pem)
    await asyncio.to_thread(store.key, "seals", private(files.shop.pair), "rotating", "0a")
    child = await start_child(bank, applications={
        "shop": application(files.shop, store, "rotating", certificate_file=str(certificate))})
    async with connected(child.port) as line:
        assert (await line.ask(post("/echo"))).status == 200
        for kind in ("privkey", "pubkey"):
            await asyncio.to_thread(store.tool, "seals", "--delete-object", "--type", kind, "--label", "rotating")
        await asyncio.to_thread(store.key, "seals", private(successor), "rotating", "0b")
        certificate.write_bytes(successor.certificate_pem)
        bank.register(successor.certificate_pem)
        child.signal(signal.SIGHUP)
        await child.told(message="application shop: reloaded, revision 2")
        assert (await line.ask(post("/echo"))).status == 200
    assert bank.received[-1].verdict.signature_checked
    child.signal(signal.SIGTERM)
    assert await child.ended() == 143
    await child.finished()
    assert not [line for line in child.logged if "text" in line], "a clean end, also for the module"
    assert hsm.PIN not in str(child.logged)

"""The next key may be in any place that a key can be in, and takes over from there as from files."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from proxy.emulator import Authority, Pair
from proxy.keys.pkcs11.thread import close_all
from proxy.keys.rotation import NextKey, Rotation
from proxy.keys.vault.settings import TransitKey, VaultField, VaultKey, VaultSettings
from tests.e2e.line import get, post
from tests.keys import hsm
from tests.vault.servers import Server, running


@pytest.fixture(scope="session")
def successor() -> Pair:
    return Authority().seal()


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    with running("standin") as server:
        monkeypatch.setenv("VAULT_TOKEN", server.token())
        yield server


def private(pem: bytes):
    return load_pem_private_key(pem, None)


@pytest.fixture
def kv(server, successor):
    server.put2("next", private_key=successor.key_pem.decode(), certificate=successor.certificate_pem.decode())
    return NextKey(key_vault=VaultKey(mount="kv2", path="next", certificate_field="certificate"))


@pytest.fixture
def transit(server, successor):
    server.standin.spaces[""].mounts["transit"].put("next", private(successor.key_pem))
    server.put2("certificates", next=successor.certificate_pem.decode())
    return NextKey(key_transit=TransitKey(key="next", certificate_vault=VaultField(mount="kv2", path="certificates",
                                                                                   field="next")))


@pytest.fixture
def token(successor, tmp_path, monkeypatch) -> Iterator[NextKey]:
    hsm.needed()
    store = hsm.Store.make(tmp_path)
    store.pin_file()
    store.token("seals")
    store.key("seals", private(successor.key_pem), "next", "02")
    certificate = tmp_path / "next.crt"
    certificate.write_bytes(successor.certificate_pem)
    monkeypatch.setenv("SOFTHSM2_CONF", store.environ["SOFTHSM2_CONF"])
    close_all()
    yield NextKey(key_pkcs11=store.settings(key_label="next"), certificate_file=str(certificate))
    close_all()


async def shop(proxy) -> dict:
    return (await proxy.admin("/status")).json["applications"]["shop"]


async def through_a_swap(bank, proxy, successor) -> None:
    """No payment fails, and the key that the bank has learnt signs from then on."""
    assert (await proxy.ask(get("/echo"))).status == 200
    other = (await shop(proxy))["other"]
    assert (other["usable"], other["slot"]) == (True, "next")
    bank.register(successor.certificate_pem)
    for number in range(3):
        assert (await proxy.ask(post(f"/echo/{number}"))).status == 200
    assert bank.received[-1].verdict.signature_checked
    assert (bank.executions.count("POST"), bank.received.total) == (3, 5)
    after = await shop(proxy)
    assert (after["slot"], after["key"], after["source"]) == ("next", other["key"], other["source"])


@pytest.mark.parametrize(("place", "source"), [("kv", "vault kv kv2/next"), ("transit", "vault transit transit/next"),
                                               ("token", "PKCS#11 ")])
async def test_from_a_file_to_somewhere_else(request, bank, start_proxy, files, successor, place, source):
    following = request.getfixturevalue(place)
    vault = VaultSettings(address=request.getfixturevalue("server").address, retries=0) if place != "token" else None
    application = files.shop.application(next=following, rotation=Rotation(retry="all"))
    proxy = await start_proxy(bank, applications={"shop": application}, vault=vault)
    assert (await shop(proxy))["other"]["source"].startswith(source)
    await through_a_swap(bank, proxy, successor)


async def test_from_one_version_of_a_transit_key_to_the_next(bank, start_proxy, files, server, successor, tmp_path):
    """Each certificate decides which version it is for."""
    mount = server.standin.spaces[""].mounts["transit"]
    for pem in (files.shop.key.read_bytes(), successor.key_pem):
        mount.put("seal", private(pem))
    (tmp_path / "next.crt").write_bytes(successor.certificate_pem)
    application = files.shop.application(
        key_file=None, certificate_file=None,
        key_transit=TransitKey(key="seal", certificate_file=str(files.shop.certificate)),
        next=NextKey(key_transit=TransitKey(key="seal", certificate_file=str(tmp_path / "next.crt"))),
        rotation=Rotation(retry="all"))
    proxy = await start_proxy(bank, applications={"shop": application}, vault=VaultSettings(address=server.address))
    await through_a_swap(bank, proxy, successor)


async def test_a_vault_that_is_away_at_the_start_is_asked_again_for_the_next_key(
        bank, start_proxy, files, server, successor, kv, caplog):
    server.standin.sealed = True
    application = files.shop.application(next=kv, rotation=Rotation(retry="all"))
    proxy = await start_proxy(bank, applications={"shop": application},
                              vault=VaultSettings(address=server.address, retries=0))
    assert (await proxy.admin("/readyz")).status == 200
    assert (await shop(proxy))["other"]["last_error"]["code"] == "vault_sealed"
    assert "tried again at the next reload (vault_sealed)" in caplog.text
    server.standin.sealed = False
    await proxy.running.reload()
    await through_a_swap(bank, proxy, successor)


async def test_a_next_key_in_vault_that_is_replaced_by_halves_keeps_the_old(
        bank, start_proxy, files, server, successor, kv):
    application = files.shop.application(next=kv)
    proxy = await start_proxy(bank, applications={"shop": application},
                              vault=VaultSettings(address=server.address, retries=0))
    before = (await shop(proxy))["other"]["key"]
    await asyncio.to_thread(lambda: server.put2("next", private_key=Authority().seal().key_pem.decode(),
                                                certificate=successor.certificate_pem.decode()))
    await proxy.running.reload()
    other = (await shop(proxy))["other"]
    assert (other["key"], other["last_error"]["code"]) == (before, "key_pair_mismatch")

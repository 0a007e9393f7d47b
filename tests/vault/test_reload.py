"""A key out of Vault follows what is in Vault; whatever goes wrong there, the last good key goes on."""

from __future__ import annotations

import asyncio

import pytest

from proxy.app import compose
from proxy.app.compose import load_keys
from proxy.errors import KeyUnusable
from proxy.keys.credentials import CredentialSettings, CredentialSource
from proxy.keys.keyring import Keyring
from proxy.keys.vault.kv import KvFields, VaultKeySource
from proxy.keys.vault.settings import TransitKey, VaultField, VaultKey
from proxy.keys.vault.transit import TransitSource
from tests.keys.making import NOW, pem, pkcs8, write
from tests.vault.asking import certified, verified


@pytest.fixture
def place(local, key, cert):
    """place(key, cert): into KV, beside the application's secret."""
    def put(key, cert, secret="first"):
        local.put2("app", private_key=pkcs8(key).decode(), certificate=pem(cert).decode(), secret=secret)

    put(key, cert)
    return put


@pytest.fixture
def keyring(local, vault, place):
    asked = vault(local, retries=0, timeout=10.0)
    credentials = CredentialSettings(client_id="id", client_secret_vault=VaultField(
        mount="kv2", path="app", field="secret"))
    source = VaultKeySource(asked, VaultKey(mount="kv2", path="app", certificate_field="certificate"))
    return Keyring("app", CredentialSource(credentials, {}, KvFields(asked)), source)


async def test_a_new_version_is_noticed_and_taken(keyring, place, other_key, other_cert, reload_due):
    old = keyring.load(NOW)
    assert not await reload_due(keyring)
    place(other_key, other_cert, "second")
    assert await reload_due(keyring)
    assert (await keyring.reload(NOW)).ok
    assert keyring.current.client_secret.reveal() == b"second"
    assert keyring.current.key.signer.spki_sha256 != old.key.signer.spki_sha256
    verified(keyring.current.key)
    assert not await reload_due(keyring)


SPOILED = {
    "mismatch": ("key_pair_mismatch", lambda local, place, key, other: place(key, other)),
    "garbage": ("key_format", lambda local, place, key, other: local.put2("app", private_key="x", certificate="y")),
    "deleted": ("vault_missing", lambda local, place, key, other: local.call("DELETE", "kv2/data/app")),
    "sealed": ("vault_sealed", lambda local, place, key, other: setattr(local.standin, "sealed", True)),
    "denied": ("vault_denied", lambda local, place, key, other: local.standin.access.expire()),
    "failing": ("vault_unavailable", lambda local, place, key, other: local.standin.fail("kv2/", 500)),
    "gone": ("vault_unavailable", lambda local, place, key, other: local.standin.close()),
}


@pytest.mark.parametrize("how", SPOILED)
async def test_what_goes_wrong_keeps_the_old(keyring, local, place, key, other_cert, how):
    code, spoil = SPOILED[how]
    old = keyring.load(NOW)
    await in_thread(lambda: spoil(local, place, key, other_cert))
    outcome = await keyring.reload(NOW)
    assert (outcome.error.code, outcome.revision) == (code, 1)
    assert keyring.current is old
    verified(old.key)


async def test_an_outage_alone_is_no_reason_to_reload(keyring, standin, reload_due):
    keyring.load(NOW)
    standin.sealed = True
    assert not await reload_due(keyring)
    standin.sealed = False
    assert not await reload_due(keyring)


async def test_a_failed_reload_is_made_good_when_vault_is_back(keyring, standin, reload_due):
    keyring.load(NOW)
    standin.sealed = True
    assert not (await keyring.reload(NOW)).ok
    standin.sealed = False
    assert await reload_due(keyring)
    assert (await keyring.reload(NOW)).ok
    assert keyring.last_error is None


async def test_a_rotation_in_transit(local, vault, tmp_path, key, reload_due):
    path = write(tmp_path / "crt", certified(local.transit("seal")["1"]["public_key"], key))
    credentials = CredentialSource(CredentialSettings(client_id="id", client_secret_env="S"), {"S": "s"})
    source = TransitSource(vault(local), TransitKey(key="seal", certificate_file=path))
    keyring = Keyring("app", credentials, source)
    old = keyring.load(NOW)
    keys = local.rotate("seal")
    assert await reload_due(keyring)
    assert (await keyring.reload(NOW)).ok
    assert keyring.current.key.signer.spki_sha256 == old.key.signer.spki_sha256
    write(tmp_path / "crt", certified(keys["2"]["public_key"], key))
    assert await reload_due(keyring)
    assert (await keyring.reload(NOW)).ok
    assert keyring.current.key.signer.spki_sha256 != old.key.signer.spki_sha256


# --- the start


class Waiting:
    """A clock that only waiting moves.  then: what happens at the third look."""

    def __init__(self, then=lambda: None) -> None:
        self.now = 0.0
        self.waits = []
        self._then = then

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.waits.append(seconds)
        if len(self.waits) == 3:
            self._then()


def test_the_start_waits_visibly_for_vault(keyring, standin, caplog, real_time):
    standin.sealed = True
    waiting = Waiting(lambda: setattr(standin, "sealed", False))
    load_keys({"app": keyring}, wait_s=60, sleep=waiting.sleep, clock=waiting.clock)
    assert keyring.current is not None
    said = [record.getMessage() for record in caplog.records if "waiting for Vault" in record.getMessage()]
    assert waiting.waits == [3.0, 3.0, 3.0]
    assert said[0].startswith("application app: waiting for Vault, 60 seconds more at most: Vault is sealed: ")
    assert len(said) == 3


def test_the_start_gives_up_with_the_reason(keyring, standin, real_time):
    standin.sealed = True
    waiting = Waiting()
    with pytest.raises(KeyUnusable, match="Vault is sealed: application app: the token's lookup"):
        load_keys({"app": keyring}, wait_s=10, sleep=waiting.sleep, clock=waiting.clock)
    assert waiting.now == 10.0


def test_what_does_not_pass_is_not_waited_for(keyring, local, real_time):
    local.call("DELETE", "kv2/data/app")
    waiting = Waiting()
    with pytest.raises(KeyUnusable, match="not there: application app: kv2/data/app"):
        load_keys({"app": keyring}, wait_s=60, sleep=waiting.sleep, clock=waiting.clock)
    assert waiting.waits == []


@pytest.fixture
def real_time(monkeypatch):
    """The throw-away certificates are valid at NOW, whatever day it is."""
    class Then(compose.datetime):
        @classmethod
        def now(cls, tz=None):
            return NOW

    monkeypatch.setattr(compose, "datetime", Then)


@pytest.fixture
def reload_due():
    return lambda keyring: in_thread(keyring.reload_due)


async def in_thread(act):
    return await asyncio.to_thread(act)

"""A secret in Vault is taken with the key beside it, and a start waits for a Vault that cannot serve yet."""

from __future__ import annotations

import asyncio

import pytest

from proxy.app import compose
from proxy.app.compose import load_keys
from proxy.errors import KeyUnusable
from proxy.keys.credentials import CredentialSettings, CredentialSource
from proxy.keys.keyring import Keyring
from proxy.keys.vault.kv import KvFields, VaultKeySource
from proxy.keys.vault.settings import VaultField, VaultKey
from tests.keys.making import NOW, pem, pkcs8
from tests.vault.asking import verified


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

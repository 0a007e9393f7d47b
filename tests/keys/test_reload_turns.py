"""Reloads take turns, and one that is cancelled or breaks in an unforeseen way changes nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from datetime import datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from proxy.keys.credentials import CredentialSettings, CredentialSource
from proxy.keys.keyring import Keyring
from proxy.keys.rsa_signer import RsaSigner
from proxy.keys.source import LoadedKey
from tests.keys.making import NOW


class Stub:
    """A source that a test holds at a point of its choice."""

    def __init__(self, key: RSAPrivateKey) -> None:
        self.loaded = LoadedKey(RsaSigner(key), None, ())
        self.failure: Exception | None = None
        self.entered = threading.Semaphore(0)
        self.gate = threading.Semaphore(0)
        self.inside = self.most = 0

    def describe(self) -> str:
        return "stub"

    def watched(self) -> Sequence[str]:
        return ()

    def load(self, now: datetime) -> LoadedKey:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.entered.release()
        assert self.gate.acquire(timeout=60)
        self.inside -= 1
        if self.failure:
            raise self.failure
        return self.loaded


def stubbed(key: RSAPrivateKey) -> tuple[Stub, Keyring]:
    stub = Stub(key)
    credentials = CredentialSource(CredentialSettings(client_id="id", client_secret_env="S"), {"S": "s"})
    return stub, Keyring("stub", credentials, stub)


async def test_concurrent_reloads_take_turns(key: RSAPrivateKey) -> None:
    stub, keyring = stubbed(key)
    reloads = [asyncio.create_task(keyring.reload(NOW)) for _ in range(5)]
    for _ in reloads:
        assert await asyncio.to_thread(stub.entered.acquire, timeout=60)
        assert stub.inside == 1
        stub.gate.release()
    outcomes = [await reload for reload in reloads]
    assert [outcome.revision for outcome in outcomes] == [1, 2, 3, 4, 5]
    assert stub.most == 1


async def test_a_cancelled_reload_changes_nothing(key: RSAPrivateKey) -> None:
    stub, keyring = stubbed(key)
    reload = asyncio.create_task(keyring.reload(NOW))
    assert await asyncio.to_thread(stub.entered.acquire, timeout=60)
    reload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reload
    assert (keyring.current, keyring.reloads_ok, keyring.reloads_failed) == (None, 0, 0)
    stub.gate.release(2)
    assert (await keyring.reload(NOW)).ok


async def test_a_foreign_exception_is_kept_to_its_name(key: RSAPrivateKey) -> None:
    stub, keyring = stubbed(key)
    stub.gate.release(2)
    old = keyring.load(NOW)
    stub.failure = LookupError("CANARY")
    outcome = await keyring.reload(NOW)
    assert outcome.error is not None
    assert outcome.error.code == "internal_error"
    assert "LookupError" in outcome.error.sentence
    assert "CANARY" not in outcome.error.sentence
    assert keyring.current is old

"""What the tests of Vault ask of a key and of a sentence."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Protocol

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from proxy.errors import KeyUnusable, ProxyError
from proxy.keys.certificate import parse_certificate
from proxy.keys.source import LoadedKey, Signer
from proxy.keys.vault.client import Vault
from proxy.serve.sealing import Sealing
from tests.keys import making

MESSAGE = b"(request-target): get /personal/v5/accounts"


class Sign(Protocol):
    def __call__(self, signer: Signer, message: bytes = MESSAGE) -> bytes: ...


def in_place(signer: Signer, message: bytes = MESSAGE) -> bytes:
    return signer.sign(message)


async def signed_on_the_loop(signer: Signer, message: bytes) -> bytes:
    """As a request gets it.  Raises what the request would be told."""
    sealing = Sealing(64)
    done: asyncio.Future[bytes | ProxyError] = asyncio.get_running_loop().create_future()
    sealing.submit(signer, message, done.set_result)
    assert not done.done()
    try:
        outcome = await asyncio.wait_for(done, 60)
    finally:
        sealing.close()
    if isinstance(outcome, ProxyError):
        raise outcome
    return outcome


async def ended(vault: Vault) -> None:
    """As a proxy ends."""
    await vault.ended()
    for _ in range(3):
        await asyncio.sleep(0)          # what was aborted is closed in the loop's next rounds


def verified(loaded: LoadedKey, sign: Sign = in_place) -> bytes:
    """A signature that the certificate's public key has verified."""
    assert loaded.certificate is not None
    signature = sign(loaded.signer)
    parse_certificate(loaded.certificate.der).public_key().verify(signature, MESSAGE, PKCS1v15(), SHA256())
    return signature


def refused(code: str, act: Callable[[], object]) -> str:
    """What is said: one sentence what is wrong, one what to do, and no secret."""
    with pytest.raises(KeyUnusable) as caught:
        act()
    said = str(caught.value)
    assert caught.value.code == code, said
    assert len(re.findall(r"[.!?](?=\s|$)", said)) == 2, said
    for secret in ("PRIVATE KEY", "CANARY", "hvs.", "secret-id-", "s.root", making.PASSWORD.decode()):
        assert secret not in said, said
    assert caught.value.__cause__ is None
    return said


def certified(public_pem: str, signer) -> bytes:
    """PEM of a certificate for a public key that somebody else keeps."""
    return making.pem(making.certificate(signer, public_key=load_pem_public_key(public_pem.encode())))

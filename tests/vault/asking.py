"""What the tests of Vault ask of a key and of a sentence."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from proxy.errors import KeyUnusable
from proxy.keys.certificate import parse_certificate
from proxy.keys.source import LoadedKey
from tests.keys import making

MESSAGE = b"(request-target): get /personal/v5/accounts"


def verified(loaded: LoadedKey) -> bytes:
    """A signature that the certificate's public key has verified."""
    assert loaded.certificate is not None
    signature = loaded.signer.sign(MESSAGE)
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

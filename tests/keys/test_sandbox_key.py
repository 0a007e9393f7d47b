"""The bank's published demo key loads as printed, and reproduces the vectors byte for byte."""

from __future__ import annotations

import base64
import json
import pickle
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from proxy.errors import KeyUnusable
from proxy.keys.files import FileSettings, FileSource
from proxy.keys.keyring import SANDBOX_SPKI_SHA256, sandbox_warning
from proxy.keys.rsa_signer import RsaSigner
from proxy.keys.source import LoadedKey
from tests.keys.making import NOW, write

VECTORS = Path(__file__).parents[1] / "vectors"
NORDEA = json.loads((VECTORS / "nordea.json").read_text())
ACCEPTED = [vector for vector in NORDEA["vectors"] if vector["expect"] == "accept"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> LoadedKey:
    path = write(tmp_path_factory.mktemp("demo") / "key.b64", (VECTORS / "sandbox-key.b64").read_bytes())
    return FileSource(FileSettings(key_file=path)).load(NOW)


def test_it_is_the_key_the_sandbox_knows(demo: LoadedKey) -> None:
    assert demo.signer.spki_sha256 == SANDBOX_SPKI_SHA256 == NORDEA["key"]["spki_sha256"]
    assert (demo.signer.bits, demo.signer.inline) == (3072, False)
    assert sandbox_warning(demo) is None


def test_there_are_vectors() -> None:
    assert len(ACCEPTED) >= 10


@pytest.mark.parametrize("vector", ACCEPTED, ids=lambda vector: vector["id"])
def test_every_accepted_signature_is_reproduced(vector: dict[str, str], demo: LoadedKey) -> None:
    signature = demo.signer.sign(vector["signing_string"].encode())
    assert base64.b64encode(signature).decode() == vector["signature_base64"]


def test_another_key_gets_a_warning(key: RSAPrivateKey) -> None:
    said = sandbox_warning(LoadedKey(RsaSigner(key), None, ()))
    assert said is not None
    assert said.startswith("The sandbox accepts only the bank's published demo key.")


def test_a_signer_shows_nothing_and_stays_what_it_is(key: RSAPrivateKey) -> None:
    signer = RsaSigner(key)
    assert repr(signer) == f"RsaSigner(bits=2048, spki_sha256={signer.spki_sha256})"
    with pytest.raises(AttributeError, match="immutable"):
        signer.bits = 1  # type: ignore[misc]
    with pytest.raises(AttributeError):
        del signer.bits
    with pytest.raises(TypeError):
        pickle.dumps(signer)


def test_a_library_that_refuses_is_a_signing_failure(key: RSAPrivateKey) -> None:
    signer = RsaSigner(key)

    def refuse(*_: object) -> bytes:
        raise ValueError("CANARY")

    object.__setattr__(signer, "_sign", refuse)
    with pytest.raises(KeyUnusable) as caught:
        signer.sign(b"message")
    assert caught.value.code == "signing_failed"
    assert "CANARY" not in str(caught.value)

"""Keys of the whole session, as making them is what takes time: two RSA-2048, one RSA-3072, and one too short."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from proxy.keys.pkcs11.thread import close_all
from tests.keys import hsm, making


@pytest.fixture(scope="session")
def key() -> RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="session")
def other_key() -> RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="session")
def long_key() -> RSAPrivateKey:
    return rsa.generate_private_key(65537, 3072)


@pytest.fixture(scope="session")
def weak_key() -> RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)


@pytest.fixture(scope="session")
def cert(key: RSAPrivateKey) -> bytes:
    return making.certificate(key)


@pytest.fixture(scope="session")
def other_cert(other_key: RSAPrivateKey) -> bytes:
    return making.certificate(other_key, serial=0x77)


@pytest.fixture(scope="session")
def _token_store(tmp_path_factory: pytest.TempPathFactory, key: RSAPrivateKey, other_key: RSAPrivateKey,
                 weak_key: RSAPrivateKey, cert: bytes, other_cert: bytes) -> hsm.Store:
    hsm.needed()
    store = hsm.Store.make(tmp_path_factory.mktemp("hsm"))
    for label in ("seals", "pins", "spare", "double"):
        store.token(label)
    store.token("double")
    store.pin_file()
    store.key("seals", key, "seal", "01")
    store.certificate("seals", cert, "seal", "01")
    store.key("seals", other_key, "other", "02")
    store.certificate("seals", other_cert, "other", "02")
    store.key("seals", ec.generate_private_key(ec.SECP256R1()), "curve", "03")
    store.key("seals", weak_key, "small", "04")
    store.key("seals", key, "twin", "05")
    store.key("seals", other_key, "twin", "06")
    store.decrypting_key("seals", "decrypts")
    store.key("pins", key, "seal", "01")
    return store


@pytest.fixture
def token_store(_token_store: hsm.Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[hsm.Store]:
    """Tokens seals, pins (one key), spare (none) and double (twice); every test begins with the module not loaded."""
    monkeypatch.setenv("SOFTHSM2_CONF", _token_store.environ["SOFTHSM2_CONF"])
    close_all()
    yield _token_store
    close_all()

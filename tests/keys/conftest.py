"""One RSA-2048 pair, a second one, and an RSA-3072 key for the whole session: making them is what takes time."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from tests.keys import making


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
def cert(key: RSAPrivateKey) -> bytes:
    return making.certificate(key)


@pytest.fixture(scope="session")
def other_cert(other_key: RSAPrivateKey) -> bytes:
    return making.certificate(other_key, serial=0x77)

"""What every place that keeps a key has done to it by an operator, or by fate."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate

from proxy.emulator import Pair
from tests.e2e.standing import Proxy

SHORT = 0.2
"""Seconds, where something is meant not to come; whatever is meant to come has the deadlines of operators."""


def private(pair: Pair) -> RSAPrivateKey:
    key = load_pem_private_key(pair.key_pem, None)
    assert isinstance(key, RSAPrivateKey)
    return key


class Place(ABC):
    """in_process: the key is here once it is loaded, so that calls go on whatever happens to the place.

    garbage, outage, timeout: codes of a load when something else is there, nothing is, or no answer comes.
    no_signature: of a call in an outage and in a hang, where the key is not in this process.
    """

    in_process: ClassVar[bool] = True
    garbage: ClassVar[str] = "key_format"
    outage: ClassVar[str]
    timeout: ClassVar[str]
    no_signature: ClassVar[tuple[str, str]] = ("", "")
    source: ClassVar[str]
    """How /status begins to name it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.patch = monkeypatch
        self.secret = folder / "client-secret"

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Of the Application."""

    def more(self) -> dict[str, Any]:
        """Of the Config."""
        return {}

    @abstractmethod
    def put(self, pair: Pair, certificate: bytes | None = None) -> None:
        """The key, with its certificate, or with another's (PEM)."""

    @abstractmethod
    def spoil(self) -> None:
        """Something that is no key, or no certificate, is there instead."""

    @abstractmethod
    def take_away(self) -> None:
        """The place, or what it keeps, cannot be reached."""

    @abstractmethod
    def bring_back(self) -> None:
        """What take_away took."""

    @abstractmethod
    def hang(self, proxy: Proxy) -> None:
        """Nothing in the place answers any more; what waits for it is given up soon."""

    @abstractmethod
    def let_go(self, proxy: Proxy) -> None:
        """It answers again, and has the deadlines of operators."""

    def plain(self, said: str) -> str:
        """A sentence without what is this test's alone."""
        return re.sub(r"serial [0-9a-f]+", "serial 1a2b3c", said).replace(str(self.folder), "secrets")

    @abstractmethod
    def close(self) -> None:
        """After the test."""


def der(pem: bytes) -> bytes:
    return load_pem_x509_certificate(pem).public_bytes(Encoding.DER)

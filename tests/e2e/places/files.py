"""Keys in files."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from proxy.emulator import Pair
from proxy.keys import guarded, keyring
from tests.e2e.places.base import SHORT, Place, der, private
from tests.e2e.standing import Proxy
from tests.keys.making import PASSWORD, keystore, write


class PemFiles(Place):
    outage = "key_unreadable"
    timeout = "key_unreadable"
    source = "file "

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(folder, monkeypatch)
        self.key = folder / "seal.key"
        self._gate = threading.Event()
        self._read = guarded._read

    def settings(self) -> dict[str, Any]:
        return {"key_file": str(self.key), "certificate_file": str(self.folder / "seal.crt")}

    def put(self, pair: Pair, certificate: bytes | None = None) -> None:
        write(self.key, pair.key_pem)
        write(self.folder / "seal.crt", certificate or pair.certificate_pem)

    def spoil(self) -> None:
        write(self.key, b"CANARY: no key")

    def take_away(self) -> None:
        self.key.rename(self.key.with_suffix(".away"))

    def bring_back(self) -> None:
        self.key.with_suffix(".away").rename(self.key)

    def hang(self, proxy: Proxy) -> None:
        """As a network file system that does not answer."""
        def waiting(path: str, refused_mode: int) -> bytes:
            assert self._gate.wait(60)
            return self._read(path, refused_mode)

        self.patch.setattr(guarded, "_read", waiting)
        self.patch.setattr(keyring, "LONGEST_READ_S", SHORT)

    def let_go(self, proxy: Proxy) -> None:
        self._gate.set()
        self.patch.setattr(keyring, "LONGEST_READ_S", 60.0)

    def close(self) -> None:
        self._gate.set()


class Pkcs12File(PemFiles):
    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(folder, monkeypatch)
        self.key = folder / "seal.p12"
        write(folder / "password", PASSWORD + b"\n")

    def settings(self) -> dict[str, Any]:
        return {"key_file": str(self.key), "certificate_file": None,
                "key_password_file": str(self.folder / "password")}

    def put(self, pair: Pair, certificate: bytes | None = None) -> None:
        if certificate is None:
            write(self.key, keystore(private(pair), der(pair.certificate_pem)))
        else:       # the library puts no pair together that is none: the certificate stands beside a chain
            write(self.key, keystore(private(pair), None, der(certificate)))

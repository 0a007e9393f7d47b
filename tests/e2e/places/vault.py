"""Keys in the stand-in of Vault."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import msgspec
import pytest

from proxy.emulator import Pair
from proxy.keys.vault.settings import TransitKey, VaultKey, VaultSettings
from tests.e2e.places.base import SHORT, Place, private
from tests.e2e.standing import Proxy
from tests.keys.making import write
from tests.vault.servers import Server


class InVault(Place):
    mount: str

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
        super().__init__(folder, monkeypatch)
        assert server.standin is not None
        self.server, self.standin = server, server.standin
        self.path = server.fresh("seal")
        self._mounts, self._policies = dict(self.standin.spaces[""].mounts), dict(self.standin.access.policies)
        monkeypatch.setenv("VAULT_TOKEN", server.token())

    def more(self) -> dict[str, Any]:
        return {"vault": VaultSettings(address=self.server.address, timeout=30.0, transit_timeout=30.0, retries=0,
                                       start_timeout=0.0)}

    def unmount(self) -> None:
        del self.standin.spaces[""].mounts[self.mount]

    def bring_back(self) -> None:
        self.standin.mend()

    def hang(self, proxy: Proxy) -> None:
        self.standin.latency = 60.0
        self._deadlines(proxy, SHORT)

    def let_go(self, proxy: Proxy) -> None:
        self.standin.mend()
        self._deadlines(proxy, 30.0)

    def _deadlines(self, proxy: Proxy, seconds: float) -> None:
        vault = proxy.running.vault
        assert vault is not None
        vault.settings = msgspec.structs.replace(vault.settings, timeout=seconds, transit_timeout=seconds)

    def plain(self, said: str) -> str:
        return said.replace(self.server.address, "https://vault.example:8200").replace(self.path, "qseal")

    def close(self) -> None:
        self.standin.mend()
        self.standin.spaces[""].mounts.update(self._mounts)
        self.standin.access.policies.update(self._policies)


class Kv(InVault):
    timeout = "vault_unavailable"
    version = 2

    @property
    def mount(self) -> str:
        return f"kv{self.version}"

    def settings(self) -> dict[str, Any]:
        return {"key_file": None, "certificate_file": None, "key_vault": VaultKey(
            mount=self.mount, path=self.path, certificate_field="certificate", kv=self.version)}

    def put(self, pair: Pair, certificate: bytes | None = None) -> None:
        self._put(private_key=pair.key_pem.decode(), certificate=(certificate or pair.certificate_pem).decode())

    def spoil(self) -> None:
        self._put(private_key=base64.b64encode(b"CANARY: no key").decode(), certificate="none")

    def _put(self, **fields: str) -> None:
        (self.server.put1 if self.version == 1 else self.server.put2)(self.path, **fields)


class Kv1(Kv):
    source = "vault kv kv1/"
    version = 1
    outage = "vault_unavailable"

    def take_away(self) -> None:
        self.standin.fail("kv1/", 500)


class Kv2(Kv):
    source = "vault kv kv2/"
    outage = "vault_sealed"

    def take_away(self) -> None:
        self.standin.sealed = True


class Transit(InVault):
    """Vault's versions stay, and the certificate chooses."""

    in_process = False
    mount = "transit"
    source = "vault transit transit/"
    garbage = "certificate_format"
    outage = "vault_sealed"
    timeout = "vault_unavailable"
    no_signature = ("vault_sealed", "vault_unavailable")

    def settings(self) -> dict[str, Any]:
        return {"key_file": None, "certificate_file": None, "key_transit": TransitKey(
            key=self.path, certificate_file=str(self.folder / "seal.crt"))}

    def put(self, pair: Pair, certificate: bytes | None = None) -> None:
        self.standin.spaces[""].mounts["transit"].put(self.path, private(pair))
        write(self.folder / "seal.crt", certificate or pair.certificate_pem)

    def spoil(self) -> None:
        write(self.folder / "seal.crt", b"CANARY: no certificate")

    def take_away(self) -> None:
        self.standin.sealed = True

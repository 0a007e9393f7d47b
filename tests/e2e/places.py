"""Every place that keeps a key, with what an operator, or fate, does to it; test_every_source.py asks the same of all.

All of it blocks, but for `hang` and `let_go`.
"""

from __future__ import annotations

import base64
import ctypes
import re
import threading
from abc import ABC, abstractmethod
from concurrent.futures import Future
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate

from proxy.emulator import Pair
from proxy.keys import guarded, keyring
from proxy.keys.pkcs11 import settings as pkcs11_settings
from proxy.keys.pkcs11 import source as pkcs11_source
from proxy.keys.pkcs11.thread import close_all, thread_of
from proxy.keys.vault.settings import TransitKey, VaultKey, VaultSettings
from tests.e2e.standing import Proxy
from tests.keys import hsm
from tests.keys.making import PASSWORD, keystore, write
from tests.keys.test_pkcs11_thread import Hang
from tests.vault.servers import Server

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

    def close(self) -> None:
        pass


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
            write(self.key, keystore(private(pair), _der(pair.certificate_pem)))
        else:       # the library puts no pair together that is none: the certificate stands beside a chain
            write(self.key, keystore(private(pair), None, _der(certificate)))


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


class Token(Place):
    """The keys are all on the token, and the one that was put there has the label."""

    in_process = False
    source = "PKCS#11 token seals"
    garbage = "certificate_format"
    outage = "pkcs11_token"
    timeout = "pkcs11_token"
    no_signature = ("signing_failed", "signing_failed")

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, store: hsm.Store) -> None:
        super().__init__(folder, monkeypatch)
        self.store = store
        self.pin = folder / "pin"
        write(self.pin, hsm.PIN.encode())
        self._hang = Hang()
        self._hanging: Future[str] | None = None
        monkeypatch.setenv("SOFTHSM2_CONF", store.environ["SOFTHSM2_CONF"])
        close_all()

    @classmethod
    def make(cls, folder: Path, *pairs: Pair) -> hsm.Store:
        hsm.needed()
        store = hsm.Store.make(folder)
        store.pin_file()
        store.token("seals")
        for number, pair in enumerate(pairs, 1):
            store.key("seals", private(pair), f"pair {number}", f"{number:02x}")
        return store

    def settings(self) -> dict[str, Any]:
        return {"key_file": None, "certificate_file": str(self.folder / "seal.crt"),
                "key_pkcs11": self.store.settings(timeout=30.0, pin_file=str(self.pin))}

    def put(self, pair: Pair, certificate: bytes | None = None) -> None:
        modulus = private(pair).private_numbers().public_numbers.n
        thread_of(hsm.module()).run(lambda tokens: _label(tokens, modulus), deadline=30, code="x")
        write(self.folder / "seal.crt", certificate or pair.certificate_pem)

    def spoil(self) -> None:
        write(self.folder / "seal.crt", b"CANARY: no certificate")

    def take_away(self) -> None:
        """The token is gone, and with it every session."""
        slot = self.store.slot("seals")
        (self.store.directory / "tokens").rename(self.store.directory / "away")
        (self.store.directory / "tokens").mkdir()
        ctypes.CDLL(hsm.module()).C_CloseAllSessions(ctypes.c_ulong(slot))

    def bring_back(self) -> None:
        (self.store.directory / "tokens").rmdir()
        (self.store.directory / "away").rename(self.store.directory / "tokens")

    def hang(self, proxy: Proxy) -> None:
        """The module does not come back from a call."""
        self._hanging = Future()
        threading.Thread(target=lambda: self._hanging.set_result(
            thread_of(hsm.module()).run(self._hang, deadline=60, code="x"))).start()
        assert self._hang.begun.wait(30)
        self._deadlines(proxy, SHORT)

    def let_go(self, proxy: Proxy) -> None:
        self._hang.end()
        assert self._hanging.result(30) == "done"
        self._deadlines(proxy, 30.0)

    def _deadlines(self, proxy: Proxy, seconds: float) -> None:
        self.patch.setattr(pkcs11_source, "LOAD_DEADLINE_S", seconds)
        signer = proxy.running.rings["shop"].current.key.signer
        object.__setattr__(signer, "_timeout", seconds)

    def close(self) -> None:
        self._hang.end()
        if (self.store.directory / "away").exists():
            self.bring_back()
        close_all()


def _label(tokens: Any, modulus: int) -> None:
    """In the module's thread, where somebody may be logged in."""
    library = tokens._pkcs11
    (token,) = tokens._present(pkcs11_settings.Place(label="seals"))
    try:
        session = token.open(rw=True, user_pin=hsm.PIN)
    except library.UserAlreadyLoggedIn:
        session = token.open(rw=True)
    for key in list(session.get_objects({library.Attribute.CLASS: library.ObjectClass.PRIVATE_KEY})):
        chosen = int.from_bytes(key[library.Attribute.MODULUS], "big") == modulus
        key[library.Attribute.LABEL] = "seal" if chosen else "parked"
    session.close()


def _der(pem: bytes) -> bytes:
    return load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


IN_FILES: dict[str, type[PemFiles]] = {"files, PEM": PemFiles, "files, PKCS#12": Pkcs12File}
IN_VAULT: dict[str, type[InVault]] = {"Vault KV 1": Kv1, "Vault KV 2": Kv2, "Vault Transit": Transit}
ON_TOKENS = "PKCS#11"


def make(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Place:
    """name: of NAMES.  The module of the test has the fixtures server (Vault's stand-in) and store (Token.make)."""
    if name in IN_FILES:
        return IN_FILES[name](folder, monkeypatch)
    if name in IN_VAULT:
        return IN_VAULT[name](folder, monkeypatch, request.getfixturevalue("server"))
    return Token(folder, monkeypatch, request.getfixturevalue("store"))


NAMES = (*IN_FILES, *IN_VAULT, ON_TOKENS)

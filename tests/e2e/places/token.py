"""Keys on a SoftHSM token."""

from __future__ import annotations

import ctypes
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from proxy.emulator import Pair
from proxy.keys.pkcs11 import settings as pkcs11_settings
from proxy.keys.pkcs11 import source as pkcs11_source
from proxy.keys.pkcs11.thread import close_all, thread_of
from tests.e2e.places.base import SHORT, Place, private
from tests.e2e.standing import Proxy
from tests.keys import hsm
from tests.keys.making import write
from tests.keys.test_pkcs11_thread import Hang


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

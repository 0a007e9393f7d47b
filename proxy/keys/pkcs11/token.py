"""Tokens of one module, each with one login and one session.  Everything here runs in the module's thread (thread.py).

Login belongs to the process, not to a session (PKCS#11 section 5.6): applications that share a token share its session.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final, TypeVar

from proxy.core.secret import Secret
from proxy.errors import KeyUnusable
from proxy.keys.guarded import shown
from proxy.keys.pkcs11 import objects
from proxy.keys.pkcs11.failures import LOGGED_IN, WRONG_PIN, is_lost, name_of, told
from proxy.keys.pkcs11.settings import Name, Place

log = logging.getLogger(__name__)
T = TypeVar("T")

_FINAL_TRY: Final = 0x00020000     # CKF_USER_PIN_FINAL_TRY and _LOCKED, PKCS#11 section 3.2, CK_TOKEN_INFO
_LOCKED: Final = 0x00040000


@dataclass(frozen=True, slots=True)
class Found:
    """What a token says about a key.  exponent: None when neither the private nor a public object tells it.

    certificates: DER, those of the asked name.
    """

    modulus: int
    exponent: int | None
    certificates: tuple[bytes, ...]


@dataclass(slots=True, eq=False)
class _Login:
    """A session with the user logged in.  worked: it has, so that it may have been lost since.

    keys: by name and modulus; handles die with the session.
    """

    token: Any
    session: Any
    pin: Secret
    how: objects.Mechanisms
    worked: bool = False
    keys: dict[tuple[Name, int], objects.Key] = field(default_factory=dict)


class Tokens:
    """One loaded module.  Raises KeyUnusable, and nothing of python-pkcs11's."""

    def __init__(self, path: str) -> None:
        """Raises KeyUnusable: pkcs11_missing, pkcs11_module."""
        self._pkcs11 = _package()
        self._module = _load(self._pkcs11, path)
        self._logins: dict[Place, _Login] = {}
        self._rejected: set[bytes] = set()

    def look(self, place: Place, pin: Secret, key: Name, certificate: Name | None) -> Found:
        """What the token holds now, with this very PIN."""
        def work(login: _Login) -> Found:
            if login.worked:
                self._probe(login.session)
            found = objects.find_key(self._pkcs11, login.session, key, str(place))
            login.keys[key, found.modulus] = found
            certificates = (objects.find_certificates(self._pkcs11, login.session, certificate, str(place))
                            if certificate is not None else ())
            return Found(found.modulus, found.exponent, certificates)

        return self._retried(place, pin, work, certain=True)

    def sign(self, place: Place, pin: Secret, key: Name, modulus: int, message: bytes) -> bytes:
        """By the key of that name and modulus; once more on a new session when the old one is lost."""
        def work(login: _Login) -> bytes:
            found = login.keys.get((key, modulus))
            if found is None:
                found = objects.find_key(self._pkcs11, login.session, key, str(place), modulus=modulus)
                login.keys[key, modulus] = found
            if found.each_time:
                self._refuse_rejected(login.token, pin, place)
            return objects.sign(found, login.how, message, _text(pin))

        return self._retried(place, pin, work, certain=False)

    def close(self) -> None:
        for login in set(self._logins.values()):
            self._close(login)
        with suppress(Exception):
            self._module.finalize()

    def _retried(self, place: Place, pin: Secret, work: Callable[[_Login], T], *, certain: bool) -> T:
        """certain: the PIN has to be proven where the session was opened with another."""
        for last in (False, True):
            login: _Login | None = None
            try:
                login = self._login(place, pin, certain=certain)
                result = work(login)
                login.worked = True
                return result
            except KeyUnusable as error:
                # Who is logged out sees no private key.
                if last or login is None or not login.worked or error.code != "pkcs11_key":
                    raise
            except self._pkcs11.PKCS11Error as error:
                if name_of(error) in WRONG_PIN and login is not None:
                    self._rejected.add(_mark(login.token, pin))
                if last or not is_lost(error):
                    raise told(error, str(place)) from None
                log.warning("PKCS#11 %s: session lost (%s), opening another", place, name_of(error))
            if login is not None:
                self._close(login)
        raise AssertionError("the second try returns or raises")

    # --- sessions

    def _login(self, place: Place, pin: Secret, *, certain: bool) -> _Login:
        held = self._logins.get(place)
        if held is not None and (not certain or held.pin.matches(pin.reveal())):
            return held
        token = self._find(place)
        if held is None:
            held = next((login for login in self._logins.values()
                         if login.token.slot.slot_id == token.slot.slot_id), None)
        if held is None:
            login = self._open(token, pin, place)
        elif certain and not held.pin.matches(pin.reveal()):
            login = self._open_instead(held, token, pin, place)
        else:
            login = held
        self._logins[place] = login
        return login

    def _open_instead(self, held: _Login, token: Any, pin: Secret, place: Place) -> _Login:
        """While a user is logged in, any PIN passes: out, and in again; with the old one if the new is refused."""
        self._refuse_rejected(token, pin, place)
        places = [known for known, login in self._logins.items() if login is held]
        self._close(held)
        try:
            login = self._open(token, pin, place)
        except KeyUnusable:
            with suppress(KeyUnusable):
                self._logins.update(dict.fromkeys(places, self._open(token, held.pin, place)))
            raise
        self._logins.update(dict.fromkeys(places, login))
        return login

    def _open(self, token: Any, pin: Secret, place: Place) -> _Login:
        self._refuse_rejected(token, pin, place)
        refuse_risky(int(token.flags), place)
        how = objects.mechanisms(self._pkcs11, token.slot.get_mechanisms(), str(place))
        try:
            session = token.open(user_pin=_text(pin))
        except self._pkcs11.PKCS11Error as error:
            if name_of(error) != LOGGED_IN:
                if name_of(error) in WRONG_PIN:
                    self._rejected.add(_mark(token, pin))
                raise told(error, str(place)) from None
            session = token.open()      # something in this process keeps the user logged in
        return _Login(token, session, pin, how)

    def _probe(self, session: Any) -> None:
        """Raises what a lost session raises; a search on one would have python-pkcs11 write to stderr."""
        try:
            session.generate_random(64)
        except self._pkcs11.PKCS11Error as error:
            if is_lost(error):
                raise

    def _close(self, login: _Login) -> None:
        self._logins = {place: other for place, other in self._logins.items() if other is not login}
        with suppress(self._pkcs11.PKCS11Error):
            login.session.close()

    def _refuse_rejected(self, token: Any, pin: Secret, place: Place) -> None:
        if _mark(token, pin) in self._rejected:
            raise KeyUnusable("pkcs11_pin", f"{place} has refused this PIN before, so it is not tried again")

    # --- tokens

    def _find(self, place: Place) -> Any:
        """Raises KeyUnusable: pkcs11_token."""
        try:
            found = self._present(place)
        except self._pkcs11.PKCS11Error:
            if self._logins:
                raise
            found = []
        if not found and not self._logins:
            # Many modules look for tokens only when they are initialized (PKCS#11 section 5.4).
            with suppress(self._pkcs11.PKCS11Error):        # it may not be initialized any more
                self._module.finalize()
            self._module.initialize()
            found = self._present(place)
        if len(found) != 1:
            raise KeyUnusable("pkcs11_token", f"there {'are' if found else 'is'} {len(found) or 'no'} {place}")
        return found[0]

    def _present(self, place: Place) -> list[Any]:
        found = []
        for slot in self._module.get_slots(token_present=True):
            with suppress(self._pkcs11.TokenNotPresent, self._pkcs11.TokenNotRecognised):
                token = slot.get_token()
                if place in (Place(label=token.label), Place(slot=slot.slot_id), Place(serial=_serial(token))):
                    found.append(token)
        return found


def refuse_risky(flags: int, place: Place) -> None:
    """Not even a right PIN is tried where a wrong one would be the last.  flags: of CK_TOKEN_INFO."""
    if flags & _LOCKED:
        raise KeyUnusable("pkcs11_pin", f"the PIN of {place} is locked after too many wrong ones")
    if flags & _FINAL_TRY:
        # A supervisor that restarts the proxy with a wrong PIN file would otherwise lock the token.
        raise KeyUnusable("pkcs11_pin", f"one more wrong PIN would lock {place}, so log in once by another program")


def _package() -> Any:
    try:
        return import_module("pkcs11")
    except ImportError:
        raise KeyUnusable("pkcs11_missing") from None


def _load(package: Any, path: str) -> Any:
    """C_GetFunctionList and C_Initialize (PKCS#11 sections 5.4 and 5.2)."""
    if not os.path.isfile(path):
        raise KeyUnusable("pkcs11_module", f"there is no file {shown(path)}")
    try:
        return package.lib(path)
    except (package.PKCS11Error, RuntimeError, OSError, ValueError, TypeError) as error:
        raise KeyUnusable("pkcs11_module", f"{shown(path)} answers {name_of(error)}") from None


def _text(pin: Secret) -> str:
    return pin.reveal().decode()


def _mark(token: Any, pin: Secret) -> bytes:
    """Names a PIN of a token without being it."""
    return hashlib.sha256(bytes(token.serial) + b"\0" + pin.reveal()).digest()


def _serial(token: Any) -> str:
    return bytes(token.serial).decode("utf-8", "replace").strip(" \0")

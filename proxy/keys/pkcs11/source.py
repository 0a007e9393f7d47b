"""Loads a signing key that stays on a PKCS#11 token."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NoReturn

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers

from proxy.core.secret import Secret
from proxy.errors import KeyUnusable
from proxy.keys.admission import MIN_BITS, admit
from proxy.keys.certificate import parse_certificate
from proxy.keys.guarded import read_public_file, read_secret_file, shown, shown_variable
from proxy.keys.material import read_certificates
from proxy.keys.pairing import certified_key
from proxy.keys.pkcs11.settings import Name, Pkcs11Key, Place, certificate_name, key_name, place
from proxy.keys.pkcs11.thread import ModuleThread, thread_of
from proxy.keys.pkcs11.token import Found
from proxy.keys.rsa_signer import spki_sha256
from proxy.keys.source import KeySource, Lanes, LoadedKey
from proxy.keys.unlock import Lock

LOAD_DEADLINE_S: Final = 30.0
LANES: Final = 2
"""One signature in the module's hands, and the next one ready for it."""
WAITING: Final = 46
"""With these two 48, which is less than the connections to one bank host: while a token hangs, applications with other
keys still find some."""


class Pkcs11Signer:
    """A `Signer` (proxy/keys/source.py) over one key on a token; immutable, safe in any thread but the loop's.

    It goes on working while the key is on the token, whatever a reload has put in its place.
    """

    __slots__ = ("_key", "_pin", "_place", "_thread", "_timeout", "bits", "inline", "lanes", "public_key",
                 "spki_sha256")

    bits: int
    inline: bool
    lanes: Lanes
    public_key: RSAPublicKey
    spki_sha256: str
    _thread: ModuleThread
    _place: Place
    _pin: Secret
    _key: tuple[Name, int]
    _timeout: float

    def __init__(self, thread: ModuleThread, place: Place, pin: Secret, key: Name, public_key: RSAPublicKey, *,
                 timeout: float) -> None:
        """timeout: seconds, of one signature."""
        bind = object.__setattr__
        bind(self, "_thread", thread)
        bind(self, "_place", place)
        bind(self, "_pin", pin)
        bind(self, "_key", (key, public_key.public_numbers().n))
        bind(self, "_timeout", timeout)
        bind(self, "lanes", Lanes(f"pkcs11 {thread.path}", LANES, WAITING, timeout))
        bind(self, "bits", public_key.key_size)
        bind(self, "inline", False)
        bind(self, "public_key", public_key)
        bind(self, "spki_sha256", spki_sha256(public_key))

    def sign(self, message: bytes) -> bytes:
        """RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 section 8.2), at most `timeout` seconds.

        Raises KeyUnusable: signing_failed, pkcs11_token, pkcs11_pin, pkcs11_key.
        """
        return self._thread.run(lambda tokens: tokens.sign(self._place, self._pin, *self._key, message),
                                deadline=self._timeout, code="signing_failed")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a signer is immutable: a rotation makes a new one")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a signer is immutable")

    def __repr__(self) -> str:
        return f"Pkcs11Signer(bits={self.bits}, spki_sha256={self.spki_sha256})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer is not pickled")


class Pkcs11Source(KeySource):
    """One key on a token.

    certificate_file: used where the settings name no certificate on the token.  environ: where pin_env is looked up at
    each load.  early: its certificate need not be valid yet.
    """

    def __init__(self, settings: Pkcs11Key, certificate_file: str | None = None, *, allow_group_read: bool = False,
                 environ: Mapping[str, str] = os.environ, early: bool = False) -> None:
        self._settings = settings
        self._early = early
        self._certificate_file = certificate_file
        self._allow_group_read = allow_group_read
        self._environ = environ

    def describe(self) -> str:
        return f"PKCS#11 {place(self._settings)}, key with {key_name(self._settings)}"

    def watched(self) -> tuple[str, ...]:
        return tuple(path for path in (self._settings.pin_file, self._certificate_file) if path is not None)

    def load(self, now: datetime) -> LoadedKey:
        """Looks at the token anew; blocks for at most 30 seconds and one signature.  now: aware.

        Raises KeyUnusable: pkcs11_*, key_type, and what `admit` refuses.
        """
        settings, where, name = self._settings, place(self._settings), key_name(self._settings)
        pin = self._pin()
        thread = thread_of(settings.module)
        found = thread.run(lambda tokens: tokens.look(where, pin, name, certificate_name(settings)),
                           deadline=LOAD_DEADLINE_S, code="pkcs11_token")
        certificate = _certificate_of(found.modulus, found.certificates or self._in_file())
        public_key = _public_key(found, certificate, f"{where}, key with {name}")
        signer = Pkcs11Signer(thread, where, pin, name, public_key, timeout=settings.timeout)
        return admit(signer, public_key, certificate, now, early=self._early)

    def _in_file(self) -> tuple[bytes, ...]:
        path = self._certificate_file
        return () if path is None else read_certificates(read_public_file(path), Lock(shown(path), None))

    def _pin(self) -> Secret:
        """Without the one line break that editors leave.  Raises KeyUnusable: pkcs11_pin, key_permissions."""
        settings = self._settings
        if settings.pin_file is not None:
            pin, what = self._pin_in_file(settings.pin_file), shown(settings.pin_file)
        else:
            what = shown_variable(settings.pin_env or "")
            pin = os.fsencode(self._environ.get(settings.pin_env or "", ""))
        try:
            text = pin.decode()
        except UnicodeDecodeError:
            text = ""
        if not text or "\0" in text:
            raise KeyUnusable("pkcs11_pin", f"{what} holds none")
        return Secret(pin)

    def _pin_in_file(self, path: str) -> bytes:
        try:
            content = read_secret_file(path, allow_group_read=self._allow_group_read)
        except KeyUnusable as error:
            if error.code == "key_unreadable":
                raise KeyUnusable("pkcs11_pin", error.detail) from None
            raise
        return content.removesuffix(b"\n").removesuffix(b"\r")


def _certificate_of(modulus: int, certificates: Sequence[bytes]) -> bytes | None:
    """The key's certificate that lasts longest; the first one when none is the key's, for admission to refuse."""
    own = []
    for encoded in certificates:
        certificate = parse_certificate(encoded)
        certified = certified_key(certificate)
        if certified is not None and certified.public_numbers().n == modulus:
            own.append((certificate.not_valid_after_utc, encoded))
    return max(own)[1] if own else next(iter(certificates), None)


def _public_key(found: Found, certificate: bytes | None, where: str) -> RSAPublicKey:
    """Raises KeyUnusable: key_too_small, pkcs11_key."""
    if found.modulus.bit_length() < MIN_BITS:
        raise KeyUnusable("key_too_small", f"{where}, has {found.modulus.bit_length()} bits")
    exponent = found.exponent
    if exponent is None and certificate is not None:
        certified = certified_key(parse_certificate(certificate))
        exponent = certified.public_numbers().e if certified is not None else None
    if exponent is None:
        raise KeyUnusable("pkcs11_key", f"{where}, does not tell its public exponent, and no certificate does")
    try:
        return RSAPublicNumbers(exponent, found.modulus).public_key()
    except ValueError:
        raise KeyUnusable("pkcs11_key", f"{where}, has a public half that is not RSA's") from None

"""Loads a signing key from files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime

import msgspec

from proxy.errors import KeyUnusable
from proxy.keys.admission import admit
from proxy.keys.guarded import doubts, read_public_file, read_secret_file, shown, shown_variable
from proxy.keys.material import Material, read_certificates, read_material
from proxy.keys.pairing import choose_pair
from proxy.keys.rsa_signer import RsaSigner
from proxy.keys.source import KeySource, LoadedKey
from proxy.keys.unlock import Lock


class FileSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the key is.

    key_file: PEM, DER, PKCS#12 or bare base64.  certificate_file: left out when key_file holds the certificate, or when
    there is none.  key_password_file, key_password_env: at most one; one final line break of the file is dropped.
    allow_group_read: accept mode 0440 or 0640, which Kubernetes gives with an fsGroup.
    """

    key_file: str
    certificate_file: str | None = None
    key_password_file: str | None = None
    key_password_env: str | None = None
    allow_group_read: bool = False

    def __post_init__(self) -> None:
        if self.key_password_file is not None and self.key_password_env is not None:
            raise ValueError("key_password_file and key_password_env exclude each other")


class FileSource(KeySource):
    """One key in files.  environ: where key_password_env is looked up at each load.  early: its certificate need not be
    valid yet."""

    def __init__(self, settings: FileSettings, environ: Mapping[str, str] = os.environ, *, early: bool = False) -> None:
        self._settings = settings
        self._early = early
        self._environ = environ

    def describe(self) -> str:
        return f"file {shown(self._settings.key_file)}"

    def watched(self) -> tuple[str, ...]:
        settings = self._settings
        paths = (settings.key_file, settings.certificate_file, settings.key_password_file)
        return tuple(path for path in paths if path is not None)

    def load(self, now: datetime) -> LoadedKey:
        """Reads, pairs and checks; blocks for milliseconds.  now: aware.  Raises KeyUnusable with a fitting code."""
        lock = Lock(shown(self._settings.key_file), self._password())
        data = read_secret_file(self._settings.key_file, allow_group_read=self._settings.allow_group_read)
        material = read_material(data, lock)
        require_key(material, lock)
        key, certificate = choose_pair(material.keys, self._certificates(material, lock), now)
        loaded = admit(RsaSigner(key), key.public_key(), certificate, now, early=self._early)
        more = list(doubts(self._settings.key_file))
        if lock.password is not None and not material.encrypted:
            more.append("A key password is configured, yet the key file is not encrypted.")
        return LoadedKey(loaded.signer, loaded.certificate, (*loaded.warnings, *more), loaded.public_key)

    def _certificates(self, material: Material, lock: Lock) -> tuple[bytes, ...]:
        path = self._settings.certificate_file
        if path is None:
            return material.certificates
        return read_certificates(read_public_file(path), Lock(shown(path), lock.password))

    def _password(self) -> bytes | None:
        settings = self._settings
        if settings.key_password_file is not None:
            content = read_secret_file(settings.key_password_file, allow_group_read=settings.allow_group_read)
            return content.removesuffix(b"\n").removesuffix(b"\r")
        if settings.key_password_env is None:
            return None
        value = self._environ.get(settings.key_password_env)
        if value is None:
            raise KeyUnusable("key_password", f"{shown_variable(settings.key_password_env)} is not set")
        return os.fsencode(value)


def require_key(material: Material, lock: Lock) -> None:
    """Raises KeyUnusable: key_type, key_format, with what was found instead of an RSA key."""
    if material.keys:
        return
    if material.useless_keys:
        lock.refuse("key_type", "holds a key of another kind, or an RSA key bound to PSS")
    if material.certificates:
        lock.refuse("key_format", "holds a certificate without a private key")
    lock.refuse("key_format", "holds no private key block")

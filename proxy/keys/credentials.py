"""Reads the client id and client secret, which go into HTTP headers as they are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec

from proxy.core.secret import Secret
from proxy.errors import KeyUnusable
from proxy.keys.guarded import read_secret_file, shown, shown_variable
from proxy.keys.vault.settings import VaultField

_MAX_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Credential:
    """One value with one sentence for everything about it that the operator should know."""

    secret: Secret
    warnings: tuple[str, ...] = ()

    @property
    def trimmed(self) -> bool:
        """Whether white space around it was dropped: the only thing that is ever worth a word."""
        return bool(self.warnings)


class CredentialSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where an application's id and secret come from: exactly one place for each.

    client_id: the id itself, which is no secret.  *_file: a path.  *_env: the name of an environment variable.
    *_vault: a field in KV.
    allow_group_read: accept files of mode 0440 or 0640, which Kubernetes gives with an fsGroup.
    """

    client_id: str | None = None
    client_id_file: str | None = None
    client_id_env: str | None = None
    client_secret_file: str | None = None
    client_secret_env: str | None = None
    client_id_vault: VaultField | None = None
    client_secret_vault: VaultField | None = None
    allow_group_read: bool = False

    def __post_init__(self) -> None:
        ids = (self.client_id, self.client_id_file, self.client_id_env, self.client_id_vault)
        if sum(place is not None for place in ids) != 1:
            raise ValueError("exactly one of client_id, client_id_file, client_id_env and client_id_vault is needed")
        if sum(place is not None for place in (self.client_secret_file, self.client_secret_env,
                                               self.client_secret_vault)) != 1:
            raise ValueError("exactly one of client_secret_file, client_secret_env and client_secret_vault is needed")


@dataclass(frozen=True, slots=True)
class Credentials:
    """trimmed: which of them, in words, had white space around them."""

    client_id: bytes
    client_secret: Secret
    warnings: tuple[str, ...]
    trimmed: tuple[str, ...] = ()


class FieldReader(Protocol):
    """What reads fields from Vault's KV engine (proxy/keys/vault/kv.py)."""

    def value(self, place: VaultField) -> bytes:
        """Raises KeyUnusable."""

    def fingerprint(self, place: VaultField) -> bytes | None:
        """Bytes that change with the secret; None when it cannot be told now."""


class CredentialSource:
    """Reads both credentials at start and at every reload; blocks, like a `KeySource`."""

    def __init__(self, settings: CredentialSettings, environ: Mapping[str, str] = os.environ,
                 fields: FieldReader | None = None) -> None:
        """fields: needed where settings name a field in Vault."""
        self._settings = settings
        self._environ = environ
        self._fields = fields

    def watched(self) -> tuple[str, ...]:
        paths = (self._settings.client_id_file, self._settings.client_secret_file)
        return tuple(path for path in paths if path is not None)

    def fingerprint(self) -> bytes | None:
        """As that of a KeySource: over the secrets in Vault."""
        total = b""
        for place in (self._settings.client_id_vault, self._settings.client_secret_vault):
            if place is None:
                continue
            assert self._fields is not None
            found = self._fields.fingerprint(place)
            if found is None:
                return None
            total += found
        return total

    def load(self) -> Credentials:
        """Raises KeyUnusable: secret_missing, key_unreadable, key_permissions, a vault_ code."""
        identity, secret = self.client_id(), self.client_secret()
        trimmed = tuple(what for what, one in (("client id", identity), ("client secret", secret)) if one.trimmed)
        return Credentials(identity.secret.reveal(), secret.secret, (*identity.warnings, *secret.warnings), trimmed)

    def client_secret(self) -> Credential:
        settings = self._settings
        if settings.client_secret_vault is not None:
            return self._field(settings.client_secret_vault, "client secret")
        return read_secret(
            file=settings.client_secret_file,
            env=settings.client_secret_env,
            what="client secret",
            allow_group_read=settings.allow_group_read,
            environ=self._environ,
        )

    def client_id(self) -> Credential:
        settings = self._settings
        if settings.client_id is not None:
            identity = header_value(settings.client_id.encode("utf-8", "surrogatepass"), "client id")
        elif settings.client_id_vault is not None:
            identity = self._field(settings.client_id_vault, "client id")
        else:
            identity = read_secret(
                file=settings.client_id_file,
                env=settings.client_id_env,
                what="client id",
                allow_group_read=settings.allow_group_read,
                environ=self._environ,
            )
        # It also stands between quotation marks in keyId="…", where nothing can be escaped.
        if any(mark in identity.secret.reveal() for mark in (b'"', b"\\")):
            raise KeyUnusable("secret_missing", "the client id holds a quotation mark or a backslash")
        return identity

    def _field(self, place: VaultField, what: str) -> Credential:
        assert self._fields is not None
        return header_value(self._fields.value(place), f"{what} in field {place.field} of {place.mount}/{place.path}")


def read_secret(
    *, file: str | None, env: str | None, what: str, allow_group_read: bool, environ: Mapping[str, str]
) -> Credential:
    """The value from a file or an environment variable, exactly one of which is named.

    what: such as "client secret", for sentences.  Raises KeyUnusable: secret_missing, key_unreadable, key_permissions.
    """
    if (file is None) == (env is None):
        raise KeyUnusable("secret_missing", f"the {what} needs exactly one of a file and an environment variable")
    if file is not None:
        content = read_secret_file(file, allow_group_read=allow_group_read)
        return header_value(content, f"{what} in {shown(file)}")
    assert env is not None
    value = environ.get(env)
    if value is None:
        raise KeyUnusable("secret_missing", f"the {what} is expected in {shown_variable(env)}, which is not set")
    return header_value(value.encode("utf-8", "surrogatepass"), f"{what} in {shown_variable(env)}")


def header_value(raw: bytes, what: str) -> Credential:
    """raw without surrounding whitespace, checked to be one HTTP field value of visible ASCII (RFC 9110 section 5.5).

    Raises KeyUnusable: secret_missing (also for a value that would end the header line and begin another).
    """
    value = raw.strip()
    if not value:
        raise KeyUnusable("secret_missing", f"the {what} is empty")
    if len(value) > _MAX_BYTES:
        raise KeyUnusable("secret_missing", f"the {what} is longer than {_MAX_BYTES} bytes")
    if not all(0x20 <= byte <= 0x7E for byte in value):
        raise KeyUnusable("secret_missing", f"the {what} holds a control or non-ASCII character, unfit for a header")
    # One final line break is what every editor leaves behind; anything more was probably pasted by mistake.
    if value == raw.removesuffix(b"\n").removesuffix(b"\r"):
        return Credential(Secret(value))
    return Credential(Secret(value), (f"The {what} has whitespace around it, which is ignored.",))

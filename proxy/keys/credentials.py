"""Reads the client id and client secret, which go into HTTP headers as they are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from proxy.core.secret import Secret
from proxy.errors import KeyUnusable
from proxy.keys.guarded import read_secret_file, shown, shown_variable

_MAX_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Credential:
    """One value with one sentence for everything about it that the operator should know."""

    secret: Secret
    warnings: tuple[str, ...] = ()


class CredentialSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where an application's id and secret come from: exactly one place for each.

    client_id: the id itself, which is no secret.  *_file: a path.  *_env: the name of an environment variable.
    allow_group_read: accept files of mode 0440 or 0640, which Kubernetes gives with an fsGroup.
    """

    client_id: str | None = None
    client_id_file: str | None = None
    client_id_env: str | None = None
    client_secret_file: str | None = None
    client_secret_env: str | None = None
    allow_group_read: bool = False

    def __post_init__(self) -> None:
        if sum(place is not None for place in (self.client_id, self.client_id_file, self.client_id_env)) != 1:
            raise ValueError("exactly one of client_id, client_id_file and client_id_env is needed")
        if (self.client_secret_file is None) == (self.client_secret_env is None):
            raise ValueError("exactly one of client_secret_file and client_secret_env is needed")


@dataclass(frozen=True, slots=True)
class Credentials:
    client_id: bytes
    client_secret: Secret
    warnings: tuple[str, ...]


class CredentialSource:
    """Reads both credentials at start and at every reload; blocks, like a `KeySource`."""

    def __init__(self, settings: CredentialSettings, environ: Mapping[str, str] = os.environ) -> None:
        self._settings = settings
        self._environ = environ

    def watched(self) -> tuple[str, ...]:
        paths = (self._settings.client_id_file, self._settings.client_secret_file)
        return tuple(path for path in paths if path is not None)

    def load(self) -> Credentials:
        """Raises KeyUnusable: secret_missing, key_unreadable, key_permissions."""
        settings = self._settings
        identity = self._client_id()
        secret = read_secret(
            file=settings.client_secret_file,
            env=settings.client_secret_env,
            what="client secret",
            allow_group_read=settings.allow_group_read,
            environ=self._environ,
        )
        return Credentials(identity.secret.reveal(), secret.secret, (*identity.warnings, *secret.warnings))

    def _client_id(self) -> Credential:
        settings = self._settings
        if settings.client_id is not None:
            identity = header_value(settings.client_id.encode("utf-8", "surrogatepass"), "client id")
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

"""Logs in to Vault, as an AppRole or with a Kubernetes service account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from proxy.core.secret import Secret
from proxy.errors import KeyUnusable
from proxy.keys.credentials import header_value, read_secret
from proxy.keys.guarded import read_public_file
from proxy.keys.vault.settings import VaultAppRole, VaultKubernetes, VaultSettings

if TYPE_CHECKING:
    from proxy.keys.vault.client import Budget, Vault

_REFUSED = ("vault_denied", "vault_refused", "vault_missing")


class Login(Protocol):
    """A way to get a token."""

    def answer(self, vault: Vault, budget: Budget) -> Mapping[str, Any]:
        """Vault's answer with `auth`.  Raises KeyUnusable: vault_login_failed, vault_unavailable, secret_missing, …"""


def login_of(settings: VaultSettings, environ: Mapping[str, str]) -> Login | None:
    """None: a token comes from outside."""
    if settings.approle is not None:
        return AppRoleLogin(settings.approle, environ, allow_group_read=settings.allow_group_read)
    if settings.kubernetes is not None:
        return KubernetesLogin(settings.kubernetes)
    return None


class AppRoleLogin:
    """A wrapped secret id is unwrapped once and kept: its wrapping token is worth nothing afterwards."""

    def __init__(self, settings: VaultAppRole, environ: Mapping[str, str], *, allow_group_read: bool) -> None:
        self._settings = settings
        self._environ = environ
        self._allow_group_read = allow_group_read
        self._unwrapped: Secret | None = None
        self._wrapping: Secret | None = None

    def answer(self, vault: Vault, budget: Budget) -> Mapping[str, Any]:
        settings = self._settings
        body = {"role_id": self._role_id(), "secret_id": self._secret_id(vault, budget).reveal().decode()}
        return _logged_in(vault, budget, f"auth/{settings.mount}/login", body,
                          "the role id or the secret id is not accepted")

    def _role_id(self) -> str:
        settings = self._settings
        if settings.role_id is not None:
            return settings.role_id
        assert settings.role_id_file is not None
        found = header_value(read_public_file(settings.role_id_file), "AppRole's role id")
        return found.secret.reveal().decode()

    def _secret_id(self, vault: Vault, budget: Budget) -> Secret:
        settings = self._settings
        found = read_secret(file=settings.secret_id_file, env=settings.secret_id_env, what="AppRole's secret id",
                            allow_group_read=self._allow_group_read, environ=self._environ).secret
        if not settings.wrapped:
            return found
        if self._unwrapped is None or self._wrapping is None or not self._wrapping.matches(found.reveal()):
            self._unwrapped, self._wrapping = _unwrap(vault, found, budget), found
        return self._unwrapped


class KubernetesLogin:
    """The kubelet keeps the service account's token fresh, so it is read at each login."""

    def __init__(self, settings: VaultKubernetes) -> None:
        self._settings = settings

    def answer(self, vault: Vault, budget: Budget) -> Mapping[str, Any]:
        settings = self._settings
        # Of any mode: the kubelet decides about it, and writes 0644 for a pod without fsGroup.
        jwt = header_value(read_public_file(settings.jwt_file), "service account's token").secret.reveal().decode()
        return _logged_in(vault, budget, f"auth/{settings.mount}/login", {"role": settings.role, "jwt": jwt},
                          "the role or the service account is not accepted")


def _logged_in(vault: Vault, budget: Budget, path: str, body: Mapping[str, object], clause: str) -> Mapping[str, Any]:
    try:
        return vault.ask_with(None, "login", path, body, budget=budget)
    except KeyUnusable as error:
        if error.code not in _REFUSED:
            raise
        raise KeyUnusable("vault_login_failed", f"{path} at {vault.address}, {clause}") from None


def _unwrap(vault: Vault, wrapping: Secret, budget: Budget) -> Secret:
    try:
        data = vault.ask_with(wrapping, "unwrap", "sys/wrapping/unwrap", {}, budget=budget).get("data")
    except KeyUnusable as error:
        if error.code not in _REFUSED:
            raise
        raise KeyUnusable("vault_login_failed", "the wrapping token of the secret id has expired or was used before, "
                                                "perhaps by somebody else") from None
    found = data.get("secret_id") if isinstance(data, Mapping) else None
    if not isinstance(found, str) or not found:
        raise KeyUnusable("vault_login_failed", "what was wrapped is no secret id")
    return Secret(found.encode())

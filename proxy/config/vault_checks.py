"""Vault must be somewhere, know us by exactly one means, and have a path for everything that is kept in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from proxy.config.application_checks import at_most_one, check_variables
from proxy.config.model import Application, Config
from proxy.config.problems import Problems, below
from proxy.keys.rotation import NextKey
from proxy.keys.vault.place import parse_address, with_environment
from proxy.keys.vault.settings import VaultAppRole, VaultField, VaultKey, VaultSettings

_PATH = re.compile(r"[A-Za-z0-9_.~-]+(?:/[A-Za-z0-9_.~-]+)*")
_AUTH: Final = ("token_file", "token_env", "approle", "kubernetes")
_KEYS: Final = ("key_file", "key_vault", "key_transit")
_BESIDE_FILE: Final = ("certificate_file", "key_password_file", "key_password_env")


def check_vault(config: Config, environ: Mapping[str, str], problems: Problems) -> None:
    for name, application in config.applications.items():
        path = below("applications", name)
        for field in ("client_id_vault", "client_secret_vault"):
            place = getattr(application, field)
            if place is not None:
                _check_place(f"{path}.{field}", place, problems)
        _check_key(path, application, problems)
        if application.next is not None:
            _check_key(f"{path}.next", application.next, problems)
    if config.vault is not None:
        _check_settings(config.vault, problems)
    if config.needs_vault:
        _check_access(config.vault or VaultSettings(), environ, problems)


def _check_settings(settings: VaultSettings, problems: Problems) -> None:
    if settings.address is not None:
        try:
            parse_address(settings.address)
        except ValueError as error:
            problems.add("vault.address", str(error))
    at_most_one("vault", settings, _AUTH, problems)
    check_variables("vault", settings, problems)
    if settings.namespace is not None:
        _check_path("vault.namespace", settings.namespace.strip("/"), problems)
    if settings.approle is not None:
        _check_approle(settings.approle, problems)
    if settings.kubernetes is not None:
        _check_path("vault.kubernetes.mount", settings.kubernetes.mount, problems)


def _check_approle(approle: VaultAppRole, problems: Problems) -> None:
    path = "vault.approle"
    _check_path(f"{path}.mount", approle.mount, problems)
    check_variables(path, approle, problems)
    for fields in (("role_id", "role_id_file"), ("secret_id_file", "secret_id_env")):
        if all(getattr(approle, field) is None for field in fields):
            problems.add(f"{path}.{fields[0]}", f"This is missing. Give {fields[0]} or {fields[1]}.",
                         *(f"{path}.{field}" for field in fields))
        at_most_one(path, approle, fields, problems)


def _check_access(settings: VaultSettings, environ: Mapping[str, str], problems: Problems) -> None:
    """What VAULT_* variables may stand in for."""
    found = with_environment(settings, environ)
    if found.address is None:
        problems.add("vault.address", "An application keeps something in Vault, and nothing says where Vault is. Give "
                                      "address, or the variable VAULT_ADDR.", "vault")
    elif settings.address is None:
        try:
            parse_address(found.address)
        except ValueError as error:
            problems.add("VAULT_ADDR", str(error))
    if found.namespace is not None and settings.namespace is None:
        _check_path("VAULT_NAMESPACE", found.namespace.strip("/"), problems)
    if not settings.has_auth and not environ.get("VAULT_TOKEN"):
        problems.add("vault.token_file", "Nothing says who the proxy is in Vault. Give token_file, token_env, approle "
                                         "or kubernetes, or the variable VAULT_TOKEN.", "vault",
                     *(f"vault.{field}" for field in _AUTH))


def _check_key(path: str, key: Application | NextKey, problems: Problems) -> None:
    for field in _BESIDE_FILE:
        other = next((source for source in _KEYS[1:] if getattr(key, source) is not None), None)
        if other is not None and key.key_file is None and getattr(key, field) is not None:
            problems.add(f"{path}.{field}", f"This belongs to key_file, and the key comes from {other}. Move it into "
                                            f"{other}, or remove it.")
    if key.key_vault is not None:
        _check_place(f"{path}.key_vault", key.key_vault, problems)
    transit = key.key_transit
    if transit is None:
        return
    for name in ("mount", "key"):
        _check_path(f"{path}.key_transit.{name}", getattr(transit, name), problems)
    at_most_one(f"{path}.key_transit", transit, ("certificate_file", "certificate_vault"), problems)
    if transit.certificate_vault is not None:
        _check_place(f"{path}.key_transit.certificate_vault", transit.certificate_vault, problems)


def _check_place(path: str, place: VaultField | VaultKey, problems: Problems) -> None:
    _check_path(f"{path}.mount", place.mount, problems)
    _check_path(f"{path}.path", place.path, problems)
    if place.kv == 2 and place.path.startswith("data/"):
        problems.add(f"{path}.path", "In KV version 2, data/ belongs to the API and not to the path. Remove it.")
    if place.kv == 1 and place.version is not None:
        problems.add(f"{path}.version", "KV version 1 keeps no versions. Remove it, or write kv: 2.")
    _check_fields(path, place, problems)


def _check_fields(path: str, place: Struct, problems: Problems) -> None:
    """Names of fields are told in sentences, so a secret in their place is refused without being shown."""
    for name in place.__struct_fields__:
        value = getattr(place, name)
        if name.endswith("field") and value is not None and not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", value):
            problems.add(f"{path}.{name}", "This is not the name of a field. Use letters, digits, dots, hyphens and "
                                           "underscores.")


def _check_path(path: str, value: str, problems: Problems) -> None:
    if _PATH.fullmatch(value) is None or any(part in (".", "..") for part in value.split("/")) or len(value) > 512:
        problems.add(path, "This is not a path in Vault. Write names separated by '/', without one at either end.")

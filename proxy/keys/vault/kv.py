"""Reads values, and private keys, from Vault's KV engine, version 1 or 2."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from proxy.errors import KeyUnusable
from proxy.keys.admission import admit
from proxy.keys.files import require_key
from proxy.keys.material import Material, read_certificates, read_material
from proxy.keys.pairing import choose_pair
from proxy.keys.rsa_signer import RsaSigner
from proxy.keys.source import KeySource, LoadedKey
from proxy.keys.unlock import Lock
from proxy.keys.vault.client import Budget, Vault
from proxy.keys.vault.settings import Place, VaultField, VaultKey

_ARMOUR = b"-----BEGIN "


def read_fields(vault: Vault, place: Place, budget: Budget) -> Mapping[str, Any]:
    """The fields of a KV secret.  Raises KeyUnusable: a vault_ code."""
    if place.kv == 1:
        found = vault.ask("kv_read", f"{place.mount}/{place.path}", budget=budget).get("data")
    else:
        query = f"?version={place.version}" if place.version is not None else ""
        answer = vault.ask("kv_read", f"{place.mount}/data/{place.path}", budget=budget, query=query).get("data")
        if not isinstance(answer, Mapping) or "metadata" not in answer:
            raise KeyUnusable("vault_missing", f"{shown(place)}, the engine is not KV version 2, so write kv: 1")
        found = answer.get("data")
    if not isinstance(found, Mapping):
        raise KeyUnusable("vault_missing", f"{shown(place)}, this version of it is deleted")
    return found


def text_of(fields: Mapping[str, Any], name: str, place: Place) -> bytes:
    """One field's bytes.  Raises KeyUnusable: vault_missing (no such field, no text)."""
    value = fields.get(name)
    if value is None:
        raise KeyUnusable("vault_missing", f"{shown(place)} has no field {name}")
    if not isinstance(value, str) or not value.strip():
        raise KeyUnusable("vault_missing", f"the field {name} of {shown(place)} is empty or no text")
    return value.encode()


def read_value(vault: Vault, place: VaultField, budget: Budget) -> bytes:
    return text_of(read_fields(vault, place, budget), place.field, place)


class KvFields:
    """A `FieldReader` (proxy/keys/credentials.py)."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def value(self, place: VaultField) -> bytes:
        return read_value(self._vault, place, self._vault.budget())

    def fingerprint(self, place: VaultField) -> bytes | None:
        return fingerprint_of(self._vault, place)


def shown(place: Place) -> str:
    version = f" version {place.version}" if place.version is not None else ""
    return f"{place.mount}/{place.path}{version}"


def fingerprint_of(vault: Vault, place: Place) -> bytes | None:
    """SHA-256 over the fields; None when Vault cannot tell now.  One attempt: it is asked again soon."""
    try:
        fields = read_fields(vault, place, vault.budget(retries=0))
    except KeyUnusable:
        return None
    return hashlib.sha256(msgspec.json.encode(fields, order="deterministic")).digest()


class VaultKeySource(KeySource):
    """One key in one KV secret: key, certificate and password come from one answer, so they cannot be torn apart."""

    def __init__(self, vault: Vault, settings: VaultKey, *, early: bool = False) -> None:
        """early: its certificate need not be valid yet."""
        self._vault = vault
        self._settings = settings
        self._early = early

    def describe(self) -> str:
        return f"vault kv {shown(self._settings)}"

    def watched(self) -> tuple[str, ...]:
        return ()

    def fingerprint(self) -> bytes | None:
        return fingerprint_of(self._vault, self._settings)

    def load(self, now: datetime) -> LoadedKey:
        """Reads, pairs and checks; blocks for as long as vault.timeout and retries allow.  Raises KeyUnusable."""
        settings = self._settings
        fields = read_fields(self._vault, settings, self._vault.budget())
        password = text_of(fields, settings.password_field, settings) if settings.password_field is not None else None
        lock = Lock(f"field {settings.key_field} of {shown(settings)}", password)
        material = read_material(unarmoured(text_of(fields, settings.key_field, settings)), lock)
        require_key(material, lock)
        key, certificate = choose_pair(material.keys, self._certificates(fields, material), now)
        return admit(RsaSigner(key), key.public_key(), certificate, now, early=self._early)

    def _certificates(self, fields: Mapping[str, Any], material: Material) -> tuple[bytes, ...]:
        name = self._settings.certificate_field
        if name is None:
            return material.certificates
        lock = Lock(f"field {name} of {shown(self._settings)}", None)
        return read_certificates(unarmoured(text_of(fields, name, self._settings)), lock)


def unarmoured(data: bytes) -> bytes:
    """PEM that somebody has encoded once more in base64, as it is common for fields; anything else as it is."""
    if _ARMOUR in data:
        return data
    try:
        decoded = base64.b64decode(b"".join(data.split()), validate=True)
    except binascii.Error:
        return data
    return decoded if _ARMOUR in decoded else data

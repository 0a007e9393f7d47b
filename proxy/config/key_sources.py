"""An application's settings become the place its key comes from, for the proxy and for the commands alike."""

from __future__ import annotations

from collections.abc import Mapping

from proxy.config.model import Application
from proxy.keys.credentials import CredentialSource
from proxy.keys.files import FileSettings, FileSource
from proxy.keys.pkcs11 import Pkcs11Source
from proxy.keys.rotation import NextKey
from proxy.keys.source import KeySource
from proxy.keys.vault.client import Vault
from proxy.keys.vault.kv import KvFields, VaultKeySource
from proxy.keys.vault.transit import TransitSource


def key_source(application: Application, environ: Mapping[str, str],
               vault: Vault | None = None) -> KeySource | None:
    """None: there is no key.  environ: where *_env settings are looked up at each load.  vault: None where nothing is
    kept there."""
    return _source(application, environ, vault, allow_group_read=application.allow_group_read, early=False)


def next_key_source(application: Application, environ: Mapping[str, str],
                    vault: Vault | None = None) -> KeySource | None:
    """None: there is no second key.  Its certificate may begin later."""
    if application.next is None:
        return None
    return _source(application.next, environ, vault, allow_group_read=application.allow_group_read, early=True)


def _source(place: Application | NextKey, environ: Mapping[str, str], vault: Vault | None, *, allow_group_read: bool,
            early: bool) -> KeySource | None:
    if place.key_pkcs11 is not None:
        return Pkcs11Source(place.key_pkcs11, place.certificate_file, allow_group_read=allow_group_read,
                            environ=environ, early=early)
    if place.key_vault is not None and vault is not None:
        return VaultKeySource(vault, place.key_vault, early=early)
    if place.key_transit is not None and vault is not None:
        return TransitSource(vault, place.key_transit, early=early)
    if place.key_file is None:
        return None
    files = FileSettings(
        key_file=place.key_file, certificate_file=place.certificate_file, key_password_file=place.key_password_file,
        key_password_env=place.key_password_env, allow_group_read=allow_group_read)
    return FileSource(files, environ, early=early)


def credential_source(application: Application, environ: Mapping[str, str], vault: Vault | None) -> CredentialSource:
    return CredentialSource(application.credentials, environ, KvFields(vault) if vault is not None else None)

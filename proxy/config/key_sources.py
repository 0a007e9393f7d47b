"""An application's settings become the place its key comes from, for the proxy and for the commands alike."""

from __future__ import annotations

from collections.abc import Mapping

from proxy.config.model import Application
from proxy.keys.credentials import CredentialSource
from proxy.keys.files import FileSource
from proxy.keys.pkcs11 import Pkcs11Source
from proxy.keys.source import KeySource
from proxy.keys.vault.client import Vault
from proxy.keys.vault.kv import KvFields, VaultKeySource
from proxy.keys.vault.transit import TransitSource


def next_key_source(application: Application, environ: Mapping[str, str]) -> KeySource | None:
    """None: there is no second key.  Its certificate may begin later."""
    if application.next is None:
        return None
    files = application.next.files(allow_group_read=application.allow_group_read)
    return FileSource(files, environ, early=True)


def key_source(application: Application, environ: Mapping[str, str],
               vault: Vault | None = None) -> KeySource | None:
    """None: there is no key.  environ: where *_env settings are looked up at each load.  vault: None where nothing is
    kept there."""
    if application.key_pkcs11 is not None:
        return Pkcs11Source(application.key_pkcs11, application.certificate_file,
                            allow_group_read=application.allow_group_read, environ=environ)
    if application.key_vault is not None and vault is not None:
        return VaultKeySource(vault, application.key_vault)
    if application.key_transit is not None and vault is not None:
        return TransitSource(vault, application.key_transit)
    return FileSource(application.key, environ) if application.key is not None else None


def credential_source(application: Application, environ: Mapping[str, str], vault: Vault | None) -> CredentialSource:
    return CredentialSource(application.credentials, environ, KvFields(vault) if vault is not None else None)

"""An application's key and client id, read as the proxy reads them; the client secret only when it is asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from proxy.core.secret import Secret
from proxy.errors import KeyUnusable
from proxy.keys.credentials import CredentialSource

if TYPE_CHECKING:
    from proxy.config.model import Application, Config
    from proxy.keys.source import LoadedKey
    from proxy.keys.vault.client import Vault


def environ() -> Mapping[str, str]:
    """Where *_env settings are looked up."""
    return os.environ


def vault(config: Config) -> Vault | None:
    """For the applications that keep something there; None when none does."""
    if not config.needs_vault:
        return None
    from proxy.app import compose

    return compose.vault(config, environ())


def client_id(application: Application, vault: Vault | None) -> bytes:
    """Raises KeyUnusable: secret_missing, key_unreadable, key_permissions, a vault_ code."""
    return _credentials(application, vault).client_id().secret.reveal()


def fit_for_key_id(identity: bytes) -> bytes:
    """It stands between quotation marks in keyId="…", where nothing can be escaped."""
    if b'"' in identity or b"\\" in identity:
        raise KeyUnusable("secret_missing", "the client id holds a quotation mark or a backslash")
    return identity


def client_secret(application: Application, vault: Vault | None) -> Secret:
    """Raises KeyUnusable: secret_missing, key_unreadable, key_permissions, a vault_ code."""
    return _credentials(application, vault).client_secret().secret


def next_key(application: Application, now: datetime, vault: Vault | None) -> LoadedKey | None:
    """The same of the key that follows; its certificate may begin later."""
    from proxy.config.key_sources import next_key_source

    source = next_key_source(application, environ(), vault)
    return source.load(now) if source is not None else None


def key(application: Application, now: datetime, vault: Vault | None) -> LoadedKey | None:
    """The checked key, or None when the application has none.  Raises KeyUnusable."""
    from proxy.config.key_sources import key_source

    source = key_source(application, environ(), vault)
    return source.load(now) if source is not None else None


def _credentials(application: Application, vault: Vault | None) -> CredentialSource:
    from proxy.config.key_sources import credential_source

    return credential_source(application, environ(), vault)

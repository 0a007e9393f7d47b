"""An application's key and client id, read as the proxy reads them; the client secret only when it is asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from proxy.core.secret import Secret
from proxy.errors import KeyUnusable
from proxy.keys.credentials import header_value, read_secret

if TYPE_CHECKING:
    from proxy.config.model import Application
    from proxy.keys.source import LoadedKey


def environ() -> Mapping[str, str]:
    """Where *_env settings are looked up."""
    return os.environ


def client_id(application: Application) -> bytes:
    """Raises KeyUnusable: secret_missing, key_unreadable, key_permissions."""
    if application.client_id is not None:
        value = header_value(application.client_id.encode(), "client id")
    else:
        value = read_secret(file=application.client_id_file, env=application.client_id_env, what="client id",
                            allow_group_read=application.allow_group_read, environ=environ())
    return fit_for_key_id(value.secret.reveal())


def fit_for_key_id(identity: bytes) -> bytes:
    """It stands between quotation marks in keyId="…", where nothing can be escaped."""
    if b'"' in identity or b"\\" in identity:
        raise KeyUnusable("secret_missing", "the client id holds a quotation mark or a backslash")
    return identity


def client_secret(application: Application) -> Secret:
    """Raises KeyUnusable: secret_missing, key_unreadable, key_permissions."""
    return read_secret(file=application.client_secret_file, env=application.client_secret_env, what="client secret",
                       allow_group_read=application.allow_group_read, environ=environ()).secret


def next_key(application: Application, now: datetime) -> LoadedKey | None:
    """The same of the key that follows; its certificate may begin later."""
    from proxy.config.key_sources import next_key_source

    source = next_key_source(application, environ())
    return source.load(now) if source is not None else None


def key(application: Application, now: datetime) -> LoadedKey | None:
    """The checked key, or None when the application has none.  Raises KeyUnusable."""
    from proxy.config.key_sources import key_source

    source = key_source(application, environ())
    return source.load(now) if source is not None else None

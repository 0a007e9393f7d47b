"""Where Vault is, out of the configuration and the variables that Vault's own tools know."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address

import msgspec

from proxy.errors import KeyUnusable
from proxy.keys.vault.settings import VaultSettings

_ADDRESS = re.compile(r"(?P<scheme>https?)://(?:\[(?P<ip6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))"
                      r"(?::(?P<port>\d{1,5}))?/?", re.IGNORECASE)
_DEFAULTS = {"address": "VAULT_ADDR", "namespace": "VAULT_NAMESPACE", "ca_file": "VAULT_CACERT"}
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Address:
    """secure: TLS.  host: without brackets.  authority: as the Host header has it."""

    secure: bool
    host: str
    port: int
    authority: str

    def __str__(self) -> str:
        return f"{'https' if self.secure else 'http'}://{self.authority}"


def with_environment(settings: VaultSettings, environ: Mapping[str, str]) -> VaultSettings:
    """VAULT_ADDR, VAULT_NAMESPACE, VAULT_CACERT and VAULT_TOKEN stand in for what the configuration leaves out."""
    found = {key: environ[name] for key, name in _DEFAULTS.items()
             if getattr(settings, key) is None and environ.get(name)}
    if not settings.has_auth:
        found["token_env"] = "VAULT_TOKEN"      # noqa: S105 - a variable's name
    return msgspec.structs.replace(settings, **found)


def parse_address(url: str) -> Address:
    """Raises ValueError with a sentence that does not repeat the value."""
    match = _ADDRESS.fullmatch(url)
    if match is None:
        raise ValueError("This is not an address of Vault. Write https://host:port, without a path or a user.")
    scheme, host = match["scheme"].lower(), (match["ip6"] or match["name"]).lower()
    port = int(match["port"]) if match["port"] else _PORTS[scheme]
    if not 1 <= port <= 65535:
        raise ValueError("This port does not exist. Write one from 1 to 65535.")
    if scheme == "http" and not _is_here(host):
        raise ValueError("Tokens and keys would travel in clear. Write https:// instead of http://, or name an agent "
                         "on this machine.")
    shown = f"[{host}]" if match["ip6"] else host
    return Address(scheme == "https", host, port, shown if port == _PORTS[scheme] else f"{shown}:{port}")


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """TLS 1.2 or newer, the name checked.  Raises KeyUnusable: key_unreadable.

    Not ssl.create_default_context(), which writes session keys to SSLKEYLOGFILE when it is set.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        return context
    try:
        context.load_verify_locations(cafile=ca_file)
    except (OSError, ssl.SSLError):
        raise KeyUnusable("key_unreadable", "Vault's ca_file (or VAULT_CACERT) is no readable PEM file of certificate "
                                            "authorities") from None
    return context

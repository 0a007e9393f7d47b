"""Programs find a proxy and its authority through variables, and no two read the same ones, so all of them are set."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from proxy.config.address import UNIX, bracketed

if TYPE_CHECKING:
    from proxy.config.model import Config

NO_PROXY = "localhost,127.0.0.1,::1"
JAVA_NO_PROXY = "localhost|127.*|[::1]"
UNRESERVED = re.compile(rb"[A-Za-z0-9._~-]+")
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "localhost": "127.0.0.1"}  # noqa: S104 - replaced, not listened on
_POWERSHELL_QUOTES = re.compile("['‘’‚‛]")


@dataclass(frozen=True, slots=True)
class Content:
    """The first line of a file, which is not to be shown."""

    path: str


Value = tuple[str | Content, ...]


def variables(config: Config, directory: str) -> dict[str, Value]:
    """Name -> the parts of its value.  directory: of the exports.

    Raises click.ClickException where the proxy has no address that a URL can name.
    """
    from proxy.keys.ca_directory import CERTIFICATE
    from proxy.keys.trust import BUNDLE

    host, port = _address(config)
    scheme = "http" if config.tls is None else "https"
    url: Value = (f"{scheme}://{bracketed(host)}:{port}",)
    if config.client_token_file is not None:
        url = (f"{scheme}://token:", Content(os.path.abspath(config.client_token_file)), f"@{bracketed(host)}:{port}")
    bundle, certificate = (os.path.join(os.path.abspath(directory), name) for name in (BUNDLE, CERTIFICATE))
    proxies: dict[str, Value] = dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"), url)
    bundles: dict[str, Value] = dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"), (bundle,))
    return proxies | {"NO_PROXY": (NO_PROXY,), "no_proxy": (NO_PROXY,)} | bundles | {
        "NODE_EXTRA_CA_CERTS": (certificate,), "NODE_USE_ENV_PROXY": ("1",),
        "JAVA_TOOL_OPTIONS": (_java(host, port, os.path.abspath(directory)),)}


def child(config: Config, directory: str, environ: Mapping[str, str], token: bytes) -> dict[str, str]:
    """The environment of a program run through the proxy.  token: of client_token_file, if there is one.

    What NO_PROXY and JAVA_TOOL_OPTIONS say already stays.
    """
    escaped = quote(token, safe="")
    ours = {name: "".join(part if isinstance(part, str) else escaped for part in value)
            for name, value in variables(config, directory).items()}
    for name, between in (("NO_PROXY", ","), ("no_proxy", ","), ("JAVA_TOOL_OPTIONS", " ")):
        if environ.get(name):
            ours[name] = f"{environ[name]}{between}{ours[name]}"
    return {**environ, **ours}


def _address(config: Config) -> tuple[str, int]:
    if config.address.startswith(UNIX):
        raise click.ClickException("The proxy listens on a Unix socket, which no proxy variable can name. Give it an "
                                   "IP address and a port.")
    if config.port == 0:
        raise click.ClickException("The port is 0, so nobody knows it before the proxy runs. Give a fixed one with "
                                   "--port, or port in the configuration.")
    return _ANY.get(config.address, config.address), config.port


def _java(host: str, port: int, directory: str) -> str:
    from proxy.keys.trust import JAVA_PASSWORD, JAVA_STORE

    settings = {
        "javax.net.ssl.trustStore": os.path.join(directory, JAVA_STORE),
        "javax.net.ssl.trustStorePassword": JAVA_PASSWORD, "javax.net.ssl.trustStoreType": "PKCS12",
        "http.proxyHost": host, "http.proxyPort": str(port), "https.proxyHost": host, "https.proxyPort": str(port),
        "http.nonProxyHosts": JAVA_NO_PROXY}
    return " ".join(_java_word(f"-D{name}={value}") for name, value in settings.items())


def _java_word(word: str) -> str:
    """Java splits at white space and knows quotes, but no way to escape one."""
    if not re.search(r"[\s'\"]", word):
        return word
    if '"' in word and "'" in word:
        raise click.ClickException("The path of the exports holds both kinds of quotation marks, which Java cannot "
                                   "read. Name another directory with --exports.")
    return f"'{word}'" if '"' in word else f'"{word}"'


def _sh(name: str, value: Value) -> str:
    parts = [shlex.quote(part) if isinstance(part, str) else f'"$(head -n 1 {shlex.quote(part.path)})"'
             for part in value]
    return f"export {name}={''.join(parts)}"


def _fish(name: str, value: Value) -> str:
    parts = [_fish_word(part) if isinstance(part, str) else f"(head -n 1 {_fish_word(part.path)})" for part in value]
    return f"set -gx {name} {''.join(parts)}"


def _fish_word(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _powershell(name: str, value: Value) -> str:
    parts = [_powershell_word(part) if isinstance(part, str) else f"(Get-Content -TotalCount 1 -LiteralPath "
             f"{_powershell_word(part.path)})" for part in value]
    return f"$env:{name} = {' + '.join(parts)}"


def _powershell_word(text: str) -> str:
    doubled = _POWERSHELL_QUOTES.sub(lambda match: match[0] * 2, text)
    return f"'{doubled}'"


SHELLS: dict[str, Callable[[str, Value], str]] = {"sh": _sh, "fish": _fish, "powershell": _powershell}
"""A line that sets one variable, for each shell."""

"""The certificate authority as the commands meet it: from the configuration, checked, with its warnings told."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from proxy.cli.failures import warn
from proxy.cli.settings import address_flags, ca_directory, config_file
from proxy.errors import KeyUnusable

if TYPE_CHECKING:
    from proxy.config.model import Config
    from proxy.keys.authority import Authority, AuthoritySettings

F = TypeVar("F", bound=Callable[..., Any])

exports = click.option(
    "--exports", metavar="DIR", type=click.Path(file_okay=False),
    help="Where ca.pem, bundle.pem and truststore.p12 are, or are to be written.  [the CA's directory]")


def ca_options(function: F) -> F:
    return config_file(ca_directory(function))


def client_options(function: F) -> F:
    """For commands that tell a client where proxy and authority are."""
    return config_file(ca_directory(address_flags(exports(function))))


def now() -> datetime:
    return datetime.now(UTC)


def settings_of(config: Config) -> AuthoritySettings:
    """Raises KeyUnusable: ca_not_configured."""
    from proxy.config.interception import authority_settings

    settings = authority_settings(config, os.environ)
    if settings is None:
        raise KeyUnusable("ca_not_configured")
    return settings


def authority_of(config: Config) -> Authority:
    """The one that exists.  Raises KeyUnusable."""
    from proxy.config.interception import intercepted_hosts
    from proxy.keys.authority import load

    authority = load(settings_of(config), intercepted_hosts(config), clock=now)
    tell_warnings(authority)
    return authority


def exports_of(config: Config, directory: str | None) -> str:
    """The directory of the exports, which are up to date when this returns.  directory: as asked for, if at all.

    Raises KeyUnusable; click.UsageError when there is no directory to take.
    """
    from proxy.keys.trust import write_exports

    authority = authority_of(config)
    chosen = directory if directory is not None else authority.settings.directory
    if chosen is None:
        raise click.UsageError("The CA is given as files, so there is no directory for what clients need. Name one "
                               "with --exports DIR.")
    if directory is not None:
        from proxy.keys.ca_directory import make
        make(directory)
    write_exports(authority, chosen)
    return chosen


def client_token(config: Config) -> bytes:
    """The first of the tokens that callers must present, b"" when there is none.  Raises KeyUnusable."""
    from proxy.keys.tokens import read_tokens

    if config.client_token_file is None:
        return b""
    return read_tokens(config.client_token_file, allow_group_read=config.token_allow_group_read)[0].reveal()


def tell_warnings(authority: Authority) -> None:
    for sentence in authority.warnings:
        warn(sentence)

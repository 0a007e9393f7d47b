"""The keys that may have signed: files of the command line, or the applications of the proxy's configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from proxy.cli import material
from proxy.cli.verification import KnownKey
from proxy.errors import KeyUnusable
from proxy.keys.certificate import read_facts
from proxy.keys.source import CertificateFacts

if TYPE_CHECKING:
    from proxy.config.model import Config
    from proxy.keys.vault.client import Vault


@dataclass
class ShownKeys:
    """known: the bank's first.  certificate: the one the bank holds, where one was given.  notes: for the reader."""

    known: list[KnownKey] = field(default_factory=list)
    certificate: CertificateFacts | None = None
    notes: list[str] = field(default_factory=list)


def one_key(given: Mapping[str, Any]) -> tuple[RSAPublicKey, tuple[str, ...]]:
    """For `verify` without --explain.  Raises KeyUnusable."""
    if sum(given[name] is not None for name in ("certificate_file", "key_file", "public_key_file")) != 1:
        raise click.UsageError("Give one of --certificate-file, --key-file and --public-key-file, or --explain.")
    if given["application"] is not None:
        raise click.UsageError("--application goes with --explain.")
    shown = _from_files(given)
    return shown.known[0].key, tuple(shown.notes)


def shown_keys(given: Mapping[str, Any]) -> ShownKeys:
    """Everything that was named; nothing is fine.  Raises KeyUnusable."""
    shown = _from_files(given)
    named = click.get_current_context().get_parameter_source("config_file") is ParameterSource.COMMANDLINE
    if given["application"] is not None and given["config_file"] is None:
        raise click.UsageError("--application needs --config-file.")
    if given["config_file"] is not None and (named or given["application"] is not None or not shown.known):
        _add_applications(shown, given["config_file"], given["application"])
    return shown


def _from_files(given: Mapping[str, Any]) -> ShownKeys:
    shown = ShownKeys()
    secret = material.password(given["key_password_file"])
    if given["certificate_file"] is not None:
        key, encoded = material.from_certificate_file(given["certificate_file"], secret)
        shown.certificate = read_facts(encoded)
        shown.known.append(KnownKey("the certificate's key", key))
        shown.notes += _about_dates(shown.certificate)
    if given["public_key_file"] is not None:
        shown.known.append(KnownKey("the public key", material.from_public_key_file(given["public_key_file"])))
    if given["key_file"] is not None:
        key = material.from_key_file(given["key_file"], secret, allow_group_read=given["allow_group_read"])
        if shown.certificate is not None and shown.known[0].key.public_numbers() != key.public_numbers():
            shown.notes.append("the certificate and the private key that were given are no pair")
        shown.known.append(KnownKey("the private key", key, "own" if shown.known else "bank"))
    return shown


def _about_dates(facts: CertificateFacts) -> Iterator[str]:
    if not facts.not_before <= datetime.now(UTC) < facts.not_after:
        yield (f"the certificate is valid from {facts.not_before:%Y-%m-%d} to {facts.not_after:%Y-%m-%d} only, so the "
               "bank would refuse it today")


def _add_applications(shown: ShownKeys, path: str, name: str | None) -> None:
    """A key that cannot be had is no reason to give up, unless it was asked for by name."""
    from proxy.cli import applications
    from proxy.cli.settings import load_config

    config = load_config(path)
    if name is not None and name not in config.applications:
        raise click.UsageError(f"There is no such application. Give one of {', '.join(config.applications)}.")
    vault = applications.vault(config)
    for each in [name] if name is not None else config.applications:
        try:
            _add_application(shown, config, each, vault)
        except KeyUnusable as error:
            if name is not None:
                raise
            shown.notes.append(f"the key of application {each} is not tried: {error}")


def _add_application(shown: ShownKeys, config: Config, name: str, vault: Vault | None) -> None:
    from proxy.cli import applications

    now = datetime.now(UTC)
    application = config.applications[name]
    for what, loaded in (("application", applications.key(application, now, vault)),
                         ("the next key of application", applications.next_key(application, now, vault))):
        if loaded is not None:
            key = loaded.public_key or material.from_signer(loaded.signer)
            if not shown.known:
                shown.certificate = loaded.certificate
            shown.known.append(KnownKey(f"{what} {name}", key, "own" if shown.known else "bank"))

"""An authority is of use only when clients trust it, so these commands make it, show it and hand it over."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from proxy.cli.authorities import (
    authority_of,
    ca_options,
    client_options,
    client_token,
    exports_of,
    now,
    settings_of,
    tell_warnings,
)
from proxy.cli.failures import warn
from proxy.cli.output import dim, show, show_json
from proxy.cli.settings import load_config

if TYPE_CHECKING:
    from proxy.config.model import Config
    from proxy.keys.authority import Authority

EPILOG = """\b
Examples:
  signing-proxy ca init --config-file config/production.yaml
  signing-proxy ca show --config-file config/production.yaml
  signing-proxy ca export --config-file config/production.yaml --to /srv/trust
  eval "$(signing-proxy ca env --config-file config/production.yaml)"
"""


@click.group(epilog=EPILOG)
def ca() -> None:
    """Make, show and hand over the CA that tunnels are intercepted with."""


@ca.command(epilog="Example: signing-proxy ca init --config-file config/production.yaml")
@ca_options
@click.option("--force", is_flag=True, help="Make a new one although there is one; clients must get the new one then.")
def init(config_file: str | None, force: bool, **flags: Any) -> None:
    """Make the CA now instead of at the proxy's first start."""
    from proxy.config.interception import intercepted_hosts
    from proxy.keys.authority import load_or_make, make_anew

    config = load_config(config_file, flags)
    settings = settings_of(config)
    if settings.directory is None:
        raise click.UsageError("The CA is given with ca_certificate_file, so there is none to make. Set ca_directory "
                               "instead, or leave this command out.")
    make = make_anew if force else load_or_make
    authority = make(settings, intercepted_hosts(config), clock=now)
    tell_warnings(authority)
    _describe(authority)
    show()
    if force:
        show("Restart the proxy, and give the new certificate to every client that trusted the old one.")
    show("Next: start the proxy with 'signing-proxy run', then a program through it with 'signing-proxy exec -- "
         "COMMAND';")
    show("'signing-proxy ca env' prints what to set in a shell, 'signing-proxy ca export' what others must trust.")


@ca.command("show", short_help="Print whom the CA may speak for, and its dates.",
            epilog="\b\nExample: signing-proxy ca show --config-file config/production.yaml --json")
@ca_options
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def show_(config_file: str | None, as_json: bool, **flags: Any) -> None:
    """Print whom the CA may speak for, its fingerprint, its dates and where it is."""
    authority = authority_of(load_config(config_file, flags))
    if as_json:
        show_json({"subject": authority.subject, "hosts": list(authority.hosts),
                   "fingerprint_sha256": authority.fingerprint_sha256, "not_before": authority.not_before.isoformat(),
                   "not_after": authority.not_after.isoformat(), "files": _files(authority),
                   "warnings": list(authority.warnings)})
    else:
        _describe(authority)


@ca.command(epilog="""\b
Examples:
  signing-proxy ca export > ca.pem
  signing-proxy ca export --java --to truststore.p12
  signing-proxy ca export --to /srv/trust
""")
@ca_options
@click.option("--certificate", "what", flag_value="certificate", help="The CA's certificate alone, PEM (the default).")
@click.option("--bundle", "what", flag_value="bundle", help="The system's CAs and this one, PEM.")
@click.option("--java", "what", flag_value="java", help="The same as a PKCS#12 trust store, password changeit.")
@click.option("--to", metavar="FILE or DIR", help="Write it there; into a directory all three, unless one is chosen.")
def export(config_file: str | None, what: str | None, to: str | None, **flags: Any) -> None:
    """Hand over what clients must trust; never the key."""
    from proxy.keys import ca_directory, trust

    authority = authority_of(load_config(config_file, flags))
    to_directory = to is not None and (to.endswith(os.sep) or os.path.isdir(to))
    if to is not None and to_directory and what is None:
        ca_directory.make(to)
        trust.write_exports(authority, to)
        show("\n".join(os.path.join(to, name) for name in
                       (ca_directory.CERTIFICATE, trust.BUNDLE, trust.JAVA_STORE)))
        return
    name, content = _export(authority, what or "certificate")
    if to is None:
        _print(content, binary=what == "java")
        return
    path = Path(to, name) if to_directory else Path(to)
    ca_directory.write(str(path.parent), path.name, content, ca_directory.PUBLIC_MODE)
    show(str(path))


@ca.command(short_help="Print what points a shell's programs to the proxy.", epilog="""\b
Examples:
  eval "$(signing-proxy ca env)"
  signing-proxy ca env --shell fish | source
  signing-proxy ca env --shell powershell | Out-String | Invoke-Expression
""")
@client_options
@click.option("--shell", type=click.Choice(["sh", "fish", "powershell"]), default="sh", show_default=True,
              help="For which shell.")
def env(config_file: str | None, exports: str | None, shell: str, **flags: Any) -> None:
    """Print the lines that point a shell's programs to the proxy and the CA."""
    from proxy.cli.client_environment import SHELLS, UNRESERVED, variables

    config = load_config(config_file, flags)
    values = variables(config, exports_of(config, exports))
    if config.client_token_file is not None:
        if UNRESERVED.fullmatch(client_token(config)) is None or not _reads_alike(config):
            raise click.ClickException("The first line of client_token_file is not a token of letters, digits and "
                                       ". _ ~ - alone, as a URL takes it. Change it, or use 'signing-proxy exec'.")
        warn("The lines read the client token from its file, and Java takes none from a variable. Give Java programs "
             "the token in their own settings.")
    for name, value in values.items():
        show(SHELLS[shell](name, value))


def _reads_alike(config: Config) -> bool:
    """Whether a shell that takes the file's first line gets the token."""
    from proxy.keys.guarded import read_secret_file

    assert config.client_token_file is not None
    content = read_secret_file(config.client_token_file, allow_group_read=config.token_allow_group_read)
    return content.partition(b"\n")[0] == client_token(config)


def _export(authority: Authority, what: str) -> tuple[str, bytes]:
    from proxy.keys import ca_directory, trust

    if what == "certificate":
        return ca_directory.CERTIFICATE, authority.pem
    return (trust.BUNDLE, trust.bundle(authority)) if what == "bundle" else (
        trust.JAVA_STORE, trust.java_store(authority))


def _print(content: bytes, *, binary: bool) -> None:
    if binary and _is_terminal():
        raise click.UsageError("A trust store is binary, which no terminal can show. Name a file with --to.")
    click.echo(content, nl=False)


def _is_terminal() -> bool:
    return sys.stdout.isatty()


def _files(authority: Authority) -> dict[str, str]:
    from proxy.keys import ca_directory, trust

    settings = authority.settings
    if settings.directory is None:
        return {"certificate": settings.certificate_file or "", "key": settings.key_file or ""}
    names = {"certificate": ca_directory.CERTIFICATE, "issuer": ca_directory.ISSUER, "key": ca_directory.KEY,
             "bundle": trust.BUNDLE, "java": trust.JAVA_STORE}
    return {what: os.path.join(settings.directory, name) for what, name in names.items()}


def _describe(authority: Authority) -> None:
    fingerprint = authority.fingerprint_sha256.upper()
    rows = {"subject": authority.subject, "hosts": ", ".join(authority.hosts),
            "SHA-256": ":".join(fingerprint[i:i + 2] for i in range(0, len(fingerprint), 2)),
            "valid": f"{authority.not_before:%Y-%m-%d} to {authority.not_after:%Y-%m-%d}", **_files(authority)}
    for name, value in rows.items():
        show(f"{dim(f'{name:<12}')}{value}")

"""`run` without a configuration is somebody's first minute, so it says what is missing and offers the ways on."""

from __future__ import annotations

import os
import shlex
import sys

import click

from proxy.cli.failures import FAILED
from proxy.cli.output import dim
from proxy.cli.settings import UNNAMED
from proxy.errors import ConfigInvalid

USUAL = "proxy.yaml"
EMULATOR = "emulator"

_BLOCK = """\
There is no configuration yet, so nothing can be signed.  A configuration names the application at the bank (its client
id, its secret and its key) and the routes by which requests reach the bank.

  1  {first}
  2  the bank's sandbox: four questions, then it runs          signing-proxy init --profile nordea-sandbox
  3  no bank at all: a strict emulator beside the proxy        signing-proxy run --with-emulator
  q  nothing now
"""
_HERE = "the file that is here                                        signing-proxy run --config-file {quoted}"
_ANY = "your own application at the bank: five questions             signing-proxy init"


def unconfigured(error: ConfigInvalid) -> ConfigInvalid:
    """The same failure with the ways on, for who cannot be asked."""
    ways = [("--config-file", "No file is named. Name one, make one with 'signing-proxy init', or try the proxy "
                              "without a bank: --with-emulator."),
            ("", "The bank's sandbox needs no key: signing-proxy init --profile nordea-sandbox --client-id ID "
                 "--client-secret-file FILE --skip-signature")]
    return ConfigInvalid([*ways, *(problem for problem in error.problems if problem != UNNAMED)])


def offer() -> str | None:
    """The configuration to run with, or EMULATOR; None where nobody can be asked.  Raises click.exceptions.Exit."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    here = os.path.exists(USUAL)
    first = _HERE.format(quoted=shlex.quote(USUAL)) if here else _ANY
    click.echo(_BLOCK.format(first=first), err=True)
    choice = click.prompt("Which one", type=click.Choice(["1", "2", "3", "q"]), show_choices=False, err=True,
                          default="1" if here else "3")
    if choice == "3":
        return EMULATOR
    if choice == "1" and here:
        return USUAL
    if choice == "q":
        raise click.exceptions.Exit(FAILED)
    return _made("nordea-sandbox" if choice == "2" else None)


def _made(profile: str | None) -> str:
    """A new configuration.  Raises click.UsageError, ProxyError."""
    from proxy.cli.init import configure, init

    with init.make_context("init", [*(["--profile", profile] if profile else []), _free()]) as context:
        for line in configure(dict(context.params)):
            if not line.startswith("next: "):
                click.echo(dim(line), err=True)
        return str(context.params["file"])


def _free() -> str:
    """A name that no file has yet."""
    names = [USUAL, "sandbox.yaml", *(f"proxy-{number}.yaml" for number in range(2, 100))]
    return next((name for name in names if not os.path.exists(name)), USUAL)

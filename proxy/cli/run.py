"""The proxy's own start: flags, environment and file become one Config, and everything else is proxy.app's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from proxy.cli.settings import config_file as config_file_option
from proxy.cli.settings import load_config, scalar_flags
from proxy.errors import ConfigInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from proxy.app.lifecycle import Started
    from proxy.config.model import Config

EPILOG = """\b
Examples:
  signing-proxy run --with-emulator
  signing-proxy run --config-file config/production.yaml
  signing-proxy run --config-file config/production.yaml --port 8443 --structured-logs
  signing-proxy run --config-file config/production.yaml --workers 4
  signing-proxy run                       (explains what is missing, and on a terminal offers to make it)

\b
A flag wins over its environment variable (--admin-port: SIGNING_PROXY_ADMIN_PORT), and that over the file.
Exit codes: 1 bad configuration or start, 130 after SIGINT, 143 after SIGTERM (0 with --exit-zero-on-sigterm).
"""


@click.command(epilog=EPILOG)
@config_file_option
@scalar_flags
@click.option("--with-emulator", is_flag=True, help="Try it without a bank: start the emulator beside the proxy.")
@click.option("--directory", default=".run/emulator", show_default=True, metavar="DIR",
              type=click.Path(file_okay=False, path_type=Path), help="Throw-away keys for --with-emulator.")
@click.pass_context
def run(ctx: click.Context, /, config_file: str | None, with_emulator: bool, directory: Path, **flags: Any) -> int:
    """Run the proxy."""
    if not with_emulator:
        config = _configured(config_file, flags)
        if config is not None:
            return _serve(config, _say_inspector)
    elif ctx.get_parameter_source("config_file") is ParameterSource.COMMANDLINE:
        raise click.UsageError("--with-emulator brings its own configuration. Leave --config-file out.")
    from proxy.cli.companion import companion, describe

    with companion(directory) as bank:
        config = load_config(str(bank.config_file), flags)
        bank.require_free_ports(config)
        return _serve(config, lambda running: click.echo(describe(
            bank, running.listeners, _inspector(running, token=True))))


def _configured(config_file: str | None, flags: Mapping[str, object]) -> Config | None:
    """None: somebody on a terminal has chosen the emulator.  Raises ConfigInvalid."""
    try:
        return load_config(config_file, flags)
    except ConfigInvalid as error:
        if config_file is not None:
            raise
        from proxy.cli.first_run import EMULATOR, offer, unconfigured

        choice = offer()
        if choice is None:
            raise unconfigured(error) from None
        return None if choice == EMULATOR else load_config(choice, flags)


def _say_inspector(running: Started) -> None:
    """To whoever has started it, and to no log: the address holds the token, unless there is an admin token."""
    config = running.config
    address = _inspector(running, token=config.admin_token_file is None and config.admin_token_env is None)
    if address is not None:
        click.echo(f"inspector: {address}")


def _inspector(running: Started, *, token: bool) -> str | None:
    return running.inspector.url(token=token) if running.inspector is not None else None


def _serve(config: Config, ready: Callable[[Started], None] = lambda running: None) -> int:
    from proxy.app import run as run_app

    return run_app(config, ready=ready)

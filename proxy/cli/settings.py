"""Keys of the configuration that are also flags stand here once, for every command that takes them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from proxy.config.model import Config

F = TypeVar("F", bound=Callable[..., Any])

CONFIG_FILE_ENV = "SIGNING_PROXY_CONFIG_FILE"
ADMIN_ADDRESS, ADMIN_PORT = "127.0.0.1", 9090

config_file = click.option(
    "--config-file", "--config", "config_file", metavar="FILE", envvar=CONFIG_FILE_ENV, show_envvar=True,
    help="The configuration, YAML.")

_PORT = click.IntRange(0, 65535)
_SECONDS = click.FloatRange(min=0)
_ADDRESS = click.option("--address", metavar="IP", help="Listen here.  [127.0.0.1]")
_LISTEN_PORT = click.option("--port", type=_PORT, help="Listen on this port; 0 takes any.  [8080]")
ca_directory = click.option("--ca-directory", metavar="DIR", help="Intercept CONNECT with a CA that is kept here.")
_SCALARS = (
    _ADDRESS,
    _LISTEN_PORT,
    click.option("--admin-address", metavar="IP", help="Serve health and metrics here.  [127.0.0.1]"),
    click.option("--admin-port", type=_PORT, help="Port for health and metrics.  [9090]"),
    click.option("--admin-token-file", metavar="FILE", help="Tokens for commands to the admin port, one a line."),
    click.option("--inspect/--no-inspect", default=None, help="Show the last calls on /inspector of the admin port."),
    click.option("--quiet", is_flag=True, default=None, help="Log errors only."),
    click.option("--debug-logs", is_flag=True, default=None, help="Log more, still without values or secrets."),
    click.option("--structured-logs", is_flag=True, default=None, help="Log lines as JSON."),
    click.option("--log-format", type=click.Choice(("text", "json", "ecs", "otel")),
                 help="How log lines are written.  [text]"),
    click.option("--unsafe-listen", is_flag=True, default=None,
                 help="Listen beyond loopback without a client token."),
    ca_directory,
    click.option("--workers", type=click.IntRange(1, 64), help="Serve with so many processes.  [1]"),
    click.option("--timed-reload", type=_SECONDS, metavar="SECONDS",
                 help="Look for new keys this often; 0: only on SIGHUP.  [30]"),
    click.option("--min-sigterm-delay", type=_SECONDS, metavar="SECONDS",
                 help="Accept requests this long after SIGTERM.  [2]"),
    click.option("--max-sigterm-delay", type=_SECONDS, metavar="SECONDS",
                 help="Give up requests this long after SIGTERM.  [25]"),
    click.option("--exit-zero-on-sigterm", is_flag=True, default=None, help="Exit with 0 instead of 143 on SIGTERM."),
    click.option("--quitquitquit", is_flag=True, default=None,
                 help="Let this machine end the proxy by POST /quitquitquit."),
)


def scalar_flags(function: F) -> F:
    """Every flag that equals a scalar key of the configuration file; None where it was not given."""
    for option in reversed(_SCALARS):
        function = option(function)
    return function


def address_flags(function: F) -> F:
    """Where the proxy listens, for commands that lead others there."""
    return _ADDRESS(_LISTEN_PORT(function))


UNNAMED = ("--config-file", "No file is named. Name one, or make one with 'signing-proxy init'.")


def load_config(path: str | None, flags: Mapping[str, object] | None = None) -> Config:
    """Flags over environment over file.  Raises ConfigInvalid and its kin."""
    from proxy.config.load import load
    from proxy.errors import ConfigInvalid

    given = {name: value for name, value in (flags or {}).items() if value is not None}
    try:
        return load(path, os.environ, given)
    except ConfigInvalid as error:
        if path is None and tuple(place for place, _ in error.problems) == ("routes", "applications"):
            error.problems.insert(0, UNNAMED)
        raise

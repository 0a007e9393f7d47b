"""A container's health check runs every few seconds, so this one asks and says nothing."""

from __future__ import annotations

from typing import Any

import click

from proxy.cli.admin_client import AdminClient, place_options, timeout_option
from proxy.cli.failures import OK, CommandFailed

EPILOG = """\b
Examples:
  signing-proxy health
  signing-proxy health --admin-port 9091

\b
Dockerfile: HEALTHCHECK CMD ["signing-proxy", "health"]
Exit codes: 0 alive, 1 not.
"""


@click.command(epilog=EPILOG)
@place_options
@timeout_option
def health(config_file: str | None, timeout: float, **flags: Any) -> int:
    """Ask a running proxy whether it is alive."""
    status = AdminClient(config_file, flags).ask("GET", "/livez", timeout).status
    if status != 200:
        raise CommandFailed("not_alive", f"The admin port answers {status} to /livez. Look at the proxy's log.")
    return OK

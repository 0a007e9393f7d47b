"""A container's health check runs every few seconds, so this one asks and says nothing."""

from __future__ import annotations

import re
from typing import Any

import click

from proxy.cli.failures import FAILED, OK, complain
from proxy.cli.settings import ADMIN_ADDRESS, ADMIN_PORT

EPILOG = """\b
Examples:
  signing-proxy health
  signing-proxy health --admin-port 9091

\b
Dockerfile: HEALTHCHECK CMD ["signing-proxy", "health"]
Exit codes: 0 alive, 1 not.
"""
_SERVICE = re.compile(r"(?:tcp|udp|sctp)://.*")
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - an address to be replaced, not to be listened on


class _AdminPort(click.IntRange):
    """A port; what Kubernetes writes into the variable for a Service of that name is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        described = isinstance(value, str) and _SERVICE.fullmatch(value) is not None
        return super().convert(ADMIN_PORT if described else value, param, ctx)


@click.command(epilog=EPILOG)
@click.option("--admin-address", default=ADMIN_ADDRESS, show_default=True, metavar="IP",
              envvar="SIGNING_PROXY_ADMIN_ADDRESS", show_envvar=True, help="Where the admin port listens.")
@click.option("--admin-port", default=ADMIN_PORT, show_default=True, type=_AdminPort(1, 65535),
              envvar="SIGNING_PROXY_ADMIN_PORT", show_envvar=True, help="The admin port.")
@click.option("--timeout", default=3.0, show_default=True, type=click.FloatRange(0.1, 60), metavar="SECONDS",
              help="How long to wait for the answer.")
def health(admin_address: str, admin_port: int, timeout: float) -> int:
    """Ask a running proxy whether it is alive."""
    import http.client

    address = _ANY.get(admin_address.strip("[]"), admin_address.strip("[]"))
    if re.fullmatch(r"[0-9A-Za-z.:\-]+", address) is None:
        raise click.UsageError("The admin address is not an IP address.")
    connection = http.client.HTTPConnection(address, admin_port, timeout=timeout)
    try:
        connection.request("GET", "/livez")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        complain("not_alive", f"The admin port does not answer ({type(error).__name__}). Check --admin-address and "
                              "--admin-port, and that the proxy runs.")
        return FAILED
    finally:
        connection.close()
    if status != 200:
        complain("not_alive", f"The admin port answers {status} to /livez. Look at the proxy's log.")
        return FAILED
    return OK

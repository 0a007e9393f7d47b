"""A wrong CA or a firewall shows in the TLS handshake, which needs no request and no credentials."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from proxy.app.compose import egress, tls_context
from proxy.cli.applications import environ
from proxy.cli.rows import Row
from proxy.config.routes import resolve
from proxy.errors import ProxyError, UpstreamFailed
from proxy.wire.dial import Dialer, Origin, Resolver

if TYPE_CHECKING:
    from proxy.config.model import Config


class _Greeting(asyncio.Protocol):
    """Notes what was agreed, then hangs up."""

    agreed = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        tls = transport.get_extra_info("ssl_object")
        self.agreed = f"{tls.version()}, name checked"
        transport.close()


def check_connections(config: Config) -> list[Row]:
    """One row per bank host, dialled as the proxy dials it: its roots, its egress proxy."""
    origins = sorted({(route.upstream.host, route.upstream.port, route.upstream.name.strip("[]"))
                      for route in resolve(config)})
    try:
        dialer = Dialer(tls_context(config), Resolver(config.timeouts.connect), egress=egress(config, environ()))
    except ProxyError as error:
        return [Row.problem("connection", f"{name}:{port}", error) for _, port, name in origins]
    return asyncio.run(_check_all(dialer, [Origin(*origin) for origin in origins], config.timeouts.connect))


async def _check_all(dialer: Dialer, origins: list[Origin], within: float) -> list[Row]:
    return list(await asyncio.gather(*(_check(dialer, origin, within) for origin in origins)))


async def _check(dialer: Dialer, origin: Origin, within: float) -> Row:
    greeting = _Greeting()
    try:
        await dialer.open(origin, greeting, within)
    except UpstreamFailed as error:
        return Row.problem("connection", str(origin), error)
    return Row("connection", str(origin), True, greeting.agreed)

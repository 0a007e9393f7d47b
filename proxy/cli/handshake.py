"""A wrong CA or a firewall shows in the TLS handshake, which needs no request and no credentials."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from proxy.cli.findings import Row
from proxy.config.routes import resolve
from proxy.errors import KeyUnusable, UpstreamFailed
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
    """One row per bank host, through the proxy's own dialling."""
    origins = sorted({(route.upstream.host, route.upstream.port, route.upstream.name) for route in resolve(config)})
    if config.egress_proxy is not None:
        return [Row("connection", f"{name}:{port}", None, "an egress proxy is configured") for _, port, name in origins]
    try:
        context = trust(config)
    except KeyUnusable as error:
        return [Row.problem("connection", f"{name}:{port}", error) for _, port, name in origins]
    return asyncio.run(_check_all([Origin(*origin) for origin in origins], context, config.timeouts.connect))


def trust(config: Config) -> ssl.SSLContext:
    """The system's roots and those of upstream_ca_file and upstream_ca_directory.  Raises KeyUnusable."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        if config.upstream_ca_file is not None:
            context.load_verify_locations(cafile=config.upstream_ca_file)
        if config.upstream_ca_directory is not None:
            for path in sorted(Path(config.upstream_ca_directory).iterdir()):
                if path.is_file():
                    context.load_verify_locations(cafile=path)
    except ssl.SSLError:
        raise KeyUnusable("certificate_format", "upstream_ca_file or upstream_ca_directory holds "
                          "something else than PEM certificates") from None
    except (OSError, ValueError):
        raise KeyUnusable("key_unreadable", "upstream_ca_file or upstream_ca_directory cannot be opened") from None
    return context


async def _check_all(origins: list[Origin], context: ssl.SSLContext, within: float) -> list[Row]:
    return list(await asyncio.gather(*(_check(origin, context, within) for origin in origins)))


async def _check(origin: Origin, context: ssl.SSLContext, within: float) -> Row:
    greeting = _Greeting()
    try:
        await Dialer(context, Resolver(within)).open(origin, greeting, within)
    except UpstreamFailed as error:
        return Row.problem("connection", str(origin), error)
    return Row("connection", str(origin), True, greeting.agreed)

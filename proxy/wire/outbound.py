"""How a plain connection to a destination comes about: one resolution, every address judged, the judged one dialled."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from proxy.core.destinations import Destination
from proxy.errors import Refused, UpstreamFailed
from proxy.wire.dial import ADDRESSES, Address, Resolver, attach, connect


class Outbound:
    """own: tells whether an address and port are one of this proxy's own listeners."""

    def __init__(self, resolver: Resolver, own: Callable[[str, int], bool]) -> None:
        self._resolver = resolver
        self._own = own

    async def open(self, destination: Destination, forbidden: Callable[[str], str], protocol: asyncio.BaseProtocol,
                   within: float) -> None:
        """Connects and hands the transport to protocol.connection_made().

        forbidden: numeric address -> why it may not be dialled, or "".  within: seconds for all of it.

        Raises Refused: self_connect, address_denied.  UpstreamFailed with sent "no": destination_dns,
        destination_unreachable, destination_timeout.
        """
        try:
            async with asyncio.timeout(within):
                addresses = self._judged(await self._addresses(destination), forbidden)
                sock = await self._connect(addresses, within)
        except TimeoutError as error:
            self._resolver.forget(destination.host, destination.port)
            raise UpstreamFailed("destination_timeout", sent="no") from error
        except OSError as error:
            self._resolver.forget(destination.host, destination.port)
            raise UpstreamFailed("destination_unreachable", sent="no") from error
        await attach(sock, protocol)

    async def close(self) -> None:
        await self._resolver.close()

    async def _addresses(self, destination: Destination) -> list[Address]:
        literal = destination.address
        if literal is not None:
            family = socket.AF_INET if literal.version == 4 else socket.AF_INET6
            return [(int(family), destination.host, destination.port)]
        try:
            return await self._resolver.resolve(destination.host, destination.port)
        except (UpstreamFailed, UnicodeError) as error:     # UnicodeError: a label the idna codec does not take
            raise UpstreamFailed("destination_dns", sent="no") from error

    def _judged(self, addresses: list[Address], forbidden: Callable[[str], str]) -> list[Address]:
        """Those that may be dialled, at least one."""
        refusal = UpstreamFailed("destination_dns", "it has no address", sent="no")
        good: list[Address] = []
        denied: Refused | None = None
        for family, address, port in addresses:
            if self._own(address, port):
                denied = Refused("self_connect")
                continue
            reason = forbidden(address)
            if reason:
                denied = denied or Refused("address_denied", f"{reason} address")
                continue
            good.append((family, address, port))
        if not good:
            raise denied or refusal
        return good[:ADDRESSES]

    @staticmethod
    async def _connect(addresses: list[Address], within: float) -> socket.socket:
        """In order; all but the last get an equal share of the time.  Raises OSError, of which TimeoutError is one."""
        *most, last = addresses
        for family, address, port in most:
            try:
                async with asyncio.timeout(within / len(addresses)):
                    return await connect(family, address, port)
            except OSError:
                continue
        return await connect(*last)


def is_local_address(address: str) -> bool:
    """Whether a numeric address belongs to this machine, so that a listener on every address is reached by it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((address, 0))
        except OSError:
            return False
    return True

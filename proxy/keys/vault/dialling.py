"""How a connection to Vault comes about on the event loop: a name's addresses, the authorities' file, connect, TLS."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from time import monotonic
from typing import Final, TypeVar

from proxy.keys.aside import aside
from proxy.keys.vault.exchange import NO_NAME, NO_TLS, NOT_TRUSTED, REFUSED, Unreachable
from proxy.keys.vault.place import Address

P = TypeVar("P", bound=asyncio.Protocol)
_Found = tuple[tuple[str, ...], ssl.SSLContext | None]
"""Vault's addresses, numeric, and what TLS is spoken with."""
_TRUSTED_S: Final = 5.0
"""For which a name's addresses are remembered: a Vault that closes each connection is not looked up each time."""
_ADDRESSES: Final = 4
"""How many of a name's addresses are tried."""


class Dialler:
    """For one Vault, on one event loop."""

    def __init__(self, address: Address, context: Callable[[], ssl.SSLContext]) -> None:
        """context: reads files, and is called in a thread."""
        self._address = address
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._looking: asyncio.Future[_Found] | None = None
        self._found: _Found | None = None
        self._found_until = 0.0

    async def connected(self, make: Callable[[], P], deadline: float) -> P:
        """make: the connection's protocol, for each try.  deadline: monotonic; each address has an equal share of what
        is left.

        Raises Unreachable, KeyUnusable("key_unreadable").
        """
        addresses, context = await self._looked_up()
        for left in range(len(addresses), 0, -1):
            try:
                async with asyncio.timeout((deadline - monotonic()) / left):
                    return await self._connect(make, addresses[-left], context)
            except ssl.SSLCertVerificationError:
                raise Unreachable(NOT_TRUSTED) from None
            except ssl.SSLError:
                raise Unreachable(NO_TLS) from None
            except OSError:             # TimeoutError is one
                continue
        self._found = None
        raise Unreachable(REFUSED)

    async def _connect(self, make: Callable[[], P], address: str, context: ssl.SSLContext | None) -> P:
        _, protocol = await self._loop.create_connection(
            make, address, self._address.port, ssl=context,
            server_hostname=self._address.host if context is not None else None)
        return protocol

    async def _looked_up(self) -> _Found:
        """One lookup for all who wait for it: one that hangs holds one thread.  Raises Unreachable, KeyUnusable."""
        if self._found is not None and self._found_until > self._loop.time():
            return self._found
        if self._looking is None:
            self._looking = aside(self._look_up, "vault address")
            self._looking.add_done_callback(self._looked)
        try:
            return await asyncio.shield(self._looking)
        except (OSError, UnicodeError):
            raise Unreachable(NO_NAME) from None

    def _looked(self, looking: asyncio.Future[_Found]) -> None:
        self._looking = None
        if not looking.cancelled() and looking.exception() is None:
            self._found, self._found_until = looking.result(), self._loop.time() + _TRUSTED_S

    def _look_up(self) -> _Found:
        """In a thread.  Raises OSError, UnicodeError, KeyUnusable."""
        address = self._address
        context = self._context() if address.secure else None
        rows = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        return tuple(str(row[4][0]) for row in rows)[:_ADDRESSES], context

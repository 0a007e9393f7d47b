"""How a byte stream to a bank comes about: resolution, address policy, egress proxy, connect, TLS handshake.

Nothing of a request is written here, so every failure is truthfully "not sent".
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from proxy.core.secret import Secret
from proxy.errors import Refused, UpstreamFailed
from proxy.wire.head import parse_response
from proxy.wire.tls import Tls

_HEAD = 16384
_NAMES = 512
"""Names whose addresses are remembered: other hosts' names come from callers."""
ADDRESSES = 4
"""How many of a name's addresses are tried."""
_OURS = {errno.EMFILE: "this process may open no more files", errno.ENFILE: "this machine may open no more files",
         errno.EADDRNOTAVAIL: "no local port is free"}
"""What no bank can do anything for."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a bank listens.  host: resolved and dialled.  name: verified in its certificate and sent as SNI."""

    host: str
    port: int
    name: str

    def __str__(self) -> str:
        return f"{self.name}:{self.port}"


@dataclass(frozen=True, slots=True)
class Egress:
    """A company proxy that tunnels by CONNECT (RFC 9110 section 9.3.6)."""

    host: str
    port: int
    username: str = ""
    password: Secret = field(default_factory=lambda: Secret(b""))

    def request(self, origin: Origin) -> bytes:
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        authority = f"{host}:{origin.port}".encode()
        credentials = b""
        if self.username:
            pair = b64encode(self.username.encode() + b":" + self.password.reveal())
            credentials = b"Proxy-Authorization: Basic " + pair + b"\r\n"
        return b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (authority, authority, credentials)


Address = tuple[int, str, int]
"""Family, numeric address, port."""


class Resolver:
    """Resolves names through the system's resolver in its threads; trusts an answer for `ttl` seconds."""

    def __init__(self, ttl: float, *, at_once: int | None = None) -> None:
        """at_once: lookups under way at a time.  A slow name keeps its thread also when nobody waits for it any more,
        and there are as few as four."""
        self._ttl = ttl
        self._turns = asyncio.Semaphore(at_once) if at_once is not None else None
        self._lookups: set[asyncio.Task[list[Address]]] = set()
        self._cache: dict[tuple[str, int], tuple[float, list[Address]]] = {}

    async def resolve(self, host: str, port: int) -> list[Address]:
        """Raises UpstreamFailed("upstream_dns")."""
        loop = asyncio.get_running_loop()
        known = self._cache.get((host, port))
        if known is not None and known[0] > loop.time():
            return known[1]
        try:
            addresses = await (self._lookup(host, port) if self._turns is None else self._in_turn(host, port))
        except OSError as error:
            raise UpstreamFailed("upstream_dns", sent="no") from error
        self._cache[host, port] = (loop.time() + self._ttl, addresses)
        if len(self._cache) > _NAMES:
            del self._cache[next(iter(self._cache))]
        return addresses

    async def _in_turn(self, host: str, port: int) -> list[Address]:
        """Holds its turn until the lookup is over, not only until the caller has gone."""
        assert self._turns is not None
        await self._turns.acquire()
        lookup = asyncio.ensure_future(self._lookup(host, port))
        self._lookups.add(lookup)
        lookup.add_done_callback(self._looked_up)
        return await asyncio.shield(lookup)

    def _looked_up(self, lookup: asyncio.Task[list[Address]]) -> None:
        assert self._turns is not None
        self._lookups.discard(lookup)
        self._turns.release()
        if not lookup.cancelled():
            lookup.exception()          # whoever asked may have gone

    @staticmethod
    async def _lookup(host: str, port: int) -> list[Address]:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return [(int(family), str(where[0]), port) for family, _, _, _, where in found]

    def forget(self, host: str, port: int) -> None:
        self._cache.pop((host, port), None)

    async def close(self) -> None:
        for lookup in list(self._lookups):
            lookup.cancel()
        await asyncio.gather(*self._lookups, return_exceptions=True)


class Dialer:
    """Opens connections for one TLS context.

    forbidden: tells whether an address may not be dialled, such as this proxy's own listeners.
    """

    def __init__(self, context: ssl.SSLContext, resolver: Resolver, *, egress: Egress | None = None,
                 forbidden: Callable[[str, int], bool] = lambda address, port: False) -> None:
        self._context = context
        self._resolver = resolver
        self._egress = egress
        self._forbidden = forbidden

    async def open(self, origin: Origin, protocol: asyncio.Protocol, within: float) -> None:
        """Connects and hands the TLS transport to protocol.connection_made().  within: seconds for all of it.

        Raises UpstreamFailed with sent "no".
        """
        tls = Tls(self._context, protocol, server_hostname=origin.name)
        try:
            async with asyncio.timeout(within):
                await self._open(origin, tls, within)
        except TimeoutError as error:
            if _succeeded(tls.ready):       # it came up in the same turn, and may already carry a request
                return
            self._resolver.forget(origin.host, origin.port)
            raise UpstreamFailed("upstream_connect_timeout", sent="no") from error

    async def _open(self, origin: Origin, tls: Tls, within: float) -> None:
        if self._egress is None:
            await self._connect(origin.host, origin.port, tls, within)
        else:
            tunnel = Tunnel(self._egress.request(origin), tls)
            await self._connect(self._egress.host, self._egress.port, tunnel, within)
            await _or_abort(tunnel.open, tunnel)
        try:
            await _or_abort(tls.ready, tls)
        except ssl.SSLCertVerificationError as error:
            raise UpstreamFailed("upstream_tls", str(error.verify_message), sent="no") from error
        except (ssl.SSLError, OSError) as error:
            raise UpstreamFailed("upstream_tls", "the TLS handshake failed", sent="no") from error

    async def _connect(self, host: str, port: int, protocol: asyncio.Protocol, within: float) -> None:
        """Tries the addresses in order; all but the last get an equal share of the time, so that none is left out."""
        addresses = (await self._resolver.resolve(host, port))[:ADDRESSES]
        last: OSError | None = None
        for number, (family, address, _) in enumerate(addresses, 1):
            if self._forbidden(address, port):
                raise UpstreamFailed("self_connect", sent="no")
            try:
                async with asyncio.timeout(within / len(addresses) if number < len(addresses) else None):
                    sock = await connect(family, address, port)
            except OSError as error:        # TimeoutError is one
                last = error
                continue
            await attach(sock, protocol)
            return
        self._resolver.forget(host, port)
        detail = _OURS.get(last.errno or 0, "") if last is not None else ""
        raise UpstreamFailed("upstream_connect", detail, sent="no") from last


def is_ours(error: BaseException) -> bool:
    """Whether a connection failed for something that this machine lacks; the bank may be well."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in _OURS


async def connect(family: int, address: str, port: int) -> socket.socket:
    """Raises OSError."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, (address, port))
    except BaseException:
        sock.close()            # also when cancelled: wait_for() would leak it
        raise
    return sock


async def attach(sock: socket.socket, protocol: asyncio.BaseProtocol) -> None:
    """Gives a connected socket to protocol.connection_made(), which may write at once.

    Once begun it is finished, whoever is cancelled: otherwise protocol could be given to a second address, and uvloop
    would close the socket without calling connection_lost().
    """
    await asyncio.shield(_attach(sock, protocol))


async def _attach(sock: socket.socket, protocol: asyncio.BaseProtocol) -> None:
    transport: object
    transport, _ = await asyncio.get_running_loop().create_connection(lambda: protocol, sock=sock)
    if not isinstance(cast(object, transport), asyncio.Transport):
        # uvloop's, which owns the descriptor now, but forgets to tell the socket where the peer resets the connection
        # this early: collected as garbage, the socket would close whatever connection has that number by then.
        sock.detach()


async def _or_abort(future: asyncio.Future[None], transport: Tls | Tunnel) -> None:
    try:
        await future
    except BaseException:
        if not _succeeded(future):
            transport.abort()
        raise


def _succeeded(future: asyncio.Future[None]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


class Tunnel(asyncio.Protocol):
    """Asks an egress proxy for a tunnel, then gives the transport to the protocol that lives inside it."""

    def __init__(self, request: bytes, inside: Tls) -> None:
        self._request = request
        self._inside = inside
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self.open: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)     # uvloop's is no subclass of it
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _HEAD:
                self._fail("its answer has no end")
            return
        try:
            response = parse_response(self._buffer[:end + 4], b"CONNECT")
        except Refused:
            self._fail("its answer is not HTTP")
            return
        if not 200 <= response.status < 300:
            self._fail(f"it answered {response.status}")
            return
        assert self._transport is not None
        self._transport.set_protocol(self._inside)
        self._inside.connection_made(self._transport)
        if self._buffer[end + 4:]:
            self._inside.data_received(self._buffer[end + 4:])
        if not self.open.done():
            self.open.set_result(None)

    def _fail(self, detail: str) -> None:
        if not self.open.done():
            self.open.set_exception(UpstreamFailed("egress_proxy_failed", detail, sent="no"))
        self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.open.done():
            self.open.set_exception(UpstreamFailed("egress_proxy_failed", "it closed the connection", sent="no"))

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

"""A listener of the configuration becomes a gate, a door and a socket."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import stat
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from proxy.app.systemd import PassedSockets
from proxy.app.token_files import TokenFile
from proxy.config.address import UNIX, ip_address, is_loopback, where
from proxy.config.model import Config, Listener, ListenerTls
from proxy.core.destinations import Destination
from proxy.errors import KeyUnusable, ProxyError
from proxy.keys.guarded import read_public_file, read_secret_file, shown
from proxy.serve.doors import TlsDoor
from proxy.serve.gate import Gate, own_names
from proxy.serve.telemetry import Telemetry
from proxy.wire.connection import Connection
from proxy.wire.outbound import is_local_address
from proxy.wire.server import Bound, Server


class StartFailed(ProxyError):
    """A listener could not be opened."""


def gate(config: Config, listener: Listener, address: str, port: int, tokens: TokenFile | None) -> Gate:
    """The gate of a listener bound to address and port; "" for a Unix socket, which no browser reaches."""
    clients = listener.tls.client_names if listener.tls is not None else ()
    ask = (lambda: tokens.current) if tokens is not None else None
    if listener.address.startswith(UNIX):
        return Gate(None, tokens=ask, clients=clients)
    loopback = is_loopback(listener.address)
    names = own_names(numeric(address), port, loopback=loopback)
    extra = {name.lower().encode() for name in config.allowed_hosts}
    return Gate(names | extra, tokens=ask, any_literal=not loopback, clients=clients)


def numeric(address: str) -> str:
    return "127.0.0.1" if address.lower() == "localhost" else address


def tls_context(settings: ListenerTls) -> ssl.SSLContext:
    """For callers: TLS 1.2 or newer, HTTP/1.1, and a client certificate where an authority for it is named.

    Raises KeyUnusable.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    read_secret_file(settings.key_file, allow_group_read=settings.allow_group_read)     # for its mode
    try:
        context.load_cert_chain(settings.certificate_file, settings.key_file, password=_no_password)
    except (OSError, ssl.SSLError, ValueError):
        raise KeyUnusable("listener_certificate_unusable", shown(settings.certificate_file)) from None
    if settings.client_ca_file is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(settings.client_ca_file)
        except (OSError, ssl.SSLError):
            raise KeyUnusable("certificate_format", shown(settings.client_ca_file)) from None
    return context


def _no_password() -> str:
    raise ValueError("an encrypted key; OpenSSL would ask the terminal")


class Doors:
    """The open listeners of one server.  bound: every (address, port) that is ours, the admin port's included."""

    def __init__(self, config: Config, telemetry: Telemetry, passed: PassedSockets) -> None:
        """passed: those of systemd.  Raises KeyUnusable when a token, key or certificate cannot be read."""
        self._passed = passed
        self.bound: list[Bound] = []
        self._names = {name.lower().partition(":")[0].removesuffix(".") for name in config.allowed_hosts}
        self.tokens: dict[str, TokenFile] = {}
        self._sockets: list[tuple[Path, tuple[int, int]]] = []
        self._tls: dict[str, tuple[ListenerTls, TlsDoor]] = {}
        self._seen: tuple[bytes, ...] = ()
        self.trouble: KeyUnusable | None = None
        """What is wrong with certificates that are waiting to be taken."""
        for name, listener in config.all_listeners().items():
            if listener.client_token_file is not None and listener.client_token_file not in self.tokens:
                self.tokens[listener.client_token_file] = TokenFile(
                    listener.client_token_file, allow_group_read=config.token_allow_group_read)
            if listener.tls is not None:
                self._tls[name] = listener.tls, TlsDoor(tls_context(listener.tls), telemetry,
                                                        _authorities(listener.tls))
        self._seen = self._contents()

    async def open(self, server: Server, name: str, listener: Listener) -> list[Bound]:
        """-> the bound pairs; ("unix:/path", 0) for a Unix socket.  Raises StartFailed, SocketUnfit."""
        accept = self._tls[name][1].accept if name in self._tls else Connection
        address, port = listener.address, listener.port or 0
        passed = self._passed.take(name, listener)
        try:
            if passed is not None and self._passed.board is not None:
                server.share(name, passed, self._passed.board, accept=accept)
                return self._took(passed, listener)
            if passed is not None:
                await server.listen_on(name, passed, accept=accept)
                return self._took(passed, listener)
            if not address.startswith(UNIX):
                bound = await server.listen(name, numeric(address), port, accept=accept)
                self.bound += bound
                return bound
            sock = self._unix_socket(Path(address.removeprefix(UNIX)), int(listener.socket_mode, 8))
            await server.listen_on(name, sock, accept=accept)
        except OSError as error:
            raise _not_opened(error, name, address, port) from error
        return [(address, 0)]

    def _took(self, sock: socket.socket, listener: Listener) -> list[Bound]:
        if listener.address.startswith(UNIX):
            return [(listener.address, 0)]
        bound: list[Bound] = [sock.getsockname()[:2]]
        self.bound += bound
        return bound

    def _unix_socket(self, path: Path, mode: int) -> socket.socket:
        """A socket that nobody else can connect to before it has its mode; one that a dead process left is replaced."""
        _remove_abandoned(path)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            sock.bind(str(path))
            os.chmod(path, mode)
        except BaseException:
            sock.close()
            raise
        finally:
            os.umask(before)
        found = path.stat()
        self._sockets.append((path, (found.st_dev, found.st_ino)))
        return sock

    def bind(self, name: str, listener: Listener) -> socket.socket:
        """Bound for other processes, which are the ones to listen: until then callers are refused.

        Raises StartFailed, SocketUnfit.
        """
        passed = self._passed.take(name, listener)
        if passed is not None:
            self._took(passed, listener)
            return passed
        address, port = listener.address, listener.port or 0
        try:
            if address.startswith(UNIX):
                return self._unix_socket(Path(address.removeprefix(UNIX)), int(listener.socket_mode, 8))
            sock = _tcp_socket(numeric(address), port)
        except OSError as error:
            raise _not_opened(error, name, address, port) from error
        self._took(sock, listener)
        return sock

    def reload(self) -> bool:
        """Reads certificates and keys of TLS listeners again when their content has changed; new callers get them.

        -> whether it had.  Blocks.  Raises KeyUnusable, once for the same content, and then everything stays as it was.
        """
        contents = self._contents()
        if contents == self._seen:
            return False
        self._seen = contents
        try:
            fresh = [(door, tls_context(settings), _authorities(settings)) for settings, door in self._tls.values()]
        except KeyUnusable as error:
            self.trouble = error
            raise
        self.trouble = None
        for door, context, authorities in fresh:
            door.context, door.authorities = context, authorities
        return True

    def part(self) -> None:
        """After a reload, on the loop: from clients whose authorities are others now."""
        for _, door in self._tls.values():
            door.part()

    def _contents(self) -> tuple[bytes, ...]:
        paths = [path for tls, _ in self._tls.values()
                 for path in (tls.certificate_file, tls.key_file, tls.client_ca_file) if path is not None]
        return tuple(_content(path) for path in paths)

    def tokens_of(self, listener: Listener) -> TokenFile | None:
        return self.tokens.get(listener.client_token_file or "")

    def close(self) -> None:
        """Removes the sockets that are still ours; systemd's stay."""
        self._passed.close()
        for path, identity in self._sockets:
            with suppress(OSError):
                found = path.stat()
                if (found.st_dev, found.st_ino) == identity:
                    path.unlink()

    # --- what is us

    def is_own_address(self, address: str, port: int) -> bool:
        """address: numeric."""
        target = _unmapped(address)
        listening = [_unmapped(own) for own, own_port in self.bound if own_port == port]
        if target in listening or not listening:
            return bool(listening)
        anywhere = target.is_unspecified or any(own.is_unspecified for own in listening)
        return anywhere and (target.is_unspecified or is_local_address(str(target)))

    def is_own(self, destination: Destination) -> bool:
        """Whether a destination is one of these listeners, as far as can be told without a resolver."""
        host = destination.host
        if host in self._names:
            return any(port == destination.port for _, port in self.bound)
        if host == "localhost" or host.endswith(".localhost"):
            return any(self.is_own_address(loopback, destination.port) for loopback in ("127.0.0.1", "::1"))
        return ip_address(host) is not None and self.is_own_address(host, destination.port)


def _tcp_socket(address: str, port: int) -> socket.socket:
    """As asyncio makes them.  Raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, port))
    except BaseException:
        sock.close()
        raise
    return sock


def _not_opened(error: OSError, name: str, address: str, port: int) -> StartFailed:
    code = "address_in_use" if error.errno == errno.EADDRINUSE else "address_unavailable"
    return StartFailed(code, f"{where(address, port)} for listener {name}")


def _content(path: str) -> bytes:
    """b"" for a file that cannot be read now."""
    try:
        return read_public_file(path)
    except KeyUnusable:
        return b""


def _authorities(settings: ListenerTls) -> bytes:
    return _content(settings.client_ca_file) if settings.client_ca_file is not None else b""


def _remove_abandoned(path: Path) -> None:
    """Raises OSError(EADDRINUSE) when somebody listens there, or it is no socket."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise OSError(errno.EADDRINUSE, "not a socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise OSError(errno.EADDRINUSE, "somebody listens there")


def _unmapped(address: str) -> IPv4Address | IPv6Address:
    ip = ip_address(address.partition("%")[0])
    assert ip is not None
    return getattr(ip, "ipv4_mapped", None) or ip

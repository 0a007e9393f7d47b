"""The two conversations a service has with systemd: sockets that it passed, and how far the service is.

Both follow sd_listen_fds(3) and sd_notify(3); outside systemd every call here does nothing.  What happens with a socket
is still the configuration's word: one that is not bound to what the configuration says of its listener is refused, so
that a .socket unit cannot open a port that the checks of the configuration have never seen.
"""

from __future__ import annotations

import logging
import os
import socket
import stat
import time
from collections.abc import Iterable, Mapping

from proxy.config.address import UNIX, bracketed, ip_address, where
from proxy.config.model import MAIN, Listener
from proxy.errors import ProxyError
from proxy.wire.queue import Board

log = logging.getLogger(__name__)

_FIRST = 3
_MOST = 64
_DIGITS = 20
_PATH_MODE = 0o777


class SocketUnfit(ProxyError):
    """A passed socket is not what the configuration says of its listener."""

    def __init__(self, detail: str) -> None:
        super().__init__("socket_unfit", detail)


class PassedSockets:
    """Listening sockets by the name of their listener, each taken once.

    board: of the processes that accept from them too; None: there are no others.
    """

    board: Board | None = None

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Takes what LISTEN_FDS names, if LISTEN_PID says that it is meant for this process.  Raises SocketUnfit."""
        self._by_name: dict[str, socket.socket] = {}
        if environ.get("LISTEN_PID") != str(os.getpid()):
            return
        try:
            for name, descriptor in _descriptors(environ):
                self._by_name[name] = _opened(name, descriptor)
        except SocketUnfit:
            self.close()
            raise

    def take(self, name: str, listener: Listener) -> socket.socket | None:
        """None: systemd has passed none for it.  Raises SocketUnfit."""
        sock = self._by_name.pop(name, None)
        if sock is None:
            return None
        wanted = _written(listener)
        found = _bound(sock, listener)
        if found != wanted:
            sock.close()
            raise SocketUnfit(f"the one named {name} is {found}, and the configuration says {wanted}")
        sock.setblocking(False)
        return sock

    def require_none_left(self, known: Iterable[str]) -> None:
        """Raises SocketUnfit when one belongs to no listener: callers would wait there for ever."""
        if self._by_name:
            left = ", ".join(ascii(name) for name in self._by_name)
            raise SocketUnfit(f"{left}: FileDescriptorName= is none of {', '.join(known)}")

    def close(self) -> None:
        """Those that nobody has taken."""
        while self._by_name:
            self._by_name.popitem()[1].close()


def _descriptors(environ: Mapping[str, str]) -> list[tuple[str, int]]:
    text = environ.get("LISTEN_FDS", "")
    if not _is_number(text) or int(text) > _MOST:
        raise SocketUnfit("LISTEN_FDS is not a small number")
    count = int(text)
    names = environ["LISTEN_FDNAMES"].split(":") if environ.get("LISTEN_FDNAMES") else [MAIN] * count
    if not len(names) == len(set(names)) == count:
        raise SocketUnfit("LISTEN_FDNAMES does not give each a name of its own")
    return [(name, _FIRST + number) for number, name in enumerate(names)]


def _opened(name: str, descriptor: int) -> socket.socket:
    try:
        sock = socket.socket(fileno=descriptor)
    except OSError:
        raise SocketUnfit(f"the one named {name!a} is no socket") from None
    sock.set_inheritable(False)
    listens = sock.type == socket.SOCK_STREAM and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if not listens or sock.family not in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX):
        sock.close()
        raise SocketUnfit(f"the one named {name!a} does not listen; write ListenStream= and Accept=no")
    return sock


def _written(listener: Listener) -> str:
    """What the configuration says, in the words of _bound()."""
    if listener.address.startswith(UNIX):
        return f"{listener.address} with mode {int(listener.socket_mode, 8):04o}"
    ip = ip_address("127.0.0.1" if listener.address.lower() == "localhost" else listener.address)
    return where(str(ip), listener.port or 0)


def _bound(sock: socket.socket, listener: Listener) -> str:
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        path = os.fsdecode(name)
        try:
            mode = stat.S_IMODE(os.stat(path).st_mode) & _PATH_MODE
        except (OSError, ValueError):       # abstract, or gone: nobody's mode keeps strangers out
            return "a Unix socket without a path"
        return f"{UNIX}{path} with mode {mode:04o}"
    ip = ip_address(name[0].partition("%")[0])
    return f"{bracketed(str(ip))}:{name[1] if listener.port else 0}"


class Notify:
    """Tells the service manager how far the service is; NOTIFY_SOCKET says where it listens, if there is one."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if address[:1] in ("/", "@") else None
        if self._socket is not None:
            self._socket.setblocking(False)
        self._every = _watchdog_s(environ) / 2
        self._due = 0.0
        self._stops = False

    def ready(self, places: str) -> None:
        if not self._stops:
            self._tell(f"READY=1\nMAINPID={os.getpid()}\nSTATUS=Serving at {places}")

    def reloading(self) -> None:
        """READY must follow.  Who stops has told its last state."""
        if not self._stops:
            self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self, in_hand: int | None = None) -> None:
        """in_hand: None where somebody else knows it."""
        self._stops = True
        self._tell(f"STOPPING=1\nSTATUS=Finishing {'' if in_hand is None else f'{in_hand} '}requests")

    def alive(self, now: float) -> None:
        """Called again and again by what proves that the loop turns.  now: its time."""
        if self._every and now >= self._due:
            self._due = now + self._every
            self._tell("WATCHDOG=1")

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _tell(self, state: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(state.encode(), self._address)
        except OSError as error:
            log.warning("systemd was not told %s (%s)", state.partition("=")[0], type(error).__name__)


def _watchdog_s(environ: Mapping[str, str]) -> float:
    """0 without a watchdog, or when it is meant for another process."""
    text = environ.get("WATCHDOG_USEC", "")
    meant = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(text) / 1e6 if _is_number(text) and meant else 0.0


def _is_number(text: str) -> bool:
    """Digits, and no more of them than a number of systemd's can have."""
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS

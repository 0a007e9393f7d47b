"""One HTTP exchange with Vault on a kept connection, over before a deadline whatever the other side does.

From any thread, which waits; links.py is the same on the event loop.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from urllib.parse import quote

from proxy.keys.vault.place import Address
from proxy.keys.vault.reading import Malformed, Reading

IDLE_S = 60.0
_IDLE_MOST = 64
_READ = 1 << 16


@dataclass(frozen=True, slots=True)
class Answer:
    """body: at most 1 MiB."""

    status: int
    body: bytes


class Unreachable(Exception):
    """No answer.  stale: on a kept connection before any byte of one.  clause: for a sentence, without values."""

    def __init__(self, clause: str, *, stale: bool = False, late: bool = False) -> None:
        super().__init__(clause)
        self.clause = clause
        self.stale = stale
        self.late = late


NOT_HTTP = "what it answered is not HTTP, or larger than 1 MiB"
BROKE = "the connection broke"
LATE = "it did not answer in time"
LATE_TO_CONNECT = "no connection could be made in time"
NO_NAME = "its name does not resolve"
REFUSED = "the connection was refused or cannot be made"
NOT_TRUSTED = "its TLS certificate is not trusted; name the authority with vault.ca_file or VAULT_CACERT"
NO_TLS = "it does not speak TLS"
STOPPING = "the proxy is stopping"


def target(path: str) -> str:
    """path: without /v1/."""
    return f"/v1/{quote(path, safe='/')}"


def head(authority: str, method: str, target: str, fields: Mapping[str, str]) -> bytes:
    """A request up to its body's length.  authority: of the Host header.  fields: of visible ASCII."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{method} {target} HTTP/1.1\r\nHost: {authority}\r\n{lines}Content-Length: ".encode("ascii")


def whole(head: bytes, body: bytes) -> bytes:
    return b"%b%d\r\n\r\n%b" % (head, len(body), body)


class _Connection:
    def __init__(self, channel: socket.socket) -> None:
        self.channel = channel
        self.used = False
        self.since = 0.0


class Exchanges:
    """Connections to one Vault, each used by one thread at a time."""

    def __init__(self, address: Address, make_context: Callable[[], ssl.SSLContext]) -> None:
        self._address = address
        self._make_context = make_context
        self._context: ssl.SSLContext | None = None
        self._idle: list[_Connection] = []
        self._open: set[_Connection] = set()
        self._lock = Lock()
        self._closed = False

    def ask(self, method: str, target: str, fields: Mapping[str, str], body: bytes, deadline: float) -> Answer:
        """target: percent-encoded.  fields: of visible ASCII.  deadline: monotonic.  Raises Unreachable.

        A kept connection that turns out to be closed is replaced once: Vault cannot have acted on it twice that way
        unless it answered nothing at all, and nothing that is asked here does harm when it is done twice.
        """
        question = whole(head(self._address.authority, method, target, fields), body)
        try:
            return self._ask(self._take(deadline), question, deadline)
        except Unreachable as error:
            if not error.stale:
                raise
        return self._ask(self._dial(deadline), question, deadline)

    def context(self) -> ssl.SSLContext:
        """Made at the first need, from files.  Raises KeyUnusable("key_unreadable")."""
        if self._context is None:
            self._context = self._make_context()
        return self._context

    def close(self) -> None:
        """Ends every exchange: its thread sees a closed connection."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            self._open.difference_update(idle)
            busy = list(self._open)
        for connection in idle:
            connection.channel.close()
        for connection in busy:
            _hang_up(connection.channel)

    def _ask(self, connection: _Connection, question: bytes, deadline: float) -> Answer:
        reading = Reading()
        kept = False
        try:
            connection.channel.settimeout(remaining(deadline))
            connection.channel.sendall(question)
            done = False
            while not done:         # a timeout for each read alone would let a drip of bytes hold a thread for ever
                connection.channel.settimeout(remaining(deadline))
                done = reading.feed(connection.channel.recv(_READ))
            kept = reading.kept
            return Answer(reading.status, reading.body)
        except TimeoutError:
            raise Unreachable(LATE, late=True) from None
        except Malformed:
            raise Unreachable(NOT_HTTP) from None
        except OSError:
            raise Unreachable(BROKE, stale=connection.used and not reading.began) from None
        finally:
            self._give_back(connection, kept=kept)

    def _take(self, deadline: float) -> _Connection:
        now = monotonic()
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                return self._dial(deadline)
            if now - connection.since < IDLE_S:
                return connection
            self._drop(connection)

    def _give_back(self, connection: _Connection, *, kept: bool) -> None:
        connection.used, connection.since = True, monotonic()
        with self._lock:
            if kept and not self._closed and len(self._idle) < _IDLE_MOST:
                self._idle.append(connection)
                return
        self._drop(connection)

    def _drop(self, connection: _Connection) -> None:
        with self._lock:
            self._open.discard(connection)
        connection.channel.close()

    def _dial(self, deadline: float) -> _Connection:
        connection = _Connection(self._connected(deadline))
        with self._lock:
            self._open.add(connection)
            closed = self._closed
        if closed:
            self._drop(connection)
            raise Unreachable(STOPPING)
        return connection

    def _connected(self, deadline: float) -> socket.socket:
        address = self._address
        try:
            channel = socket.create_connection((address.host, address.port), remaining(deadline))
        except TimeoutError:
            raise Unreachable(LATE_TO_CONNECT, late=True) from None
        except socket.gaierror:
            raise Unreachable(NO_NAME) from None
        except OSError:
            raise Unreachable(REFUSED) from None
        channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not address.secure:
            return channel
        try:
            context = self.context()
            channel.settimeout(remaining(deadline))
            return context.wrap_socket(channel, server_hostname=address.host)
        except ssl.SSLCertVerificationError:
            channel.close()
            raise Unreachable(NOT_TRUSTED) from None
        except TimeoutError:
            channel.close()
            raise Unreachable("TLS was not ready in time", late=True) from None
        except OSError:
            channel.close()
            raise Unreachable(NO_TLS) from None
        except BaseException:
            channel.close()
            raise


def remaining(deadline: float) -> float:
    """Seconds that are left until then (monotonic).  Raises TimeoutError when there are none."""
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _hang_up(channel: socket.socket) -> None:
    try:
        channel.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass            # it is closed already

"""The first bytes of a stream that has to become TLS: a tunnel that is intercepted, a listener that speaks TLS.

    first byte is no TLS record      refused in clear, because that is what the peer speaks
    handshake done                   the connection that make() gives takes over
    handshake failed, late, cut      failed() learns why; the peer has got its alert
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, cast

from proxy.wire.room import Stay
from proxy.wire.tls import Tls

if TYPE_CHECKING:
    from proxy.wire.connection import Connection
    from proxy.wire.server import Server

Failure = Literal["untrusted", "plain_http", "protocol", "no_client_certificate", "closed", "timeout", "no_room",
                  "other"]

_HANDSHAKE_RECORD = 0x16
_GIVE_UP = 1.0
_FAILURES: dict[str, Failure] = {
    # Alerts of a peer that does not accept our certificate (RFC 8446 section 6.2).
    "TLSV1_ALERT_UNKNOWN_CA": "untrusted", "SSLV3_ALERT_BAD_CERTIFICATE": "untrusted",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "untrusted", "SSLV3_ALERT_CERTIFICATE_EXPIRED": "untrusted",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "untrusted", "TLSV1_ALERT_ACCESS_DENIED": "untrusted",
    # What our side does not accept of the peer.
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "no_client_certificate", "CERTIFICATE_VERIFY_FAILED": "no_client_certificate",
    "UNSUPPORTED_PROTOCOL": "protocol", "NO_SHARED_CIPHER": "protocol", "WRONG_VERSION_NUMBER": "protocol",
    "NO_APPLICATION_PROTOCOL": "protocol", "TLSV1_ALERT_PROTOCOL_VERSION": "protocol",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "protocol", "NO_SUITABLE_SIGNATURE_ALGORITHM": "protocol",
}


class Entry(asyncio.Protocol):
    """One such stream until it is up.  It counts among the server's connections and has a deadline like any of them."""

    idle = False

    def __init__(self, server: Server, context: ssl.SSLContext, make: Callable[[ssl.SSLObject], asyncio.Protocol], *,
                 failed: Callable[[Entry, Failure], bytes], outer: Connection | None = None) -> None:
        """make: what takes over; failed: told once at most, gives the bytes for a peer that speaks no TLS.  outer: the
        connection whose stream this was, in whose place it comes."""
        self._server = server
        self._context = context
        self._make = make
        self._failed = failed
        self._tls: Tls | None = None
        self._over = False
        self._outer = outer is not None
        self.peer = outer.peer if outer is not None else ""
        self.deadline = server.now() + server.timeouts.handshake

    # --- a protocol, first of the bytes, then of what Tls makes of them

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._tls is not None:
            self._arrive(self._tls)
            return
        self.transport = cast(asyncio.Transport, transport)
        if not self.peer:
            peer = transport.get_extra_info("peername")
            self.peer = str(peer[0]) if isinstance(peer, tuple) else "local"
        if not self._server.register(self, heir=self._outer):
            self._over = True
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._over:
            return
        if data[0] != _HANDSHAKE_RECORD:
            self._refuse_plain()
            return
        self._tls = Tls(self._context, self, failed=self._handshake_failed)
        self.transport.set_protocol(self._tls)
        self._tls.connection_made(self.transport)
        self._tls.data_received(data)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.unregister(self)

    def pause_writing(self) -> None:
        """A peer that does not read is left to the deadline."""

    def resume_writing(self) -> None: ...

    # --- the ways out

    def _arrive(self, tls: Tls) -> None:
        self._over = True
        self._server.unregister(self)
        inner = self._make(tls.get_extra_info("ssl_object"))
        tls.set_protocol(inner)
        inner.connection_made(tls)

    def _handshake_failed(self, error: Exception) -> None:
        self._server.unregister(self)
        self._fail(_failure_of(error))

    def _refuse_plain(self) -> None:
        answer = self._fail("plain_http")
        if answer and not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.write_eof()
        self.deadline = self._server.now() + _GIVE_UP

    def _fail(self, failure: Failure) -> bytes:
        if self._over:
            return b""
        self._over = True
        return self._failed(self, failure)

    def expired(self) -> None:
        """The deadline passed."""
        self._fail("timeout")
        self.abort()

    @property
    def stay(self) -> Stay | None:
        if self._over:
            return None
        return Stay("handshake", self.deadline - self._server.timeouts.handshake)

    def make_room(self, reason: str) -> bool:
        self._fail("no_room")
        self.abort()
        return True

    def close(self) -> None:
        self.transport.close()

    def abort(self) -> None:
        self.transport.abort()


def _failure_of(error: BaseException) -> Failure:
    if isinstance(error, ssl.SSLError):
        return _FAILURES.get(error.reason or "", "other")
    return "closed"

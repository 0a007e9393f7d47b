"""A tunnel to a bank's host ends here: TLS with a certificate of our own authority, and the requests inside are sealed.

The bank's http port is served in clear: some clients open a tunnel for http:// too, and http://bank is https all the
same.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from functools import partial

from proxy.errors import KeyUnusable, Refused
from proxy.serve.entrance import ToBank
from proxy.serve.inside import Inside, Tunnelled
from proxy.serve.problems import in_clear
from proxy.serve.telemetry import Telemetry
from proxy.wire.connection import Connection
from proxy.wire.entry import Entry, Failure

log = logging.getLogger(__name__)

_WHY: dict[Failure, str] = {
    "untrusted": "it does not trust the certificate authority; let 'signing-proxy ca env' or 'exec' tell it where the "
                 "CA is (docs/interception.md)",
    "closed": "it closed the connection without saying why, as clients do that do not trust the certificate authority; "
              "see 'signing-proxy ca env' (docs/interception.md)",
    "protocol": "it offers no TLS version, cipher or protocol in common; TLS 1.2 or newer with HTTP/1.1 is needed",
    "plain_http": "it does not speak TLS in the tunnel",
    "timeout": "it took too long; raise timeouts.handshake if the network is that slow",
    "no_room": "connections were short, and it had taken longest; raise limits.connections or find who holds them",
    "other": "the bytes are no TLS handshake, or were changed on the way",
}


class Interception:
    """contexts: gives the TLS context for a bank's host, None when there is no certificate authority."""

    def __init__(self, contexts: Callable[[str], ssl.SSLContext] | None, telemetry: Telemetry) -> None:
        self._contexts = contexts
        self._telemetry = telemetry

    def opening(self, connection: Connection, to: ToBank) -> Opening:
        """Raises Refused: interception_off, ca_unusable."""
        return Opening(self, connection, to, self._context(to) if to.secure else None)

    def _context(self, to: ToBank) -> ssl.SSLContext:
        if self._contexts is None:
            raise Refused("interception_off")
        try:
            return self._contexts(to.destination.host)
        except KeyError:
            raise Refused("interception_off", "the certificate authority is not for this host") from None
        except KeyUnusable as error:
            raise Refused(error.code, error.detail) from error

    def counted(self, listener: str, outcome: str) -> None:
        self._telemetry.handshakes.add((listener, outcome))


class Opening:
    """One CONNECT to a bank, in hand until the tunnel's inside takes over."""

    def __init__(self, interception: Interception, connection: Connection, to: ToBank,
                 context: ssl.SSLContext | None) -> None:
        self._interception = interception
        self._connection = connection
        self._to = to
        self._context = context

    def begin(self) -> None:
        connection, context = self._connection, self._context
        if context is None:
            connection.become(self._inner(None))
        else:
            connection.become(Entry(connection.server, context, self._arrived, failed=self._failed, outer=connection))

    def _arrived(self, tls: ssl.SSLObject) -> Connection:
        self._interception.counted(self._connection.listener, "ok")
        return self._inner(getattr(tls, "asked", None))

    def _inner(self, asked: str | None) -> Connection:
        outer, to = self._connection, self._to
        inside = Tunnelled(to.destination, to.port, secure=to.secure, presented=to.presented, asked=asked,
                           outer=outer.inside if isinstance(outer.inside, Inside) else None,
                           unused=partial(_unused, outer.peer, to.destination.host))
        return Connection(outer.server, outer.listener, inside, outer)

    def _failed(self, entry: Entry, failure: Failure) -> bytes:
        self._interception.counted(self._connection.listener, failure)
        log.warning("client %s: no TLS in its tunnel to %s: %s", entry.peer, self._to.destination.host,
                    _WHY.get(failure, _WHY["other"]))
        return in_clear(Refused("tls_expected")) if failure == "plain_http" else b""

    # --- nothing waits between admission and the end of the CONNECT

    def gone(self) -> None: ...
    def half_closed(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


def _unused(peer: str, host: str) -> None:
    log.info("client %s: its tunnel to %s ended without a request, as with clients that look at our certificate only "
             "after the handshake; if it should have sent one, see 'signing-proxy ca env'", peer, host)

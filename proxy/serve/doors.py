"""A listener that speaks TLS itself, and the names it knows its clients by."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping

from proxy.errors import Refused
from proxy.serve.inside import Inside
from proxy.serve.problems import in_clear
from proxy.serve.telemetry import Telemetry
from proxy.wire.connection import Connection
from proxy.wire.entry import Entry, Failure
from proxy.wire.server import Server

log = logging.getLogger(__name__)

_WHY: dict[Failure, str] = {
    "untrusted": "it does not trust this listener's certificate; give it the authority that signed certificate_file",
    "no_client_certificate": "it gave no certificate that client_ca_file has signed; configure one in the client",
    "protocol": "it offers no TLS version, cipher or protocol in common; TLS 1.2 or newer with HTTP/1.1 is needed",
    "plain_http": "it does not speak TLS; write https:// in its URL of the proxy",
    "closed": "it closed the connection without saying why",
    "timeout": "it took too long; raise timeouts.handshake if the network is that slow",
    "no_room": "connections were short, and it had taken longest; raise limits.connections or find who holds them",
    "other": "the bytes are no TLS handshake, or were changed on the way",
}


class TlsDoor:
    """Accepts on one listener.  context: for the next caller; a reload puts another in its place.  authorities: what
    that one checks clients' certificates against."""

    def __init__(self, context: ssl.SSLContext, telemetry: Telemetry, authorities: bytes = b"") -> None:
        self.context = context
        self.authorities = authorities
        self._telemetry = telemetry
        self._server: Server | None = None

    def accept(self, server: Server, listener: str) -> Entry:
        """As wire.server.Accept."""
        self._server = server
        authorities = self.authorities

        def arrived(tls: ssl.SSLObject) -> Connection:
            self._telemetry.handshakes.add((listener, "ok"))
            return Connection(server, listener, Inside(certificate_names(tls.getpeercert() or {}),
                                                          lambda: self.authorities == authorities))

        def failed(entry: Entry, failure: Failure) -> bytes:
            self._telemetry.handshakes.add((listener, failure))
            log.warning("client %s: no TLS on listener %s: %s", entry.peer, listener, _WHY[failure])
            return in_clear(Refused("listener_speaks_tls")) if failure == "plain_http" else b""

        return Entry(server, self.context, arrived, failed=failed)

    def part(self) -> None:
        """Ends the idle connections of those whose certificates other authorities have vouched for; the others end with
        their next request."""
        for connection in list(self._server.connections) if self._server is not None else ():
            inside = getattr(connection, "inside", None)
            if isinstance(inside, Inside) and connection.idle and not inside.known():
                connection.close()


def certificate_names(certificate: Mapping[str, object]) -> tuple[str, ...]:
    """certificate: as SSLObject.getpeercert() gives it.  URIs, then DNS names; the common name only where there is none
    of them, as many authorities let whoever asks choose it (RFC 9525 section 2)."""
    found = [(kind, value) for kind, value in _pairs(certificate.get("subjectAltName")) if kind in ("URI", "DNS")]
    subject = certificate.get("subject")
    for part in subject if isinstance(subject, tuple) and not found else ():
        found += [pair for pair in _pairs(part) if pair[0] == "commonName"]
    return tuple(dict.fromkeys(value for _, value in sorted(found, key=lambda pair: pair[0] != "URI")))


def _pairs(value: object) -> list[tuple[str, str]]:
    return [(str(one), str(other)) for one, other in value] if isinstance(value, tuple) else []

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
    """Accepts on one listener.  context: for the next caller; a reload puts another in its place."""

    def __init__(self, context: ssl.SSLContext, telemetry: Telemetry) -> None:
        self.context = context
        self._telemetry = telemetry

    def accept(self, server: Server, listener: str) -> Entry:
        """As wire.server.Accept."""
        def arrived(tls: ssl.SSLObject) -> Connection:
            self._telemetry.handshakes.add((listener, "ok"))
            return Connection(server, listener, Inside(certificate_names(tls.getpeercert() or {})))

        def failed(entry: Entry, failure: Failure) -> bytes:
            self._telemetry.handshakes.add((listener, failure))
            log.warning("client %s: no TLS on listener %s: %s", entry.peer, listener, _WHY[failure])
            return in_clear(Refused("listener_speaks_tls")) if failure == "plain_http" else b""

        return Entry(server, self.context, arrived, failed=failed)


def certificate_names(certificate: Mapping[str, object]) -> tuple[str, ...]:
    """certificate: as SSLObject.getpeercert() gives it.  URIs and DNS names first, then the common name."""
    found = [(kind, value) for kind, value in _pairs(certificate.get("subjectAltName")) if kind in ("URI", "DNS")]
    subject = certificate.get("subject")
    for part in subject if isinstance(subject, tuple) else ():
        found += [pair for pair in _pairs(part) if pair[0] == "commonName"]
    order = ("URI", "DNS", "commonName")
    return tuple(dict.fromkeys(value for _, value in sorted(found, key=lambda pair: order.index(pair[0]))))


def _pairs(value: object) -> list[tuple[str, str]]:
    return [(str(one), str(other)) for one, other in value] if isinstance(value, tuple) else []

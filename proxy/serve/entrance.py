"""One listener: who may speak to it, and where a request in each of the three forms is meant to go.

    GET /path                    to the proxy itself: by prefix                                  RFC 9112 section 3.2.1
    GET http://bank/path         to a bank by its own URL: by host, then prefix; https all the same      section 3.2.2
    CONNECT bank:443             a tunnel that ends here; requests inside are judged as the above        section 3.2.3
    either of the last two to a host that is no bank's: what the operator's policy says, never signed
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from proxy.core.destinations import Destination, DestinationPolicy, Verdict, read_authority
from proxy.core.hosts import HostTable
from proxy.core.message import Request
from proxy.core.routing import RouteTable
from proxy.core.secret import Secret
from proxy.core.target import origin_form, path_of
from proxy.errors import Refused
from proxy.serve.gate import Gate
from proxy.serve.inside import DEFAULT_PORTS, Tunnelled, clients_of
from proxy.serve.route import Route
from proxy.wire.connection import Connection


class ToBank(NamedTuple):
    """A CONNECT to a bank's host.  port: its TLS port.  secure: whether TLS is spoken in the tunnel.  presented: the
    caller's credentials."""

    destination: Destination
    port: int
    secure: bool
    presented: Secret


class Elsewhere(NamedTuple):
    """A destination that is none of the banks, and that the policy lets pass."""

    destination: Destination
    verdict: Verdict


class Entrance:
    """gate: filled in once the listener's own address is known.  is_own: whether a destination is this proxy itself.
    banks: hosts of all listeners' routes, which are never called unsigned."""

    __slots__ = ("_banks", "_hosts", "_is_own", "_policy", "_routes", "gate")

    def __init__(self, routes: RouteTable[Route], policy: DestinationPolicy, *, banks: frozenset[str],
                 is_own: Callable[[Destination], bool]) -> None:
        self._banks = banks
        self.gate = Gate((), tokens=tuple)      # nobody, until the listener is open
        self._routes = routes
        self._hosts = HostTable(routes)
        self._policy = policy
        self._is_own = is_own

    def route(self, connection: Connection, request: Request) -> Route | Elsewhere:
        """Of a request that is not CONNECT; its target is changed to what a caller of the reverse proxy would write.

        Raises Refused.
        """
        inside = connection.inside
        clients = clients_of(connection) if inside is not None else ()
        if isinstance(inside, Tunnelled):
            inside.check(request)
            self.gate.recheck(request, inside.presented)
            return self._at_bank(inside.host, inside.port, request)
        if request.scheme:
            return self._absolute(request, clients)
        self.gate.check(request, connection.local, clients)
        return self.find(request)

    def find(self, request: Request) -> Route:
        """The route of a request that is written as a caller of the reverse proxy would.  Raises Refused."""
        target = request.target = origin_form(request.target)
        return self._routes.find(path_of(target))

    def _absolute(self, request: Request, clients: tuple[str, ...]) -> Route | Elsewhere:
        self.gate.check_forward(request, clients)
        destination = read_authority(request.authority, default_port=DEFAULT_PORTS[request.scheme])
        if destination.host not in self._hosts:
            elsewhere = self._elsewhere(destination)
            if request.scheme != b"http":
                raise Refused("destination_denied", "https is passed on through CONNECT only")
            return elsewhere
        port = self._hosts.port(destination, clear=request.scheme == b"http")
        if port is None:
            raise Refused("bad_authority", "no route leads to this port of the bank")
        return self._at_bank(destination.host, port, request)

    def _at_bank(self, host: str, port: int, request: Request) -> Route:
        route, request.target = self._hosts.find(host, port, origin_form(request.target))
        return route

    def connect(self, connection: Connection, request: Request) -> ToBank | Elsewhere:
        """Raises Refused."""
        inside = connection.inside
        if isinstance(inside, Tunnelled):
            raise Refused("method_not_supported", "a tunnel inside a tunnel")
        presented = self.gate.check_forward(request, clients_of(connection))
        destination = read_authority(request.target, default_port=None)
        if destination.host not in self._hosts:
            return self._elsewhere(destination)
        port = self._hosts.port(destination, clear=True)
        if port is None:
            raise Refused("destination_denied", "no route leads to this port of the bank")
        return ToBank(destination, port, secure=port == destination.port, presented=presented)

    def _elsewhere(self, destination: Destination) -> Elsewhere:
        if self._is_own(destination):
            raise Refused("self_connect")
        if destination.host in self._banks:
            raise Refused("destination_denied", "it is a bank, and no route of this listener leads to it")
        verdict = self._policy.judge(destination)
        if verdict.policy == "deny":
            raise Refused("destination_denied")
        return Elsewhere(destination, verdict)

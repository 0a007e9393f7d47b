"""Which bank a caller means by the URL's own host, when it uses the proxy as a forward proxy.

A caller of the reverse proxy writes prefix + path and the proxy puts the upstream's base before it; a caller of the
forward proxy writes the bank's own URL, base included.  Here the second is turned into the first, so that allow lists
and signing see one kind of target.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, NamedTuple, Protocol, TypeVar

from proxy.core.destinations import Destination
from proxy.core.routing import RouteTable
from proxy.core.target import path_of
from proxy.errors import Refused

_HTTP = 80
_HTTPS = 443


class AtBank(Protocol):
    """A route.  host, port: as in the bank's own URLs.  base: of its upstream, "" or without a trailing slash."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def base(self) -> bytes: ...
    @property
    def prefix(self) -> bytes: ...
    @property
    def strip(self) -> bytes: ...


R = TypeVar("R", bound=AtBank)


class _Place(NamedTuple, Generic[R]):
    """prefix: of paths at the bank.  routes: whose they are; more than one is no answer."""

    prefix: bytes
    routes: list[R]


class HostTable(Generic[R]):
    """The bank hosts of one listener's routes."""

    __slots__ = ("_tables",)

    def __init__(self, routes: Iterable[R]) -> None:
        places: dict[str, dict[int, dict[bytes, _Place[R]]]] = {}
        for route in routes:
            prefix = route.base + (b"/" if route.strip else route.prefix)
            at = places.setdefault(route.host, {}).setdefault(route.port, {})
            at.setdefault(prefix, _Place(prefix, [])).routes.append(route)
        self._tables = {host: {port: RouteTable(at.values()) for port, at in ports.items()}
                        for host, ports in places.items()}

    def __contains__(self, host: str) -> bool:
        """host: as in Destination."""
        return host in self._tables

    def port(self, destination: Destination, *, clear: bool) -> int | None:
        """The bank's TLS port that is meant.  clear: the URL says http, which for a bank means https all the same.

        None: no route has this port.
        """
        ports = self._tables[destination.host]
        meant = _HTTPS if clear and destination.port == _HTTP else destination.port
        return meant if meant in ports else None

    def find(self, host: str, port: int, target: bytes) -> tuple[R, bytes]:
        """target: in origin-form as at the bank.  -> route, target as a caller of the reverse proxy would write it.

        Raises Refused: route_unknown, route_ambiguous, bad_target.
        """
        routes = self._tables[host][port].find(path_of(target)).routes
        if len(routes) > 1:
            raise Refused("route_ambiguous", "routes " + " and ".join(sorted(name_of(route) for route in routes)))
        (route,) = routes
        return route, route.strip + target[len(route.base):]


def name_of(route: AtBank) -> str:
    return str(getattr(route, "name", "?"))

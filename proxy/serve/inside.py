"""What is known of a connection that lives inside another one: a TLS listener's, or a tunnel to a bank's host."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from proxy.core.destinations import Destination, read_authority
from proxy.core.exchange import Form
from proxy.core.message import Request
from proxy.core.secret import Secret
from proxy.errors import Refused
from proxy.serve.gate import refuse_pages
from proxy.wire.application import Caller

DEFAULT_PORTS = {b"http": 80, b"https": 443}


class Inside:
    """clients: names in the client's certificate, the most telling first.  known: whether the authorities that count
    now are those that its certificate was checked against.  form: how requests in it were asked for."""

    form: Form = ""

    __slots__ = ("clients", "known")

    def __init__(self, clients: tuple[str, ...] = (), known: Callable[[], bool] = lambda: True) -> None:
        self.clients = clients
        self.known = known

    def over(self, requests: int) -> None:
        """The connection has ended.  requests: that came in it."""


class Tunnelled(Inside):
    """A tunnel that CONNECT opened to a bank and that ends here.

    host: as in Destination.  port: the bank's TLS port.
    """

    form: Form = "connect"

    __slots__ = ("_names", "_other_name", "_scheme", "_unused", "host", "port", "presented")

    def __init__(self, destination: Destination, port: int, *, secure: bool, presented: Secret,
                 asked: str | None = None, outer: Inside | None = None,
                 unused: Callable[[], None] = lambda: None) -> None:
        """destination: what CONNECT said.  secure: False where it is the bank's http port, so that http is spoken.
        presented: the credentials of its CONNECT.  asked: the TLS server name (RFC 6066 section 3), None for none.
        outer: what is known of the connection that it was asked for on.  unused: called when it ends without a request.
        """
        super().__init__(*((outer.clients, outer.known) if outer is not None else ()))
        self._unused = unused
        self.presented = presented
        self.host, self.port = destination.host, port
        self._names = _names(destination)
        self._scheme = b"https" if secure else b"http"
        self._other_name = asked is not None and asked.lower().removesuffix(".") != self.host

    def over(self, requests: int) -> None:
        if not requests:
            self._unused()

    def check(self, request: Request) -> None:
        """Raises Refused: authority_mismatch, browser_origin."""
        if request.authority.lower() not in self._names or request.scheme not in (b"", self._scheme):
            raise Refused("authority_mismatch")
        if self._other_name:
            raise Refused("authority_mismatch", "the TLS server name is another one")
        refuse_pages(request)


@lru_cache(maxsize=64)
def _names(destination: Destination) -> frozenset[bytes]:
    """Host values inside a tunnel to it; only banks' hosts come here."""
    name = bracketed(destination.host)
    return frozenset(text.encode() for text in (name, f"{name}:{destination.port}", f"{name}."))


def bracketed(host: str) -> str:
    """As it stands in a URI or a Host header (RFC 3986 section 3.2.2)."""
    return f"[{host}]" if ":" in host else host


def clients_of(connection: Caller) -> tuple[str, ...]:
    """The names in the client's certificate.  Raises Refused("client_not_allowed")."""
    inside = connection.inside
    if not isinstance(inside, Inside):
        return ()
    if not inside.known():
        refused = Refused("client_not_allowed", "client_ca_file has changed since it connected; connect again")
        refused.last = True
        raise refused
    return inside.clients


def form_of(connection: Caller, request: Request) -> Form:
    """By which of the three ways a request came, or that the inspector sends it again."""
    inside = connection.inside
    if isinstance(inside, Inside) and inside.form:
        return inside.form
    if request.method == b"CONNECT":
        return "connect"
    return "absolute" if request.scheme else ""


def client_name(connection: Caller) -> str:
    """The first name in the client's certificate, "" without one."""
    inside = connection.inside
    return inside.clients[0] if isinstance(inside, Inside) and inside.clients else ""


def destination_of(request: Request | None) -> str:
    """host:port that a request through the proxy is meant for, "" where it names none."""
    if request is None:
        return ""
    try:
        if request.method == b"CONNECT":
            return str(read_authority(request.target, default_port=None))
        if request.scheme:
            return str(read_authority(request.authority, default_port=DEFAULT_PORTS[request.scheme]))
    except Refused:
        pass
    return ""

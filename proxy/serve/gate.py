"""Which callers may speak to a listener at all, before anything of their request is looked at further.

Signing for whoever reaches the port would make the proxy an oracle.  A web page can reach a loopback port through its
visitor's browser: browsers name themselves by Origin and Sec-Fetch-Site, and DNS rebinding shows in Host.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Callable, Iterable, Sequence

from proxy.core.message import Request
from proxy.core.secret import Secret
from proxy.errors import Refused

_OWN = frozenset((b"none", b"same-origin"))
"""Of the values of Sec-Fetch-Site, those that no foreign page can cause (W3C Fetch Metadata section 2.3)."""
_LOOPBACK_NAMES = (b"localhost", b"127.0.0.1", b"[::1]")


def own_names(address: str, port: int, *, loopback: bool) -> frozenset[bytes]:
    """Host values by which a listener may be addressed.  address: numeric.  loopback: whether it is one."""
    literal = f"[{address}]" if ":" in address else address
    names = {literal.encode(), *(_LOOPBACK_NAMES if loopback else ())}
    return frozenset(names | {b"%b:%d" % (name, port) for name in names})


_NOTHING = Secret(b"")


class Gate:
    """One listener's rule.  tokens: gives those one of which callers must present, None for nothing; asked each time.

    names: exact Host values, lower case; None for any, where no browser can come in.  any_literal: also accept the
    numeric address the connection came in on, which is how a kubelet or Prometheus addresses a pod.  clients: names of
    client certificates that may call; empty: any that the listener's authority has signed.
    """

    __slots__ = ("_any_literal", "_clients", "_names", "_tokens")

    def __init__(self, names: Iterable[bytes] | None, *, tokens: Callable[[], Sequence[Secret] | None] | None = None,
                 any_literal: bool = False, clients: Iterable[str] = ()) -> None:
        self._names = frozenset(name.lower() for name in names) if names is not None else None
        self._tokens = tokens
        self._any_literal = any_literal
        self._clients = frozenset(clients)

    def check(self, request: Request, local: tuple[str, int] | None = None, clients: Iterable[str] = (), *,
              own_page: bool = False) -> None:
        """A request to the listener itself.  local: the connection's own address and port.  clients: the names in the
        client's certificate.  own_page: it may come from a page that this very listener has served.

        Raises Refused: host_not_allowed, browser_origin, client_not_allowed, client_unauthenticated.
        """
        host = request.authority.lower()
        if self._names is not None and host not in self._names and not (
                self._any_literal and local and host in own_names(*local, loopback=False)):
            raise Refused("host_not_allowed")
        own = b"http://" + host if own_page else None
        _, request.token = self._authenticate(refuse_pages(request, own), clients, "client_unauthenticated")

    def check_forward(self, request: Request, clients: Iterable[str] = ()) -> Secret:
        """A request through the listener to another host, by an absolute-form target or CONNECT.

        -> what was presented, for recheck().
        Raises Refused: browser_origin, client_not_allowed, proxy_authentication_required.
        """
        presented, request.token = self._authenticate(refuse_pages(request), clients, "proxy_authentication_required")
        return presented

    def recheck(self, request: Request, presented: Secret) -> None:
        """A request in a tunnel, which carries the right of its CONNECT for as long as that token counts.

        Raises Refused("client_unauthenticated").
        """
        request.token = self._require(presented, "client_unauthenticated")

    def _authenticate(self, credentials: bytes | None, clients: Iterable[str], refusal: str) -> tuple[Secret, int]:
        """-> what was presented, and the number of the token that it is, 0 where none is asked for."""
        if self._clients and self._clients.isdisjoint(clients):
            raise Refused("client_not_allowed")
        presented = Secret(_token(credentials)) if credentials is not None else _NOTHING
        return presented, self._require(presented, refusal)

    def _require(self, secret: Secret, refusal: str) -> int:
        tokens = self._tokens() if self._tokens is not None else None
        if tokens is None:
            return 0
        presented = secret.reveal()
        fitting = [number for number, token in enumerate(tokens, 1) if token.matches(presented)]
        if not fitting:                         # each has been compared, whichever fits
            raise Refused(refusal)
        return fitting[0]


def refuse_pages(request: Request, own: bytes | None = None) -> bytes | None:
    """-> the value of Proxy-Authorization.  own: the one origin that may, if any.

    Raises Refused("browser_origin") for what a web page has caused.
    """
    credentials = None
    for name, _, value in request.fields:
        if (name == b"origin" and value.lower() != own) or (name == b"sec-fetch-site" and value.lower() not in _OWN):
            raise Refused("browser_origin")
        if name == b"proxy-authorization":
            credentials = value
    return credentials


def _token(credentials: bytes) -> bytes:
    """What Bearer (RFC 6750) carries, or Basic (RFC 7617) as the password; the user's name is free.  b"" for none."""
    scheme, _, value = credentials.partition(b" ")
    value = value.strip(b" ")
    if scheme.lower() == b"bearer":
        return value
    if scheme.lower() != b"basic":
        return b""
    try:
        return b64decode(value, validate=True).partition(b":")[2]
    except binascii.Error:
        return b""

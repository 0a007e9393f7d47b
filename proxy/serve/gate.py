"""Which callers may speak to a listener at all, before anything of their request is looked at further.

Signing for whoever reaches the port would make the proxy an oracle.  A web page can reach a loopback port through its
visitor's browser: browsers name themselves by Origin and Sec-Fetch-Site, and DNS rebinding shows in Host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from proxy.core.message import Request
from proxy.core.secret import Secret
from proxy.errors import Refused

_FOREIGN = frozenset((b"cross-site", b"same-site"))
_LOOPBACK_NAMES = (b"localhost", b"127.0.0.1", b"[::1]")


def own_names(address: str, port: int, *, loopback: bool) -> frozenset[bytes]:
    """Host values by which a listener may be addressed.  address: numeric.  loopback: whether it is one."""
    literal = f"[{address}]" if ":" in address else address
    names = {literal.encode(), *(_LOOPBACK_NAMES if loopback else ())}
    return frozenset(names | {b"%b:%d" % (name, port) for name in names})


class Gate:
    """One listener's rule.  token: gives what callers must present, None for nothing; asked at each request.

    names: exact Host values, lower case.  any_literal: also accept the numeric address the connection came in on,
    which is how a kubelet or Prometheus addresses a pod.
    """

    __slots__ = ("_any_literal", "_names", "_token")

    def __init__(self, names: Iterable[bytes], *, token: Callable[[], Secret | None] | None = None,
                 any_literal: bool = False) -> None:
        self._names = frozenset(name.lower() for name in names)
        self._token = token
        self._any_literal = any_literal

    def check(self, request: Request, local: tuple[str, int] | None = None) -> None:
        """local: the connection's own address and port.

        Raises Refused: host_not_allowed, browser_origin, client_unauthenticated.
        """
        host = request.authority.lower()
        if host not in self._names and not (self._any_literal and local and host in own_names(*local, loopback=False)):
            raise Refused("host_not_allowed")
        credentials = None
        for name, _, value in request.fields:
            if name == b"origin" or (name == b"sec-fetch-site" and value.lower() in _FOREIGN):
                raise Refused("browser_origin")
            if name == b"proxy-authorization":
                credentials = value
        token = self._token() if self._token is not None else None
        if token is not None:
            self._authenticate(token, credentials)

    @staticmethod
    def _authenticate(token: Secret, credentials: bytes | None) -> None:
        scheme, _, presented = (credentials or b"").partition(b" ")
        if scheme.lower() != b"bearer" or not token.matches(presented.strip(b" ")):
            raise Refused("client_unauthenticated")

"""A request target is sent and signed byte for byte, but for a lone trailing "?", or is refused as bad_target; and
what is let through has one reading: no dot segment, no "//", no raw control byte.
"""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from proxy.core.exchange import path_in_full, path_template
from proxy.core.routing import Access, RouteTable
from proxy.core.target import has_encoded_slash, join_base, origin_form, other_reading, path_of
from proxy.errors import Refused

TOKENS = (
    b"//",
    b"/./",
    b"/../",
    b"%2e",
    b"%252e",
    b"%2f",
    b"%5c",
    b"%0d%0a",
    b"?",
    b"#",
    b"*",
    b"\\",
    b";",
    b"%zz",
    b"%",
    b"/corporate",
    b"/personal/v5/accounts",
    b"..;a",
)
LARGEST = 2048


class _Route:
    def __init__(self, prefix: bytes) -> None:
        self.prefix = prefix


_TABLE = RouteTable([_Route(b"/"), _Route(b"/corporate"), _Route(b"/corporate/premium")])
_ACCESS = Access(("GET /personal/**", "/corporate/*/accounts/*"))


def check(data: bytes) -> None:
    try:
        target = origin_form(data)
    except Refused as refused:
        assert refused.code == "bad_target" and refused.detail
        return
    assert target == data or (target + b"?" == data and b"?" not in target)
    assert origin_form(target) == target
    assert target.startswith(b"/") and target.isascii() and b"#" not in target and b"\\" not in target
    path = path_of(target)
    assert join_base(b"/eidas", target).startswith(b"/eidas/") and b"//" not in path
    for segment in path.split(b"/"):
        assert unquote_to_bytes(segment.partition(b";")[0]) not in (b".", b"..")
    _routed(path)


def _routed(path: bytes) -> None:
    """A path with escapes goes where the laxest reader would send it too, or nowhere."""
    assert path_template(path) and path_in_full(path)
    try:
        route = _TABLE.find(path)
        if b"%" in path or b";" in path:
            assert _TABLE.find(other_reading(path)) is route
        _ACCESS.check(b"GET", path)
        assert not has_encoded_slash(path)
    except Refused as refused:
        assert refused.code in ("bad_target", "route_denied", "route_unknown")

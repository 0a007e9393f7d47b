"""Which route a request takes, and whether that route lets it pass: the one place that judges method and path."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, Protocol, TypeVar

from proxy.core.glob import Glob
from proxy.core.target import has_encoded_slash, other_reading
from proxy.errors import Refused

METHODS = frozenset((b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"))
"""Methods that are ever signed.  TRACE would echo the injected secrets; CONNECT is not a request to the bank."""

_STARS = re.compile(r"\*\*|\*")
_RULE = re.compile(r"(?:(?P<methods>[A-Za-z]+(?:,[A-Za-z]+)*) +)?(?P<path>/\S*)")


class Rule:
    """One line of an allow list: "GET,POST /personal/v5/accounts/*".

    "*" stands for one or more bytes within a segment, "**" for anything, slashes included.  No methods: all of them.
    """

    __slots__ = ("_fits", "_fits_reading", "methods", "text")

    def __init__(self, text: str) -> None:
        """Raises ValueError with a sentence when text is not a rule."""
        match = _RULE.fullmatch(text.strip())
        if match is None:
            raise ValueError("an allow rule reads 'GET,POST /path/*' or '/path/**'")
        methods = match["methods"]
        self.methods = frozenset(m.upper().encode() for m in methods.split(",")) if methods else METHODS
        if match["path"].count("**") > 1:
            raise ValueError("an allow rule has at most one '**'")
        unknown = self.methods - METHODS
        if unknown:
            raise ValueError(f"{sorted(unknown)[0].decode()} is not a method that is signed")
        self.text = text
        path = match["path"].encode()
        self._fits, self._fits_reading = _matcher(path), _matcher(other_reading(path))

    def allows(self, method: bytes, path: bytes) -> bool:
        return method in self.methods and bool(self._fits(path))

    def allows_reading(self, method: bytes, reading: bytes) -> bool:
        """reading: as other_reading() gives it of a path."""
        return method in self.methods and bool(self._fits_reading(reading))


def _matcher(path: bytes) -> Callable[[bytes], object]:
    """A regular expression is quicker, and linear where no segment has two stars."""
    text = path.decode("latin-1")
    if all(len(_STARS.findall(segment)) <= 1 for segment in text.split("/")):
        return re.compile(_glob(text).encode("latin-1")).fullmatch
    return Glob(path).fits


def _glob(path: str) -> str:
    parts = re.split(f"({_STARS.pattern})", path)
    return "".join({"**": ".*", "*": "[^/]+"}.get(part, re.escape(part)) for part in parts)


class Access:
    """A route's allow list; an empty one allows every signed method on every path."""

    __slots__ = ("_encoded_slash", "_rules")

    def __init__(self, rules: Iterable[str] = (), *, allow_encoded_slash: bool = False) -> None:
        self._rules = tuple(Rule(text) for text in rules)
        self._encoded_slash = allow_encoded_slash

    def check(self, method: bytes, path: bytes) -> None:
        """path: without query.  Raises Refused."""
        if not self._rules:
            return
        if not self._encoded_slash and has_encoded_slash(path):
            raise Refused("bad_target", "an encoded slash ('%2f') could slip past the route's allow list; "
                                        "set allow_encoded_slash to send it")
        if not any(rule.allows(method, path) for rule in self._rules):
            raise Refused("route_denied", self._nearly(method, path))
        if (b"%" in path or b";" in path) and not self._encoded_slash:
            self._check_reading(method, other_reading(path))

    def _check_reading(self, method: bytes, reading: bytes) -> None:
        if not any(rule.allows_reading(method, reading) for rule in self._rules):
            raise Refused("bad_target", "an escape or ';' in the path hides another path, which no rule lets pass")

    def _nearly(self, method: bytes, path: bytes) -> str:
        """What a reader of the list may have overlooked, or nothing."""
        below = next((rule for rule in self._rules if rule.allows(method, path.rstrip(b"/") + b"/x")), None)
        if below is not None:
            return f"the rule '{below.text}' is for what is below that path: add one without '/**' or '/*'"
        other = next((rule for rule in self._rules if any(rule.allows(one, path) for one in rule.methods)), None)
        return f"the rule '{other.text}' has the path, not the method" if other is not None else ""


class Prefixed(Protocol):
    @property
    def prefix(self) -> bytes: ...


R = TypeVar("R", bound=Prefixed)


class RouteTable(Generic[R]):
    """The routes of one listener; the longest prefix wins."""

    __slots__ = ("_routes",)

    def __init__(self, routes: Iterable[R]) -> None:
        ordered = sorted(routes, key=lambda route: len(route.prefix), reverse=True)
        self._routes = tuple((route.prefix, route.prefix.rstrip(b"/") + b"/", route) for route in ordered)

    def find(self, path: bytes) -> R:
        """path: without query.  A prefix matches whole segments only.

        Raises Refused: route_unknown; bad_target when an encoded spelling would slip past a longer prefix's rules.
        """
        found = self._find(path)
        if found is None:
            raise Refused("route_unknown")
        if (b"%" in path or b";" in path) and self._find(other_reading(path)) is not found:
            raise Refused("bad_target", "an escape or ';' in the path hides the prefix of another route")
        return found

    def _find(self, path: bytes) -> R | None:
        for prefix, below, route in self._routes:
            if path.startswith(below) or path == prefix:
                return route
        return None

    def __iter__(self) -> Iterator[R]:
        return (route for _, _, route in self._routes)

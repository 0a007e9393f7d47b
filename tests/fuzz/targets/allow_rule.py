"""An allow rule is refused with a sentence or lets through exactly the paths that a reader who tries everything
finds for it: "*" is one or more bytes within a segment, "**" is anything.
"""

from __future__ import annotations

from functools import cache

from proxy.core.routing import METHODS, Rule

TOKENS = (b"*", b"**", b"/", b"/**", b"/*/", b"a", b"GET ", b"GET,POST /", b"\n/", b"-", b"*-*", b"aaaa")
LARGEST = 160
FULL = 20_000


def check(data: bytes) -> None:
    """data: the rule's text, a line break, the path."""
    text, _, path = data.replace(b"\r", b"").partition(b"\n")
    path = path.replace(b"\n", b"")  # as no target holds one
    try:
        rule = Rule(text.decode("latin-1"))
    except ValueError as error:
        assert "\n" not in str(error)
        return
    assert rule.methods and rule.methods <= METHODS
    method = sorted(rule.methods)[0]
    pattern = text.decode("latin-1").strip().rpartition(" ")[2].encode()
    if len(path) < 60:
        assert rule.allows(method, path) == _matches(pattern, path)
    else:
        rule.allows(method, path)
    assert not rule.allows(b"TRACE", path)


def _matches(pattern: bytes, path: bytes) -> bool:
    """By trying everything, each pair of places once."""

    @cache
    def rest(at: int, where: int) -> bool:
        if at == len(pattern):
            return where == len(path)
        if pattern.startswith(b"**", at):
            return any(rest(at + 2, end) for end in range(where, len(path) + 1))
        if pattern.startswith(b"*", at):
            following = where < len(path) and path[where : where + 1] != b"/"
            return following and (rest(at, where + 1) or rest(at + 1, where + 1))
        return path[where : where + 1] == pattern[at : at + 1] != b"" and rest(at + 1, where + 1)

    return rest(0, 0)

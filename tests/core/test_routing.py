"""Whole segments, the longest prefix, and an allow list that nothing slips past."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from proxy.core.routing import METHODS, Access, RouteTable, Rule
from proxy.errors import Refused
from tests.fuzz.growth import grows_too_fast


@dataclass(frozen=True)
class Route:
    prefix: bytes


def find(path: bytes, *prefixes: bytes) -> bytes | str:
    """-> the route's prefix, or the code of the refusal."""
    try:
        return RouteTable([Route(prefix) for prefix in prefixes]).find(path).prefix
    except Refused as refusal:
        return refusal.code


NONE = "route_unknown"


@pytest.mark.parametrize(("path", "prefixes", "found"), [
    (b"/", (b"/",), b"/"),
    (b"/anything/else", (b"/",), b"/"),
    (b"/a", (b"/a",), b"/a"),
    (b"/a/", (b"/a",), b"/a"),
    (b"/a/b", (b"/a",), b"/a"),
    (b"/ab", (b"/a",), NONE),
    (b"/a-b", (b"/a",), NONE),
    (b"/A", (b"/a",), NONE),
    (b"/b/a", (b"/a",), NONE),
    (b"/", (b"/a",), NONE),
    (b"/a%2fb", (b"/a",), NONE),
    (b"/a/b", (b"/a/",), b"/a/"),
    (b"/a/b/c", (b"/", b"/a", b"/a/b"), b"/a/b"),
    (b"/a/b/c", (b"/a/b", b"/a", b"/"), b"/a/b"),
    (b"/a/bc", (b"/", b"/a", b"/a/b"), b"/a"),
    (b"/abc", (b"/", b"/a", b"/a/b"), b"/"),
    (b"/a", (), NONE),
])
def test_which_route(path, prefixes, found):
    assert find(path, *prefixes) == found


def test_a_table_can_be_listed():
    assert {route.prefix for route in RouteTable([Route(b"/a"), Route(b"/b")])} == {b"/a", b"/b"}


@pytest.mark.parametrize(("rule", "method", "path", "allowed"), [
    ("/a", b"GET", b"/a", True),
    ("/a", b"DELETE", b"/a", True),
    ("/a", b"GET", b"/a/", False),
    ("/a", b"GET", b"/ab", False),
    ("/a", b"TRACE", b"/a", False),
    ("GET /a", b"GET", b"/a", True),
    ("GET /a", b"POST", b"/a", False),
    ("GET /a", b"get", b"/a", False),
    ("get,post  /a", b"POST", b"/a", True),
    ("GET /a", b"HEAD", b"/a", False),
    ("/a/*", b"GET", b"/a/b", True),
    ("/a/*", b"GET", b"/a/", False),
    ("/a/*", b"GET", b"/a", False),
    ("/a/*", b"GET", b"/a/b/c", False),
    ("/a/*/c", b"GET", b"/a/b/c", True),
    ("/a/*/c", b"GET", b"/a//c", False),
    ("/a/x-*", b"GET", b"/a/x-1", True),
    ("/a/**", b"GET", b"/a/", True),
    ("/a/**", b"GET", b"/a/b/c", True),
    ("/a/**", b"GET", b"/a", False),
    ("/**", b"GET", b"/", True),
    ("/a/**/z", b"GET", b"/a/b/c/z", True),
    ("/a/**/z", b"GET", b"/a/z", False),
    ("/a.b", b"GET", b"/aXb", False),
    ("/a(b)+[c]?", b"GET", b"/a(b)+[c]?", True),
    ("/a(b)+", b"GET", b"/ab", False),
    ("/a/*", b"GET", b"/a/b\n", True),
])
def test_what_a_rule_allows(rule, method, path, allowed):
    assert Rule(rule).allows(method, path) is allowed


@pytest.mark.parametrize("text",
                         ["", "a", "GET", "GET a", "/a b", "GET, POST /a", "GET POST /a", "TRACE /a", "GET,CONNECT /a",
                          "G3T /a",
                                  "GET,,POST /a", ",GET /a"])
def test_what_is_no_rule(text):
    with pytest.raises(ValueError, match=r"allow rule reads|is not a method"):
        Rule(text)


def denied(access: Access, method: bytes, path: bytes) -> str:
    try:
        access.check(method, path)
    except Refused as refusal:
        return refusal.code
    return ""


def test_no_rules_allow_everything():
    assert not any(denied(Access(), method, b"/a%2fb") for method in METHODS)


def test_any_rule_lets_pass_and_none_denies():
    access = Access(["GET /a/*", "POST /b"])
    assert denied(access, b"GET", b"/a/1") == ""
    assert denied(access, b"POST", b"/b") == ""
    assert denied(access, b"POST", b"/a/1") == "route_denied"
    assert denied(access, b"GET", b"/c") == "route_denied"


@pytest.mark.parametrize(("rules", "method", "path", "detail"), [
    (["GET /a/**"], b"GET", b"/a",
     "the rule 'GET /a/**' is for what is below that path: add one without '/**' or '/*'"),
    (["POST /b", "GET /a/*"], b"GET", b"/a",
     "the rule 'GET /a/*' is for what is below that path: add one without '/**' or '/*'"),
    (["GET,POST /a/**"], b"PUT", b"/a/1", "the rule 'GET,POST /a/**' has the path, not the method"),
    (["GET /a/**"], b"POST", b"/a", ""), (["GET /a"], b"GET", b"/b", "")])
def test_a_denied_call_hears_which_rule_was_nearly_right(rules, method, path, detail):
    with pytest.raises(Refused) as refusal:
        Access(rules).check(method, path)
    assert (refusal.value.code, refusal.value.detail) == ("route_denied", detail)


@pytest.mark.parametrize("path", [b"/a/b%2fc", b"/a/b%2Fc", b"/a/..%2f..%2fb"])
def test_an_encoded_slash_does_not_slip_past_rules(path):
    assert denied(Access(["/a/*"]), b"GET", path) == "bad_target"
    assert denied(Access(["/a/*"], allow_encoded_slash=True), b"GET", path) == ""
    assert denied(Access(["/z"], allow_encoded_slash=True), b"GET", path) == "route_denied"
    assert denied(Access(), b"GET", path) == ""


@pytest.mark.parametrize(("rule", "passes", "refused"), [
    ("/a*b*c", (b"/axbxc", b"/abbbcc", b"/axbxbxc"), (b"/abc", b"/axb/c", b"/axbxcd", b"/ab/bxc", b"/axbc")),
    ("/*-*-*", (b"/a-b-c", b"/a--b-c-"), (b"/a-b", b"/--c", b"/a-b/-c", b"/-a-b")),
    ("/x/**a*/y", (b"/x/ab/y", b"/x/p/q/ab/y", b"/x/aab/y"), (b"/x/a/y", b"/x/ab/z/y", b"/x/ab/y/")),
    ("/p*q**", (b"/paq", b"/paq/x", b"/paqq"), (b"/pq", b"/pa/q", b"/xpaq")),
])
def test_several_stars_in_a_segment(rule, passes, refused):
    assert [path for path in passes if not Rule(rule).allows(b"GET", path)] == []
    assert [path for path in refused if Rule(rule).allows(b"GET", path)] == []


@pytest.mark.parametrize(("rule", "unit"), [("/*a*a*a*b", b"a"), ("/**a*/b", b"a"), ("/*-*-*-*/x", b"-a")])
def test_a_long_path_costs_no_more_than_its_length(rule, unit):
    """With a regular expression the event loop would stand still for as long as a caller likes."""
    allows = Rule(rule).allows
    assert grows_too_fast(lambda path: allows(b"GET", path), lambda many: b"/" + unit * (many // len(unit)), 4000) == ""

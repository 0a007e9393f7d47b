"""Where requests go, and which name is signed, sent and verified."""

from __future__ import annotations

import pytest

from proxy.config.model import Route
from proxy.config.routes import Upstream, parse_upstream, resolve, route_names, upstream_of
from proxy.core.profiles import PROFILES
from proxy.errors import Refused


@pytest.mark.parametrize(("url", "expected"), [
    ("https://bank.example", Upstream("bank.example", 443, "", "bank.example", "bank.example")),
    ("https://bank.example/", Upstream("bank.example", 443, "", "bank.example", "bank.example")),
    ("https://Bank.Example:8443/eidas/1.0/", Upstream("bank.example", 8443, "/eidas/1.0", "bank.example",
                                                      "bank.example:8443")),
    ("https://192.0.2.1:443", Upstream("192.0.2.1", 443, "", "192.0.2.1", "192.0.2.1")),
    ("https://[2001:DB8::1]:8443", Upstream("2001:db8::1", 8443, "", "2001:db8::1", "[2001:db8::1]:8443")),
    ("HTTPS://bank.example", Upstream("bank.example", 443, "", "bank.example", "bank.example")),
])
def test_upstreams(url, expected):
    assert parse_upstream(url) == expected


def test_host_is_what_the_bank_is_called_however_it_is_reached():
    route = Route(profile="nordea", upstream="https://127.0.0.1:9443/base", host="Open.Nordea.com")
    upstream = upstream_of(route, PROFILES["nordea"])
    assert (upstream.host, upstream.port, upstream.base) == ("127.0.0.1", 9443, "/base")
    assert (upstream.name, upstream.authority, upstream.signed_host) == ("open.nordea.com",) * 3
    assert upstream.is_loopback


def test_an_ipv6_upstream_is_signed_in_brackets_and_verified_without():
    upstream = upstream_of(Route(profile="nordea", upstream="https://[::1]:9443"), PROFILES["nordea"])
    assert (upstream.signed_host, upstream.name) == ("[::1]", "::1")


def test_settings_reach_the_signing_rules(read, application):
    (route,) = resolve(read(application + """\
routes:
  profile: nordea-sandbox
  prefix: /sandbox/
  strip_prefix: true
  upstream: https://localhost:9443/base
  signature: skip
  key_id: clientId
  empty_body: omit
  form: raw
  default_content_type: application/xml; charset=utf-8
  allow: GET /sandbox/a/*
"""))
    rules = route.rules
    assert (rules.host, rules.authority, rules.base) == (b"localhost", b"localhost:9443", b"/base")
    assert (rules.skip, rules.key_id, rules.empty_body, rules.form) == (True, "clientId", "omit", "raw")
    assert rules.default_content_type == b"application/xml; charset=utf-8"
    assert (route.prefix, route.strip) == (b"/sandbox/", b"/sandbox")
    route.access.check(b"GET", b"/sandbox/a/1")
    with pytest.raises(Refused):
        route.access.check(b"POST", b"/sandbox/a/1")


@pytest.mark.parametrize(("routes", "names"), [
    ([Route(profile="nordea")], ["nordea"]),
    ([Route(profile="nordea"), Route(profile="nordea-sandbox", prefix="/s")], ["nordea", "nordea-sandbox"]),
    ([Route(profile="nordea"), Route(profile="nordea", prefix="/b/")], ["nordea", "nordea/b"]),
    ([Route(profile="nordea"), Route(profile="nordea", listener="x")], ["nordea", "nordea@x"]),
    ([Route(profile="nordea"), Route(profile="nordea", prefix="/b", name="pay")], ["nordea", "pay"]),
])
def test_names_are_as_short_as_they_can_be(routes, names):
    assert route_names(tuple(routes)) == names

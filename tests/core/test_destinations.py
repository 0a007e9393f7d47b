"""The first rule that fits decides; what none fits is denied."""

from __future__ import annotations

import pytest

from proxy.core.destinations import Destination, DestinationPolicy, Rule, Verdict, read_pattern


@pytest.mark.parametrize(("pattern", "fitting", "others"), [
    ("api.example", ["api.example"], ["a.api.example", "api.example.org", "xapi.example"]),
    ("*.example", ["a.example", "b.a.example"], ["example", "aexample", "example.org", "127.0.0.1"]),
    ("*", ["a.example", "8.8.8.8", "::1"], []),
    ("8.8.8.8", ["8.8.8.8"], ["8.8.4.4", "::ffff:8.8.8.8"]),
    ("8.8.0.0/16", ["8.8.8.8", "8.8.0.0"], ["8.9.0.0", "::ffff:8.8.8.8", "a.example"]),
    ("2a00:1450::1", ["2a00:1450::1"], ["2a00:1450::2"]),
    ("2a00::/16", ["2a00:1450::1"], ["2b00::1", "8.8.8.8"]),
])
def test_patterns(pattern, fitting, others):
    policy = DestinationPolicy([Rule(read_pattern(pattern), "tunnel")])
    for host in fitting:
        assert policy.judge(Destination(host, 443)) == Verdict("tunnel", (), pattern)
    for host in others:
        assert policy.judge(Destination(host, 443)) == Verdict("deny", (), "")


def test_only_its_ports():
    policy = DestinationPolicy([Rule("*", "tunnel"), Rule("a.example", "report", frozenset((25,)))])
    assert [policy.judge(Destination("a.example", port)).policy for port in (80, 443, 25, 22, 8080)] == [
        "tunnel", "tunnel", "report", "deny", "deny"]


def test_the_first_that_fits_decides():
    policy = DestinationPolicy([Rule("a.example", "deny"), Rule("*.example", "report"), Rule("*", "tunnel")])
    assert [policy.judge(Destination(host, 443)).policy for host in ("a.example", "b.example", "c.org")] == [
        "deny", "report", "tunnel"]


def test_nothing_is_let_through_by_default():
    assert DestinationPolicy().judge(Destination("a.example", 443)) == Verdict("deny")


@pytest.mark.parametrize(("text", "pattern"), [
    ("API.Example.", "api.example"), ("*.Example", "*.example"), ("[::1]", "::1"), ("::FFFF:1.2.3.4",
     "::ffff:1.2.3.4"), ("0:0:0:0:0:0:0:1", "::1"), ("fc00::/7", "fc00::/7"), ("10.0.0.0/8", "10.0.0.0/8")])
def test_a_pattern_has_one_spelling(text, pattern):
    assert read_pattern(text) == pattern


@pytest.mark.parametrize("text", [
    "", "*.", "**", "a.*", "*a.example", "*.*", "a.example:443", "https://a.example", "a.example/x", "10.0.0.1/8",
    "10.0.0.0/33", "bücher.example", "*.127.0.0.1", "127.1", "0x7f.0.0.1", "[::1", "fe80::1%eth0/64", "*.[::1]",
    "user@a.example", "a b", "a..b", "[a.example]", "127.0.0.1."])
def test_what_is_no_pattern(text):
    with pytest.raises(ValueError, match=r"^This is not a host pattern\. .*\.$"):
        read_pattern(text)

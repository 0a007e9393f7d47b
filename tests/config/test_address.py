"""Addresses and host names are judged without asking the network."""

from __future__ import annotations

import pytest

from proxy.config.address import is_host, is_loopback, listen_problem, split_egress, split_host_port


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "::ffff:127.0.0.1", "localhost",
                                     "LocalHost", "unix:/run/x"])
def test_loopback(address):
    assert is_loopback(address)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "10.0.0.1", "::ffff:10.0.0.1", "localhost.example", "127.1", "",
                                     "127.0.0.1.example", "[127.0.0.1"])
def test_not_loopback(address):
    assert not is_loopback(address)


@pytest.mark.parametrize("text", ["bank.example", "a", "a-b_c.d", "192.0.2.1", "2001:db8::1", "xn--bnk-ula.example"])
def test_hosts(text):
    assert is_host(text)


@pytest.mark.parametrize("text", ["", ".", "a.", "-a", "a..b", "bänk.example", "127.1", "1.2.3.4.5", "a b", "a/b",
                                  "a" * 64, "a\n", "user@bank.example", "[bank]"])
def test_no_hosts(text):
    assert not is_host(text)


@pytest.mark.parametrize(("text", "expected"), [
    ("a.example", ("a.example", None)), ("a.example:80", ("a.example", 80)), ("[::1]:80", ("::1", 80)),
    ("[::1]", ("::1", None)), ("192.0.2.1:65535", ("192.0.2.1", 65535)),
    ("a:0", None), ("a:65536", None), ("a:", None), ("a:b", None), (":80", None), ("::1", None), ("a:1:2", None),
    ("https://a", None), ("a/b", None), ("[a]", None), ("a:٣", None), ("", None),
])
def test_host_and_port(text, expected):
    assert split_host_port(text) == expected


def test_listen_addresses():
    assert [listen_problem(address) for address in ("127.0.0.1", "::", "localhost")] == ["", "", ""]
    assert listen_problem("unix:/run/proxy.sock") == ""
    assert listen_problem("unix:proxy.sock") == "A Unix socket is named by its whole path. Write unix:/path/to/socket."
    for address in ("host.example", "[::1]", ""):
        assert listen_problem(address) == (
            "This is not an IP address. Give one, such as 127.0.0.1, or localhost, or unix:/path.")


def test_egress_proxies():
    assert split_egress("http://Proxy.example:3128/") == ("proxy.example", 3128)
    assert split_egress("http://[::1]:3128") == ("::1", 3128)

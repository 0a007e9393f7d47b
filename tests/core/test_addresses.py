"""Which addresses a tunnel never reaches, whoever's name they hide behind."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.addresses import METADATA, forbidden_address


def networks(*texts: str):
    return tuple(map(ipaddress.ip_network, texts))


EVERYTHING = networks("0.0.0.0/0", "::/0")


@pytest.mark.parametrize(("address", "reason"), [
    ("127.0.0.1", "loopback"), ("127.255.255.254", "loopback"), ("::1", "loopback"), ("0.0.0.0", "unspecified"),
    ("0.1.2.3", "unspecified"), ("::", "unspecified"), ("10.255.0.1", "private"), ("172.31.255.255", "private"),
    ("192.168.0.1", "private"), ("fc00::1", "private"), ("fdff::1", "private"), ("100.64.0.1", "carrier NAT"),
    ("100.127.255.255", "carrier NAT"), ("169.254.1.1", "link-local"), ("fe80::1", "link-local"),
    ("fe80::1%eth0", "link-local"), ("febf::1", "link-local"), ("fec0::1", "site-local"),
    ("255.255.255.255", "broadcast"), ("224.0.0.251", "multicast"), ("ff02::1", "multicast"),
    ("::ffff:8.8.8.8", "IPv4-mapped"), ("::ffff:0:8.8.8.8", "IPv4-mapped"), ("::8.8.8.8", "IPv4-compatible"),
    ("64:ff9b::8.8.8.8", "NAT64"), ("64:ff9b:1::8.8.8.8", "NAT64"), ("64:ff9b:1:ffff::1", "NAT64"),
    ("2002:808:808::1", "6to4"), ("192.88.99.1", "6to4"), ("2001:0:808:808::1", "Teredo"),
    ("192.0.2.1", "documentation"), ("198.51.100.1", "documentation"), ("203.0.113.1", "documentation"),
    ("2001:db8::1", "documentation"), ("3fff::1", "documentation"), ("198.19.255.255", "benchmark"),
    ("2001:2::1", "benchmark"), ("100::1", "discard-only"), ("5f00::1", "segment routing"), ("192.0.0.8", "reserved"),
    ("240.0.0.1", "reserved"), ("2001:20::1", "reserved"), ("4000::1", "reserved"), ("64:ff9a::1", "reserved"),
    ("fe00::1", "reserved"), ("", "not an address"), ("a.example", "not an address"), ("127.1", "not an address"),
    *((address, "metadata") for address in sorted(map(str, METADATA))),
    ("::ffff:169.254.169.254", "metadata"), ("64:ff9b::169.254.169.254", "metadata"),
    ("2002:a9fe:a9fe::1", "metadata"), ("::169.254.169.254", "metadata"),
])
def test_refused(address, reason):
    assert forbidden_address(address, ()) == reason


@pytest.mark.parametrize("address", [
    "8.8.8.8", "1.1.1.1", "126.255.255.255", "128.0.0.1", "172.15.0.1", "172.32.0.1", "192.167.0.1", "100.63.0.1",
    "100.128.0.1", "223.255.255.255", "2606:4700::1111", "2a00:1450::1", "2003::1", "2001:4860:4860::8888"])
def test_let_through(address):
    assert forbidden_address(address, ()) == ""


@pytest.mark.parametrize(("address", "opened", "reason"), [
    ("10.1.2.3", ("10.1.0.0/16",), ""), ("10.2.2.3", ("10.1.0.0/16",), "private"), ("10.1.2.3", ("::/0",), "private"),
    ("127.0.0.1", ("127.0.0.1/32",), ""), ("127.0.0.2", ("127.0.0.1/32",), "loopback"), ("::1", ("::1/128",), ""),
    ("fd00::1", ("fd00::/8",), ""), ("64:ff9b::8.8.8.8", ("64:ff9b::/96",), ""),
    ("64:ff9b::10.0.0.1", ("64:ff9b::/96",), "private"), ("64:ff9b::10.0.0.1", ("64:ff9b::/96", "10.0.0.0/8"), ""),
    ("::ffff:127.0.0.1", ("::/0",), "loopback"), ("2001:0:808:808::f5ff:fffe", ("2001::/32",), "private"),
    ("2001:0:808:808::f7f7:f7f7", ("2001::/32",), ""),
])
def test_what_the_operator_opened(address, opened, reason):
    assert forbidden_address(address, networks(*opened)) == reason


@pytest.mark.parametrize("address", sorted(map(str, METADATA)))
def test_metadata_is_opened_by_its_own_address_only(address):
    wide = ipaddress.ip_network(address).supernet()
    assert forbidden_address(address, (*EVERYTHING, wide)) == "metadata"
    assert forbidden_address(address, networks(address)) == ""


@pytest.mark.parametrize("wrapped", ["::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1"])
def test_wrapped_metadata_is_never_opened(wrapped):
    assert forbidden_address(wrapped, (*EVERYTHING, *networks(wrapped, "169.254.169.254"))) == "metadata"


def test_nat64_of_local_use_is_opened_by_its_own_address_only():
    assert forbidden_address("64:ff9b:1::1", EVERYTHING) == "NAT64"
    assert forbidden_address("64:ff9b:1::1", networks("64:ff9b:1::1")) == ""


@given(st.ip_addresses())
def test_the_standard_library_knows_no_more(address):
    """Whatever Python does not call global is refused."""
    if not address.is_global or address.is_multicast:
        assert forbidden_address(str(address), ())

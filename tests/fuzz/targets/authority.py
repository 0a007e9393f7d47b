"""An authority has one spelling or is refused as bad_authority: the canonical text reads as itself, and an IP
address in any notation is what inet_aton() and ipaddress say it is.
"""

from __future__ import annotations

import ipaddress
import socket

from proxy.config.address import is_host, is_loopback, listen_problem, split_egress, split_host_port
from proxy.core.addresses import forbidden_address
from proxy.core.destinations import Destination, DestinationPolicy, Rule, read_authority, read_pattern
from proxy.errors import Refused
from proxy.keys.vault.place import parse_address

TOKENS = (
    b"[",
    b"]",
    b":",
    b"0x7f",
    b"0177",
    b"::ffff:",
    b"%25eth0",
    b".",
    b"127.1",
    b":443",
    b":0",
    b":65536",
    b"@",
    b"xn--",
    b"2130706433",
    b"64:ff9b::",
    b"localhost",
    b"http://",
    b"unix:/",
)
LARGEST = 600
_POLICY = DestinationPolicy((Rule("*.example.com", "tunnel"), Rule("10.0.0.0/8", "report"), Rule("*", "deny")))


def check(data: bytes) -> None:
    try:
        _canonical(read_authority(data, default_port=443))
    except Refused as refused:
        assert refused.code == "bad_authority" and refused.detail
    text = data.decode("latin-1")
    for read in (read_pattern, parse_address, split_egress):
        try:
            read(text)
        except ValueError as error:
            assert str(error).endswith("."), "a sentence for the operator"
    assert isinstance(listen_problem(text), str)
    is_loopback(text)
    found = split_host_port(text)
    assert found is None or is_host(found[0])
    assert isinstance(forbidden_address(text, ()), str)


def _canonical(found: Destination) -> None:
    assert read_authority(str(found).encode(), default_port=None) == found
    assert 1 <= found.port <= 65535
    assert _POLICY.judge(found).policy in ("deny", "tunnel", "report")
    if found.address is None:
        assert found.host == found.host.lower() and not found.host.endswith(".")
        try:
            socket.inet_aton(found.host)
        except OSError:
            return
        raise AssertionError("a resolver would read this name as an address")
    assert ipaddress.ip_address(found.host) == found.address

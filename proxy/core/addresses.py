"""Addresses that a tunnel never reaches unless the operator opened them: this machine, the inside, the cloud's secrets.

Names of other hosts come from callers, and what they resolve to from strangers.  The lists are IANA's special-purpose
registries (RFC 6890 and its updates); whatever is in neither list nor IPv6's global unicast is refused as reserved.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

METADATA = frozenset(map(ip_address, (
    "169.254.169.254", "169.254.170.2", "169.254.170.23", "169.254.42.42", "169.254.0.23", "100.100.100.200",
    "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:42::42",
    "fe80::a9fe:a9fe")))
"""Where clouds hand out credentials to whoever asks from inside."""

_SPECIAL: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("loopback", ("127.0.0.0/8", "::1/128")),
    ("unspecified", ("0.0.0.0/8", "::/128")),
    ("private", ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")),
    ("carrier NAT", ("100.64.0.0/10",)),
    ("link-local", ("169.254.0.0/16", "fe80::/10")),
    ("site-local", ("fec0::/10",)),
    ("broadcast", ("255.255.255.255/32",)),
    ("multicast", ("224.0.0.0/4", "ff00::/8")),
    ("IPv4-mapped", ("::ffff:0:0/96", "::ffff:0:0:0/96")),
    ("IPv4-compatible", ("::/96",)),
    ("NAT64", ("64:ff9b::/96", "64:ff9b:1::/48")),
    ("6to4", ("2002::/16", "192.88.99.0/24")),
    ("Teredo", ("2001::/32",)),
    ("documentation", ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20")),
    ("benchmark", ("198.18.0.0/15", "2001:2::/48")),
    ("discard-only", ("100::/64", "100:0:0:1::/64")),
    ("segment routing", ("5f00::/16",)),
    ("reserved", ("192.0.0.0/24", "240.0.0.0/4", "2001::/23")),
)
_TABLE: tuple[tuple[str, Network], ...] = tuple(
    (reason, ip_network(network)) for reason, networks in _SPECIAL for network in networks)
_GLOBAL = IPv6Network("2000::/3")
_LOW = 0xFFFFFFFF

# Where the IPv4 address stands in addresses that only wrap one: (network, how far to the right of it).
_WRAPPED: tuple[tuple[IPv6Network, int], ...] = (
    (IPv6Network("::ffff:0:0/96"), 0), (IPv6Network("::ffff:0:0:0/96"), 0), (IPv6Network("::/96"), 0),
    (IPv6Network("64:ff9b::/96"), 0), (IPv6Network("2002::/16"), 80), (IPv6Network("2001::/32"), 64))
_TEREDO = IPv6Network("2001::/32")
_NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")


def forbidden_address(address: str, networks: Iterable[Network]) -> str:
    """Why this address must not be dialled, such as "private", or "" when it may be.

    address: numeric, as the resolver gave it.  networks: what the operator opened.  Metadata services and NAT64 of
    local use (RFC 8215, which does not tell where the IPv4 address stands) are opened by their exact address only; an
    address that wraps an IPv4 address is opened only where that one may be dialled as well.
    """
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return "not an address"
    return _forbidden(ip, tuple(networks))


def _forbidden(ip: Address, networks: tuple[Network, ...]) -> str:
    inside = _embedded(ip)
    if ip in METADATA or ip in _NAT64_LOCAL or METADATA.intersection(inside):
        exact = any(ip in network and network.num_addresses == 1 for network in networks)
        return "" if exact and not inside else "NAT64" if ip in _NAT64_LOCAL else "metadata"
    reason = _special(ip)
    if not reason or not any(ip in network for network in networks):
        return reason
    return next(filter(None, (_forbidden(wrapped, networks) for wrapped in inside)), "")


def _special(ip: Address) -> str:
    for reason, network in _TABLE:
        if ip in network:
            return reason
    return "reserved" if ip.version == 6 and ip not in _GLOBAL else ""


def _embedded(ip: Address) -> list[IPv4Address]:
    """The IPv4 addresses that an IPv6 address stands for (RFC 3056, 4291, 4380, 6052, 7915)."""
    if ip.version == 4 or ip in (IPv6Address("::"), IPv6Address("::1")):
        return []
    found = [IPv4Address(int(ip) >> shift & _LOW) for network, shift in _WRAPPED if ip in network]
    if ip in _TEREDO:
        found.append(IPv4Address(~int(ip) & _LOW))      # the client's own, every bit turned over
    return found

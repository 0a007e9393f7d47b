"""Where a caller wants to go other than to a bank: read so that two spellings of a host are one, then judged."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Literal, TypeAlias

from proxy.core.addresses import Address, Network
from proxy.errors import Refused

Policy: TypeAlias = Literal["deny", "tunnel", "report"]
"""deny: 403.  tunnel: bytes pass both ways, never read, never signed.  report: as tunnel, and said aloud each time."""

PORTS = frozenset((80, 443))

_AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]*)(?::(?P<port>.*))?", re.DOTALL)
_PORT = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_IPV6 = re.compile(r"[0-9a-f:.]+")
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PART = re.compile(r"0x(?P<hex>[0-9a-f]+)|0(?P<octal>[0-7]+)|(?P<decimal>0|[1-9][0-9]*)")
_LONGEST = 253


@dataclass(frozen=True, slots=True)
class Destination:
    """host: lower case, no brackets, no trailing dot; an IP address, however it was spelled, as its canonical text."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def address(self) -> Address | None:
        """None: the host is a name."""
        return _literal(self.host)


@lru_cache(maxsize=256)
def read_authority(authority: bytes, *, default_port: int | None) -> Destination:
    """authority: host[:port] (RFC 9110 section 4.2.1, RFC 3986 section 3.2).  default_port: None where a port must be
    given.  Raises Refused("bad_authority") with the reason."""
    if not authority.isascii():
        raise _bad("it is not ASCII")
    match = _AUTHORITY.fullmatch(authority.decode())
    if match is None:
        raise _bad("it is not 'host:port'")
    port = match["port"]
    if port is None:
        if default_port is None:
            raise _bad("it has no port")
        return Destination(read_host(match["host"]), default_port)
    if _PORT.fullmatch(port) is None or int(port) > 65535:
        raise _bad("the port is not a number from 1 to 65535")
    return Destination(read_host(match["host"]), int(port))


def read_host(text: str) -> str:
    """The one spelling of a host.  text: ASCII; IPv6 in brackets.  Raises Refused("bad_authority") with the reason."""
    host = text.lower()
    if host[:1] == "[":
        return _ipv6(host[1:-1])
    host = host.removesuffix(".")
    labels = host.split(".")
    if not host or len(host) > _LONGEST:
        raise _bad("the host is empty or too long")
    if _NUMERIC.fullmatch(labels[-1]) is not None:
        return _ipv4(labels)
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise _bad("the host is not a name of letters, digits, hyphens and dots")
    return host


def canonical_host(name: str) -> str:
    """As Destination writes a host.  name: of a configuration that has been checked; IPv6 without brackets."""
    return read_host(f"[{name}]" if ":" in name else name)


def _ipv6(text: str) -> str:
    """RFC 3986 section 3.2.2; canonical by RFC 5952.  Zone identifiers mean something on this machine only."""
    try:
        return _canonical(IPv6Address(text if _IPV6.fullmatch(text) is not None else ""))
    except ValueError:
        raise _bad("the host in brackets is not an IPv6 address") from None


def _canonical(ip: Address) -> str:
    mapped = getattr(ip, "ipv4_mapped", None)       # Python 3.13 began to write these with dots
    return f"::ffff:{mapped}" if mapped is not None else str(ip)


def _ipv4(labels: list[str]) -> str:
    """Every spelling that inet_aton() takes: one to four parts, decimal, octal or hexadecimal (WHATWG URL, "IPv4
    parser"): a resolver would read them as addresses, so they are never names."""
    parts = [_part(label) for label in labels]
    *first, last = parts
    if len(parts) > 4 or any(part > 255 for part in first) or last >= 256 ** (4 - len(first)):
        raise _bad("the host ends in a number and is not an IPv4 address")
    value = last + sum(part << 8 * (3 - index) for index, part in enumerate(first))
    return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))


def _part(label: str) -> int:
    match = _PART.fullmatch(label)
    if match is None:
        raise _bad("the host ends in a number and is not an IPv4 address")
    base = {"hex": 16, "octal": 8, "decimal": 10}[str(match.lastgroup)]
    return int(match[str(match.lastgroup)], base)


def _bad(detail: str) -> Refused:
    return Refused("bad_authority", detail)


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def read_pattern(text: str) -> str:
    """The one spelling of a rule's pattern: "*", "*.name", a name, an address or a CIDR network.

    Raises ValueError with a sentence.
    """
    if text == "*":
        return text
    pattern = _network_pattern(text) if "/" in text or ":" in text else _name_pattern(text)
    if not pattern:
        raise ValueError("This is not a host pattern. Write a name, *.name, an address, a network such as "
                         "203.0.113.0/24 without bits after its length, or * for every host; no port, no https://.")
    return pattern


def _network_pattern(text: str) -> str:
    try:
        network = ip_network(text[1:-1] if text[:1] == "[" and text[-1:] == "]" else text)
    except ValueError:
        return ""
    return str(network) if "/" in text else _canonical(network.network_address)


def _name_pattern(text: str) -> str:
    """A spelling of an address that is not the canonical one is nothing an operator means."""
    star, name = ("*.", text[2:]) if text[:2] == "*." else ("", text)
    try:
        host = read_host(name) if name.isascii() else ""
    except Refused:
        return ""
    odd = name[:1] == "[" or (_literal(host) is not None and (star or host != name))
    return "" if odd or not host else star + host


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of destinations that fit.

    pattern: as read_pattern() gives it.  "*.name" is every name below, at any depth, and not the name itself; "*" is
    everything.  ports: another port does not fit.  networks: addresses that are reached although they are special.
    """

    pattern: str
    policy: Policy
    ports: frozenset[int] = PORTS
    networks: tuple[Network, ...] = ()

    def fits(self, destination: Destination) -> bool:
        if destination.port not in self.ports:
            return False
        if self.pattern in ("*", destination.host):
            return True
        if self.pattern[:2] == "*.":
            return destination.host.endswith(self.pattern[1:])
        if "/" not in self.pattern:
            return False
        address = destination.address
        return address is not None and address in ip_network(self.pattern)


@dataclass(frozen=True, slots=True)
class Verdict:
    """rule: the pattern that decided, "" when none fits.  networks: for addresses.forbidden_address()."""

    policy: Policy
    networks: tuple[Network, ...] = ()
    rule: str = ""


class DestinationPolicy:
    """Rules in order; the first that fits decides, and what none fits is denied."""

    __slots__ = ("_rules",)

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._rules = tuple(rules)

    def judge(self, destination: Destination) -> Verdict:
        for rule in self._rules:
            if rule.fits(destination):
                return Verdict(rule.policy, rule.networks, rule.pattern)
        return Verdict("deny")

"""Which hosts a certificate authority may speak for (RFC 5280 section 4.2.1.10): ours for no others."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from cryptography import x509

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_EVERY_NAME = x509.DNSName("")
_EVERY_ADDRESS = tuple(x509.IPAddress(ipaddress.ip_network(network)) for network in ("0.0.0.0/0", "::/0"))


def address_of(host: str) -> Address | None:
    """The address that the host is written as, or None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def general_name(host: str) -> x509.GeneralName:
    """As it stands in subjectAltName: a DNS name or an IP address."""
    address = address_of(host)
    return x509.DNSName(host) if address is None else x509.IPAddress(address)


def limited_to(hosts: Sequence[str]) -> x509.NameConstraints:
    """Permits these hosts, and below each name its subdomains, which no constraint can leave out.

    A kind of name without a permitted subtree is not limited at all, hence the exclusion of the kind nobody needs.
    """
    names = [host for host in hosts if address_of(host) is None]
    networks = [ipaddress.ip_network(address) for address in map(address_of, hosts) if address is not None]
    permitted = [*map(x509.DNSName, names), *map(x509.IPAddress, networks)]
    excluded = [*([] if names else [_EVERY_NAME]), *([] if networks else _EVERY_ADDRESS)]
    return x509.NameConstraints(permitted or None, excluded or None)


def constraints_of(certificate: x509.Certificate) -> x509.NameConstraints | None:
    """Raises ValueError when the extensions cannot be read."""
    try:
        return certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return None


def permits(constraints: x509.NameConstraints, host: str) -> bool:
    """Whether a leaf for the host would be accepted."""
    if any(_within(host, tree) for tree in constraints.excluded_subtrees or ()):
        return False
    kind = x509.DNSName if address_of(host) is None else x509.IPAddress
    trees = [tree for tree in constraints.permitted_subtrees or () if isinstance(tree, kind)]
    return not trees or any(_within(host, tree) for tree in trees)


def superfluous(constraints: x509.NameConstraints, hosts: Sequence[str]) -> tuple[str, ...]:
    """What is permitted although none of the hosts is in it."""
    return tuple(_shown(tree) for tree in constraints.permitted_subtrees or ()
                 if isinstance(tree, x509.DNSName | x509.IPAddress) and not any(_within(host, tree) for host in hosts))


def _within(host: str, tree: x509.GeneralName) -> bool:
    address = address_of(host)
    if isinstance(tree, x509.IPAddress):
        network = tree.value
        return (address is not None and isinstance(network, Network) and address.version == network.version
                and address in network)
    if not isinstance(tree, x509.DNSName) or address is not None:
        return False
    base, name = tree.value.lower(), host.lower()
    return name.endswith(base) if base[:1] in ("", ".") else name == base or name.endswith(f".{base}")


def _shown(tree: x509.DNSName | x509.IPAddress) -> str:
    network = tree.value
    if isinstance(network, Network) and network.num_addresses == 1:
        return str(network.network_address)
    return str(network)

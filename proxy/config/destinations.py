"""Which other hosts may be reached, as the operator wrote it and as the proxy runs it."""

from __future__ import annotations

from ipaddress import ip_network

from proxy.config.model import Config, Destination
from proxy.config.problems import Problems
from proxy.config.routes import upstream_of
from proxy.core.addresses import Network
from proxy.core.destinations import DestinationPolicy, Rule, read_pattern
from proxy.core.profiles import PROFILES


def destination_policy(config: Config) -> DestinationPolicy:
    """config: one that load() returned; problems raise ValueError."""
    return DestinationPolicy([
        Rule(read_pattern(entry.host), entry.policy, frozenset(entry.ports),
             tuple(read_network(text) for text in entry.allow_addresses)) for entry in config.destinations])


def read_network(text: str) -> Network:
    """Raises ValueError with a sentence."""
    try:
        return ip_network(text)
    except ValueError:
        raise ValueError("This is not a network. Write one such as 10.1.0.0/16, without bits after its length, or an "
                         "address.") from None


def check_destinations(config: Config, problems: Problems) -> None:
    banks = _bank_hosts(config)
    for index, entry in enumerate(config.destinations):
        _check_entry(f"destinations[{index}]", entry, banks, problems)


def _check_entry(path: str, entry: Destination, banks: frozenset[str], problems: Problems) -> None:
    try:
        pattern = read_pattern(entry.host)
    except ValueError as error:
        problems.add(f"{path}.host", str(error))
    else:
        if pattern in banks:
            problems.add(f"{path}.host", "This is the host of a route's bank, and calls to it are always signed. "
                                         "Remove the entry.", "routes")
    if not entry.ports:
        problems.add(f"{path}.ports", "There is no port, so the entry never fits. Remove the key, or list ports.")
    for number, text in enumerate(entry.allow_addresses):
        try:
            read_network(text)
        except ValueError as error:
            problems.add(f"{path}.allow_addresses[{number}]", str(error))


def _bank_hosts(config: Config) -> frozenset[str]:
    """Names and addresses of every route's bank whose own settings can be read."""
    hosts: set[str] = set()
    for route in config.routes:
        profile = PROFILES.get(route.profile)
        if profile is None:
            continue
        try:
            upstream = upstream_of(route, profile)
        except ValueError:
            continue
        hosts |= {upstream.host, upstream.name}
    return frozenset(hosts)

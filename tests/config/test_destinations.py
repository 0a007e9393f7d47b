"""Other hosts than the banks: what the operator may write, and the policy that comes of it."""

from __future__ import annotations

import ipaddress

import pytest

from proxy.config.destinations import destination_policy
from proxy.core.destinations import Destination, Verdict

ROUTES = "routes: [nordea, {profile: nordea, prefix: /b, upstream: 'https://Bank.example:8443', host: name.example}]\n"
PATTERN = ("This is not a host pattern. Write a name, *.name, an address, a network such as 203.0.113.0/24 "
           "without bits after its length, or * for every host; no port, no https://.")
BANK = "This is the host of a route's bank, and calls to it are always signed. Remove the entry."
NETWORK = "This is not a network. Write one such as 10.1.0.0/16, without bits after its length, or an address."


@pytest.mark.parametrize(("entry", "place", "sentence"), [
    ("{}", "host", "This key is missing. Add it."),
    ("{host: 'https://a.example'}", "host", PATTERN),
    ("{host: 'a.example:443'}", "host", PATTERN),
    ("{host: 127.1}", "host", "This is not text. Put the value in quotes."),
    ("{host: '127.1'}", "host", PATTERN),
    ("{host: a.example, policy: allow}", "policy", "This is not one of the choices. Write deny, report or tunnel."),
    ("{host: a.example, ports: []}", "ports",
     "There is no port, so the entry never fits. Remove the key, or list ports."),
    ("{host: a.example, ports: [0]}", "ports[0]",
     "This is not a whole number from 1 to 65535. Write such a number, without quotes."),
    ("{host: a.example, allow_addresses: [10.0.0.0/8, 10.0.0.1/8]}", "allow_addresses[1]", NETWORK),
    ("{host: a.example, allow_addresses: all}", "allow_addresses[0]", NETWORK),
    ("{host: open.nordea.com, policy: tunnel}", "host", BANK),
    ("{host: BANK.example., policy: deny}", "host", BANK),
    ("{host: name.example}", "host", BANK),
])
def test_what_cannot_be(problems, application, entry, place, sentence):
    assert problems(f"{application}{ROUTES}destinations: [{entry}]") == [(f"destinations[0].{place}", sentence)]


def test_a_pattern_around_a_bank_is_fine(problems, application):
    assert problems(f"{application}{ROUTES}destinations: [{{host: '*.example'}}, {{host: '*'}}]") == []


def test_the_policy(read, application):
    config = read(f"""{application}{ROUTES}
destinations:
- {{host: API.example, policy: tunnel, ports: [8443], allow_addresses: 10.1.0.0/16}}
- {{host: closed.example}}
- {{host: '*', policy: report}}
""")
    policy = destination_policy(config)
    assert policy.judge(Destination("api.example", 8443)) == Verdict(
        "tunnel", (ipaddress.ip_network("10.1.0.0/16"),), "api.example")
    assert policy.judge(Destination("closed.example", 443)) == Verdict("deny", (), "closed.example")
    assert policy.judge(Destination("api.example", 80)) == Verdict("report", (), "*")
    assert policy.judge(Destination("api.example", 22)) == Verdict("deny")


def test_by_default_nothing_is_let_through(read, application):
    config = read(f"{application}{ROUTES}")
    assert destination_policy(config).judge(Destination("a.example", 443)) == Verdict("deny")
    assert (config.limits.tunnels, config.timeouts.tunnel_idle) == (512, 300.0)

"""Who may speak to a listener: exact names, no web page, and the token where one is set."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.message import Request
from proxy.core.secret import Secret
from proxy.errors import Refused
from proxy.serve.gate import Gate, own_names

NAMES = own_names("127.0.0.1", 8080, loopback=True)


def asking(authority: bytes = b"localhost", *fields: tuple[bytes, bytes]) -> Request:
    return Request(b"GET", b"/", [(name.lower(), name, value) for name, value in fields], authority=authority)


def refusal(gate: Gate, request: Request, local=None) -> str:
    with pytest.raises(Refused) as refused:
        gate.check(request, local)
    return refused.value.code


def test_a_loopback_listeners_names():
    assert {b"localhost", b"127.0.0.1", b"[::1]"} | {
        b"localhost:8080", b"127.0.0.1:8080", b"[::1]:8080"} == NAMES
    assert own_names("::1", 80, loopback=True) >= {b"[::1]", b"[::1]:80"}
    assert own_names("192.0.2.1", 80, loopback=False) == {b"192.0.2.1", b"192.0.2.1:80"}


@pytest.mark.parametrize("authority", [b"localhost", b"LocalHost:8080", b"127.0.0.1", b"[::1]:8080"])
def test_an_own_name_passes(authority):
    Gate(NAMES).check(asking(authority))


@given(st.binary(max_size=30).filter(lambda name: name.lower() not in NAMES))
def test_any_other_name_is_refused(authority):
    assert refusal(Gate(NAMES), asking(authority)) == "host_not_allowed"


def test_the_address_a_connection_came_in_on_passes_where_that_is_allowed():
    local = ("10.1.2.3", 8080)
    pod = Gate(own_names("0.0.0.0", 8080, loopback=False), any_literal=True)
    for authority in (b"10.1.2.3", b"10.1.2.3:8080"):
        pod.check(asking(authority), local)
        assert refusal(Gate(NAMES), asking(authority), local) == "host_not_allowed"
    for authority in (b"10.1.2.4", b"10.1.2.3:8081", b"localhost", b"rebound.example"):
        assert refusal(pod, asking(authority), local) == "host_not_allowed"
    assert refusal(pod, asking(b"10.1.2.3")) == "host_not_allowed"      # a Unix socket has no address


@pytest.mark.parametrize("field", [
    (b"Origin", b"null"), (b"ORIGIN", b""), (b"Sec-Fetch-Site", b"cross-site"), (b"sec-fetch-site", b"SAME-SITE"),
    (b"Sec-Fetch-Site", b"bogus"), (b"Sec-Fetch-Site", b"")])
def test_a_web_page_is_refused_before_its_token_is_looked_at(field):
    gate = Gate(NAMES, tokens=lambda: [Secret(b"t")])
    assert refusal(gate, asking(b"localhost", (b"Proxy-Authorization", b"Bearer t"), field)) == "browser_origin"


def test_a_token():
    gate = Gate(NAMES, tokens=lambda: [Secret(b"the-token")])
    for value in (b"Bearer the-token", b"bearer the-token", b"BEARER  the-token "):
        gate.check(asking(b"localhost", (b"Proxy-Authorization", value)))
    for value in (b"", b"Bearer", b"Bearer ", b"Bearer the-toke", b"Bearer the-token2", b"Basic the-token",
                  b"the-token", b"Bearer THE-TOKEN"):
        request = asking(b"localhost", (b"Proxy-Authorization", value))
        assert refusal(gate, request) == "client_unauthenticated"
    assert refusal(gate, asking()) == "client_unauthenticated"


def test_a_page_of_this_very_port_may_ask_where_it_is_allowed_to():
    gate = Gate(NAMES)
    own = asking(b"LocalHost:8080", (b"Origin", b"http://localhost:8080"), (b"Sec-Fetch-Site", b"same-origin"))
    gate.check(own, own_page=True)
    assert refusal(gate, own) == "browser_origin"
    for other in (b"http://127.0.0.1:8080", b"https://localhost:8080", b"http://localhost", b"null", b""):
        with pytest.raises(Refused):
            gate.check(asking(b"localhost:8080", (b"Origin", other)), own_page=True)

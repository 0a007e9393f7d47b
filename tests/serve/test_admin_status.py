"""Where the admin port is open to others, /status stays for this machine; probes and metrics do not."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry

from proxy.config.address import is_loopback
from proxy.core.message import Request
from proxy.errors import Refused
from proxy.serve.admin import Admin
from proxy.serve.gate import Gate
from proxy.serve.health import Health, pages

PAGES = (b"/metrics", b"/livez", b"/healthz", b"/readyz", b"/startup", b"/")


def refusal(target: bytes, local, *, peer: str = "192.0.2.1", method: bytes = b"GET") -> str:
    """-> the code, or ""."""
    admin = Admin({"admin": Gate([b"localhost"])}, pages(Health({}), CollectorRegistry(), dict), local=local)
    connection = SimpleNamespace(listener="admin", peer=peer, local=("127.0.0.1", 9))
    try:
        admin.admit(connection, Request(method, target, [], authority=b"localhost"))
    except Refused as refused:
        return refused.code
    return ""


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
@pytest.mark.parametrize("target", [b"/status", b"/status?", b"/status?a=b"])
def test_status_is_for_this_machine(method, target):
    assert refusal(target, lambda peer: False, method=method) == "route_denied"
    assert refusal(target, lambda peer: True, method=method) == ""


@pytest.mark.parametrize("target", PAGES)
def test_the_other_pages_are_for_everybody_who_is_let_in(target):
    assert refusal(target, lambda peer: False) == ""


@pytest.mark.parametrize("target", [b"/status/", b"/Status", b"/%73tatus", b"//status", b"/status;x"])
def test_no_other_spelling_leads_there(target):
    assert refusal(target, lambda peer: False) == "route_unknown"


@pytest.mark.parametrize(("peer", "code"), [
    ("127.0.0.1", ""), ("127.8.9.1", ""), ("::1", ""), ("192.0.2.1", "route_denied"), ("2001:db8::1", "route_denied"),
    ("0.0.0.0", "route_denied"), ("::ffff:192.0.2.1", "route_denied"), ("", "route_denied")])
def test_what_this_machine_is(peer, code):
    assert refusal(b"/status", is_loopback, peer=peer) == code

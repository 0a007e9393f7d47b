"""Which application a call is sealed for, and whether it may pass, is decided by listener and path alone."""

from __future__ import annotations

import pytest

from proxy.config.model import Listener, Route
from tests.e2e.line import get, post, request
from tests.e2e.standing import BANK_NAME


@pytest.fixture
async def start(bank, files, start_proxy):
    """start(*routes, **settings): several routes to the bank, two applications with a key each."""
    bank.register(**files.till.registration())

    async def start(*routes, **changes):
        upstream = f"https://127.0.0.1:{bank.port}"
        built = tuple(Route(**{"profile": "nordea", "upstream": upstream, "host": BANK_NAME, **one}) for one in routes)
        parties = {"shop": files.shop.application(), "till": files.till.application()}
        return await start_proxy(bank, routes=built, applications=parties, **changes)

    return start


def sealed_for(bank) -> str:
    received = bank.received[-1]
    assert received.verdict.signature_checked
    return dict(received.fields)["X-IBM-Client-Id"]


async def test_two_applications_by_prefix(start, bank, files):
    proxy = await start({"prefix": "/personal", "application": "shop", "name": "personal"},
                        {"prefix": "/corporate", "application": "till", "name": "corporate"})
    assert (await proxy.ask(get("/personal/v5/accounts"))).status == 200
    assert sealed_for(bank) == files.shop.client_id
    assert (await proxy.ask(get("/corporate/v2/accounts"))).status == 200
    assert sealed_for(bank) == files.till.client_id
    assert [(r.route, r.application) for r in proxy.lines.records] == [("personal", "shop"), ("corporate", "till")]


async def test_two_applications_by_listener(start, bank, files):
    proxy = await start({"application": "shop"}, {"application": "till", "listener": "second"},
                        listeners={"second": Listener(port=0)})
    for listener, party in (("main", files.shop), ("second", files.till)):
        assert (await proxy.ask(get("/personal/v5/accounts"), listener=listener)).status == 200
        assert sealed_for(bank) == party.client_id


async def test_applications_share_connections_to_a_bank_and_never_seals(start, bank, files):
    proxy = await start({"prefix": "/echo/a", "application": "shop"}, {"prefix": "/echo/b", "application": "till"})
    async with proxy.connect() as line:
        for path, party in (("/echo/a", files.shop), ("/echo/b", files.till)) * 5:
            assert (await line.ask(post(path))).status == 200
            assert sealed_for(bank) == party.client_id
    assert bank.connections == 1


async def test_the_longest_prefix_wins_in_whole_segments(start):
    proxy = await start({"prefix": "/echo", "application": "shop", "name": "short"},
                        {"prefix": "/echo/long", "application": "till", "name": "long"})
    for path, name in (("/echo", "short"), ("/echo/long", "long"), ("/echo/longer", "short"), ("/echo/long/x", "long"),
                       ("/echo/?/echo/long", "short")):
        assert (await proxy.ask(get(path))).status == 200
        assert proxy.lines.records[-1].route == name


@pytest.mark.parametrize("path", ["/other", "/personalx", "/Personal", "/"])
async def test_a_path_without_a_route(start, bank, path):
    proxy = await start({"prefix": "/personal", "application": "shop"})
    answer = await proxy.ask(get(path))
    assert answer.problem == (404, "route_unknown", "no")
    assert bank.received.total == 0


ALLOW = ("GET /echo/accounts/*", "GET,POST /echo/payments/**", "/echo/any")


@pytest.mark.parametrize(("method", "path", "passes"), [
    ("GET", "/echo/accounts/1", True), ("GET", "/echo/accounts/1?x=1", True), ("HEAD", "/echo/accounts/1", False),
    ("POST", "/echo/accounts/1", False), ("GET", "/echo/accounts", False), ("GET", "/echo/accounts/1/2", False),
    ("GET", "/echo/accounts/", False), ("POST", "/echo/payments/a/b", True), ("DELETE", "/echo/payments/a", False),
    ("DELETE", "/echo/any", True), ("GET", "/echo", False), ("GET", "/echo/Any", False)])
async def test_an_allow_list(start, bank, method, path, passes):
    proxy = await start({"application": "shop", "allow": ALLOW})
    answer = await proxy.ask(post(path) if method == "POST" else request(method, path), bodiless=method == "HEAD")
    assert answer.status == (200 if passes else 403)
    assert bank.received.total == passes
    if not passes:
        assert proxy.lines.records[-1].code == "route_denied"


async def test_an_encoded_slash_cannot_slip_past_an_allow_list(start, bank):
    listed = await start({"application": "shop", "allow": ALLOW})
    assert (await listed.ask(get("/echo/accounts/..%2Fany"))).problem == (400, "bad_target", "no")
    assert bank.received.total == 0
    trusting = await start({"application": "shop", "allow": ALLOW, "allow_encoded_slash": True})
    assert (await trusting.ask(get("/echo/accounts/a%2fb"))).json["target"] == "/echo/accounts/a%2fb"
    free = await start({"application": "shop"})
    assert (await free.ask(get("/echo/a%2Fb"))).json["target"] == "/echo/a%2Fb"


@pytest.mark.parametrize("path", ["/echo/accounts/x%252f..%252f..%252fsecret", "/echo/accounts/1%252F2",
                                  "/echo/accounts/;x", "/echo/accounts/%253bx", "/echo/payments/;/"])
async def test_what_a_lax_server_would_read_is_judged_by_the_allow_list_too(start, bank, path):
    """One that decodes twice, or takes parameters out of the path, would act on what no rule lets pass."""
    proxy = await start({"application": "shop", "allow": ALLOW})
    assert (await proxy.ask(get(path))).problem == (400, "bad_target", "no")
    assert bank.received.total == 0


@pytest.mark.parametrize("path", ["/echo/accounts/1;v=2", "/echo/accounts/a%20b", "/echo/payments/%C3%A5/x%25y",
                                  "/echo/accounts/%31?to=%252f"])
async def test_escapes_that_hide_nothing_pass_an_allow_list(start, path):
    proxy = await start({"application": "shop", "allow": ALLOW})
    assert (await proxy.ask(get(path))).json["target"] == path


async def test_a_stripped_prefix_is_neither_sent_nor_signed(start, bank):
    proxy = await start({"prefix": "/shop", "application": "shop", "strip_prefix": True})
    for path, target in (("/shop/echo?a=1", "/echo?a=1"), ("/shop/echo/shop", "/echo/shop")):
        assert (await proxy.ask(get(path))).json["target"] == target
        assert bank.received[-1].verdict.signing_string.startswith(f"(request-target): get {target}\n".encode())
    assert (await proxy.ask(get("/shop"))).status == 404    # "/" at the bank
    assert bank.received[-1].target == "/"


async def test_the_allow_list_judges_the_path_as_the_caller_wrote_it(start):
    proxy = await start({"prefix": "/shop", "application": "shop", "strip_prefix": True, "allow": ("/shop/echo",)})
    assert (await proxy.ask(get("/shop/echo"))).status == 200
    assert (await proxy.ask(get("/shop/echo/x"))).status == 403


@pytest.mark.parametrize("base", ["/echo/eidas/1.0", "/echo/eidas/1.0/"])
async def test_a_base_path_is_joined_without_a_double_slash(bank, start, base):
    proxy = await start({"application": "shop", "upstream": f"https://127.0.0.1:{bank.port}{base}"})
    assert (await proxy.ask(get("/v1/accounts?x=1"))).json["target"] == "/echo/eidas/1.0/v1/accounts?x=1"
    assert bank.received[-1].verdict.signature_checked


@pytest.mark.parametrize("path", ["/x%2f..%2F..%2f..%2fany", "/x%252f..%252f..%252f..%252fany", "/..%2fany",
                                  "/%2e%2e%2fany", "/x%255c..%255c..%255cany", "/x%2f.%2e;a"])
async def test_no_spelling_climbs_out_of_the_base_path(bank, start, path):
    """Nobody means a dot segment, also where only a server that decodes slashes would see it."""
    proxy = await start({"application": "shop", "upstream": f"https://127.0.0.1:{bank.port}/echo/eidas/1.0"})
    assert (await proxy.ask(get(path))).problem == (400, "bad_target", "no")
    assert bank.received.total == 0


async def test_two_routes_to_two_banks(start, start_bank_later, files):
    proxy = await start({"prefix": "/echo/one", "application": "shop"},
                        {"prefix": "/echo/two", "application": "shop",
                         "upstream": f"https://127.0.0.1:{start_bank_later.port}"})
    assert (await proxy.ask(get("/echo/one"))).status == 200
    assert start_bank_later.received.total == 0
    assert (await proxy.ask(get("/echo/two"))).status == 200
    assert start_bank_later.received.total == 1


@pytest.fixture
async def start_bank_later(start_bank):
    """A second bank."""
    return await start_bank()

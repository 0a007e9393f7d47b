"""An application with HTTP_PROXY calls http://bank/…: routed by host, upgraded to https, sealed as in reverse mode."""

from __future__ import annotations

import pytest

from proxy.config.model import Route
from proxy.emulator.authority import write_private
from tests.e2e.line import BEARER, connected, get, post, request
from tests.e2e.standing import BANK_NAME

BANK = f"http://{BANK_NAME}"


def asking(target: str, *fields: str, host: str = BANK_NAME, **more: str) -> bytes:
    return get(target, *fields, host=host, **more)


@pytest.mark.parametrize("target", [f"{BANK}/personal/v5/accounts?a=1&b=%C3%A5", f"https://{BANK_NAME}/personal/v5/a?b",
                                    f"HTTP://{BANK_NAME.upper()}/x", f"{BANK}?q", BANK])
async def test_it_arrives_sealed_at_the_banks_own_path(bank, proxy, target):
    answer = await proxy.ask(asking(target))
    assert answer.status in (200, 404)
    (received,) = bank.received
    assert received.verdict.accepted
    path = target.partition("://")[2].partition("/")[2]
    wanted = f"/{path}" if path else "/?q" if target.endswith("?q") else "/"
    assert received.head.startswith(b"GET %b HTTP/1.1\r\n" % wanted.encode())
    assert b"Host: open.nordea.com\r\n" in received.head
    assert (proxy.lines.records[-1].form, proxy.lines.records[-1].route) == ("absolute", "nordea")


async def test_a_payment(bank, proxy):
    answer = await proxy.ask(post(f"{BANK}/personal/v4/payments/domestic", host=BANK_NAME))
    assert answer.status in (200, 201)
    assert bank.executions.total == 1
    assert bank.received[-1].verdict.accepted


@pytest.mark.parametrize("port", ["80", "443"])
async def test_the_schemes_own_port_may_be_named(bank, proxy, port):
    scheme = "http" if port == "80" else "https"
    assert (await proxy.ask(asking(f"{scheme}://{BANK_NAME}:{port}/echo", host=f"{BANK_NAME}:{port}"))).status == 200
    assert b"Host: open.nordea.com\r\n" in bank.received[-1].head


@pytest.mark.parametrize(("target", "host", "code"), [
    (f"{BANK}/echo", "elsewhere.example", "malformed_request"),
    (f"{BANK}/echo", "", "malformed_request"),
    (f"{BANK}/echo", f"{BANK_NAME}:80", "malformed_request"),
    (f"http://user@{BANK_NAME}/echo", BANK_NAME, "malformed_request"),
    (f"http://user:pass@{BANK_NAME}/echo", f"user:pass@{BANK_NAME}", "malformed_request"),
    (f"{BANK}:8443/echo", f"{BANK_NAME}:8443", "bad_authority"),
    (f"https://{BANK_NAME}:80/echo", f"{BANK_NAME}:80", "bad_authority"),
    (f"{BANK}:0/echo", f"{BANK_NAME}:0", "bad_authority"),
    (f"{BANK}:99999/echo", f"{BANK_NAME}:99999", "bad_authority"),
    (f"{BANK}:/echo", f"{BANK_NAME}:", "malformed_request"),
    (f"ftp://{BANK_NAME}/echo", BANK_NAME, "malformed_request"),
    (f"{BANK}//echo", BANK_NAME, "bad_target"),
    (f"{BANK}/a/../echo", BANK_NAME, "bad_target"),
    (f"{BANK}/echo#f", BANK_NAME, "bad_target"),
])
async def test_what_is_odd_is_400_and_never_sent(bank, proxy, target, host, code):
    assert (await proxy.ask(asking(target, host=host))).problem == (400, code, "no")
    assert bank.received.total == 0


async def test_all_forms_share_a_connection(bank, proxy):
    async with proxy.connect() as line:
        for raw in (get("/echo/1"), asking(f"{BANK}/echo/2"), get("/echo/3")):
            assert (await line.ask(raw)).status == 200
        await line.send(asking(f"{BANK}/echo/4") + get("/echo/5"))
        assert [(await line.answer()).status for _ in range(2)] == [200, 200]
    assert [record.form for record in proxy.lines.records] == ["", "absolute", "", "absolute", ""]


async def test_what_proxys_clients_send_to_a_proxy_stops_here(bank, proxy):
    raw = asking(f"{BANK}/echo", "Proxy-Connection: keep-alive", "Proxy-Authorization: Basic dTpw", "Content-Length: 0")
    assert (await proxy.ask(raw)).status == 200
    head = bank.received[-1].head.lower()
    assert b"proxy-" not in head
    assert b"content-length" not in head


async def test_a_web_page_is_refused_here_too(bank, proxy):
    assert (await proxy.ask(asking(f"{BANK}/echo", "Origin: https://page.example"))).problem == (
        403, "browser_origin", "no")
    assert bank.received.total == 0


async def test_the_bank_by_its_name_without_absolute_form_is_misdirected(bank, proxy):
    """As by DNS rebinding."""
    assert (await proxy.ask(asking("/echo"))).problem == (421, "host_not_allowed", "no")
    assert bank.received.total == 0


OWN = ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST.:{port}", "[::ffff:127.0.0.1]:{port}", "2130706433:{port}",
       "0x7f.1:{port}", "0177.0.0.1:{port}", "127.0.0.1.:{port}", "0.0.0.0:{port}", "any.localhost:{port}",
       "[0:0:0:0:0:ffff:7f00:1]:{port}"]


@pytest.mark.parametrize("listener", ["main", "admin"])
@pytest.mark.parametrize("spelling", OWN)
async def test_own_listeners_in_any_spelling(bank, proxy, listener, spelling):
    where = spelling.format(port=proxy.port(listener))
    answer = await proxy.ask(asking(f"http://{where}/metrics", host=where))
    assert answer.problem == (403, "self_connect", "no")
    answer = await proxy.ask(f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n\r\n".encode())
    assert answer.problem == (403, "self_connect", "no")
    assert bank.received.total == 0


async def test_a_base_path_is_part_of_the_banks_own_urls(bank, start_proxy):
    """The reverse proxy's caller leaves the base out, the forward proxy's caller writes it."""
    proxy = await start_proxy(f"https://127.0.0.1:{bank.port}/eidas/1.0", route={"allow": ("GET /v1/*",)})
    assert (await proxy.ask(get("/v1/accounts"))).status in (200, 404)
    reverse = bank.received[-1].head
    assert (await proxy.ask(asking(f"{BANK}/eidas/1.0/v1/accounts"))).status in (200, 404)
    assert bank.received[-1].head.partition(b"\r\n")[0] == reverse.partition(b"\r\n")[0]
    assert reverse.startswith(b"GET /eidas/1.0/v1/accounts ")
    assert (await proxy.ask(asking(f"{BANK}/eidas/1.0/v2/accounts"))).problem == (403, "route_denied", "no")
    assert (await proxy.ask(asking(f"{BANK}/v1/accounts"))).problem == (404, "route_unknown", "no")
    assert bank.received.total == 2


async def test_a_stripped_prefix_is_not_part_of_them(bank, start_proxy, files):
    route = Route(profile="nordea", upstream=f"https://127.0.0.1:{bank.port}", host=BANK_NAME, prefix="/nordea",
                  strip_prefix=True, allow=("GET /nordea/echo/**",))
    proxy = await start_proxy(bank, routes=(route,))
    assert (await proxy.ask(get("/nordea/echo/1"))).status == 200
    assert (await proxy.ask(asking(f"{BANK}/echo/1"))).status == 200
    assert [received.head.split(b" ")[1] for received in bank.received] == [b"/echo/1"] * 2
    assert (await proxy.ask(asking(f"{BANK}/nordea/echo/1"))).problem == (403, "route_denied", "no")


async def test_two_applications_that_claim_the_same_urls_are_told_apart_by_nobody(bank, start_proxy, files):
    def route(name: str) -> Route:
        return Route(profile="nordea", name=name, upstream=f"https://127.0.0.1:{bank.port}", host=BANK_NAME,
                     prefix=f"/{name}", strip_prefix=True, application=name)

    bank.register(**files.till.registration())
    proxy = await start_proxy(bank, routes=(route("shop"), route("till")), applications={
        "shop": files.shop.application(), "till": files.till.application()})
    assert (await proxy.ask(get("/till/echo"))).status == 200
    answer = await proxy.ask(asking(f"{BANK}/echo"))
    assert answer.problem == (403, "route_ambiguous", "no")
    assert "shop and till" in answer.json["detail"]
    assert bank.received.total == 1


@pytest.fixture
async def guarded(bank, start_proxy, tmp_path):
    write_private(tmp_path / "token", b"the-first-token\n\nthe-second-token\n")
    return await start_proxy(bank, client_token_file=str(tmp_path / "token"), ca_directory=str(tmp_path / "ca"))


@pytest.mark.parametrize("credentials", [
    "Bearer the-first-token", "bearer the-second-token",
    "Basic YW55OnRoZS1maXJzdC10b2tlbg==",       # any:the-first-token
    "BASIC OnRoZS1zZWNvbmQtdG9rZW4="])          # :the-second-token
async def test_proxy_credentials_let_in_and_never_leave(bank, guarded, credentials):
    field = f"Proxy-Authorization: {credentials}"
    assert (await guarded.ask(asking(f"{BANK}/echo", field))).status == 200
    assert (await guarded.ask(get("/echo", field))).status == 200
    for received in bank.received:
        assert b"proxy-authorization" not in received.head.lower()
        assert b"token" not in received.head.replace(BEARER.encode(), b"")


@pytest.mark.parametrize("field", [
    "X: none", "Proxy-Authorization: Bearer the-third-token", "Proxy-Authorization: Basic dGhlLWZpcnN0LXRva2Vu",
    "Proxy-Authorization: Basic !", "Proxy-Authorization: Bearer", "Proxy-Authorization: Basic",
    "Authorization: Bearer the-first-token", "Proxy-Authorization: Digest the-first-token"])
async def test_without_them_it_is_407_with_a_challenge_and_the_connection_goes_on(bank, guarded, field):
    connect = f"CONNECT {BANK_NAME}:443 HTTP/1.1\r\nHost: {BANK_NAME}\r\n{field}\r\n\r\n".encode()
    async with connected(guarded.port()) as line:
        for raw in (asking(f"{BANK}/echo", field), connect):
            answer = await line.ask(raw)
            assert answer.problem == (407, "proxy_authentication_required", "no")
            assert answer.all("Proxy-Authenticate") == [b'Basic realm="signing-proxy"', b'Bearer realm="signing-proxy"']
            assert "WWW-Authenticate" not in answer
        assert (await line.ask(get("/echo", field))).problem == (401, "client_unauthenticated", "no")
        assert (await line.ask(asking(f"{BANK}/echo", "Proxy-Authorization: Bearer the-first-token"))).status == 200
    assert bank.received.total == 1


async def test_other_hosts_are_denied(bank, proxy):
    for target in ("http://elsewhere.example/", "https://elsewhere.example/x", "http://192.0.2.1/", "http://[2001:db8::1]/"):
        host = target.split("/")[2]
        assert (await proxy.ask(request("GET", target, host=host))).problem == (403, "destination_denied", "no")
        record = proxy.lines.records[-1]
        assert record.destination.startswith(host.strip("[]").split(":")[0]) or record.destination.startswith("[")
    assert bank.received.total == 0

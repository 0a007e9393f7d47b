"""Nobody signs who should not: web pages, rebound names, strangers; on the proxy's port and on the admin port alike."""

from __future__ import annotations

import pytest

from proxy.config.checks import check
from proxy.config.model import Listener
from proxy.config.problems import Problems
from proxy.emulator.authority import write_private
from proxy.errors import KeyUnusable
from tests.e2e.line import get, post, request
from tests.e2e.standing import configuration

PORTS = ("main", "admin")
TOKEN = "a-long-enough-token"


def anything(listener: str, *fields: str, **more: str) -> bytes:
    return request("GET", "/livez" if listener == "admin" else "/echo", *fields, **more)


@pytest.mark.parametrize("listener", PORTS)
@pytest.mark.parametrize("host", ["rebound.example", "localhost.evil.example", "127.0.0.2", "localhost:1", "[::2]", ""])
async def test_another_hosts_name_is_misdirected(bank, proxy, listener, host):
    answer = await proxy.ask(anything(listener, host=host), listener=listener)
    assert answer.problem == (421, "host_not_allowed", "no")
    assert bank.received.total == 0


@pytest.mark.parametrize("listener", PORTS)
@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "[::1]", "localhost:{port}",
                                  "127.0.0.1:{port}"])
async def test_its_own_names_are_welcome(proxy, listener, host):
    answer = await proxy.ask(anything(listener, host=host.format(port=proxy.port(listener))), listener=listener)
    assert answer.status == 200


@pytest.mark.parametrize("listener", PORTS)
@pytest.mark.parametrize("sign", ["Origin: null", "Origin: http://localhost", "origin: https://page.example",
                                  "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site",
                                  "sec-fetch-site: Cross-Site"])
async def test_a_web_page_is_refused(bank, proxy, listener, sign):
    answer = await proxy.ask(anything(listener, sign), listener=listener)
    assert answer.problem == (403, "browser_origin", "no")
    assert bank.received.total == 0


async def test_a_comment_in_a_token_file_is_no_token(bank, start_proxy, tmp_path):
    write_private(tmp_path / "token", b"# of the shop\n%b\n  #%b\n" % (TOKEN.encode(), TOKEN.encode()))
    proxy = await start_proxy(bank, client_token_file=str(tmp_path / "token"))
    for guess in ("# of the shop", "of the shop", f"#{TOKEN}"):
        assert (await proxy.ask(get("/echo", f"Proxy-Authorization: Bearer {guess}"))).status == 401
    assert bank.received.total == 0
    assert (await proxy.ask(get("/echo", f"Proxy-Authorization: Bearer {TOKEN}"))).status == 200


async def test_a_withdrawn_token_is_worth_nothing_on_a_connection_that_is_kept(bank, start_proxy, tmp_path):
    write_private(tmp_path / "token", TOKEN.encode() + b"\nanother\n")
    proxy = await start_proxy(bank, client_token_file=str(tmp_path / "token"))
    async with proxy.connect() as line:
        raw = post("/echo", b"12", f"Proxy-Authorization: Bearer {TOKEN}")
        assert (await line.ask(raw)).status == 200
        (tmp_path / "token").write_bytes(b"another\n")
        await proxy.running.reload()
        assert (await line.ask(raw)).problem == (401, "client_unauthenticated", "no")
    assert bank.executions.count("POST") == 1


@pytest.mark.parametrize("listener", PORTS)
async def test_a_preflight_gets_no_permission(proxy, listener):
    raw = request("OPTIONS", "/echo", "Origin: https://page.example", "Access-Control-Request-Method: POST")
    answer = await proxy.ask(raw, listener=listener)
    assert answer.status == 403
    assert b"access-control" not in answer.raw.lower()


async def test_a_person_who_types_the_address_is_no_web_page(proxy):
    assert (await proxy.ask(get("/echo", "Sec-Fetch-Site: none"))).status == 200
    assert (await proxy.ask(get("/echo", "Sec-Fetch-Site: same-origin"))).status == 200


async def test_a_name_of_the_operators_is_added(bank, start_proxy):
    proxy = await start_proxy(bank, allowed_hosts=("Sidecar.Internal",))
    assert (await proxy.ask(get("/echo", host="sidecar.internal"))).status == 200
    assert (await proxy.ask(get("/echo", host="other.internal"))).status == 421


@pytest.fixture
async def guarded(bank, start_proxy, tmp_path):
    write_private(tmp_path / "token", TOKEN.encode() + b"\n")
    return await start_proxy(bank, client_token_file=str(tmp_path / "token"))


@pytest.mark.parametrize("field", [
    "X: none", f"Proxy-Authorization: Bearer {TOKEN}x", f"Proxy-Authorization: Basic {TOKEN}",
    "Proxy-Authorization: Bearer", "Proxy-Authorization: Bearer ", f"Authorization: Bearer {TOKEN}"])
async def test_without_the_token_nothing_is_signed(bank, guarded, field):
    answer = await guarded.ask(request("POST", "/echo", field, body=b"{}"))
    assert answer.problem == (401, "client_unauthenticated", "no")
    assert answer["WWW-Authenticate"] == 'Bearer realm="signing-proxy"'
    assert TOKEN.encode() not in answer.raw
    assert bank.received.total == 0


async def test_with_the_token_the_bank_gets_the_callers_own_and_not_the_token(bank, guarded):
    answer = await guarded.ask(get("/personal/v5/accounts", f"proxy-authorization: bearer {TOKEN}"))
    assert answer.status == 200
    assert b"Authorization: Bearer token\r\n" in bank.received[-1].head
    assert TOKEN.encode() not in bank.received[-1].head


async def test_a_token_file_as_kubernetes_mounts_it(bank, start_proxy, tmp_path):
    """A secret's volume with an fsGroup has mode 0440."""
    write_private(tmp_path / "token", TOKEN.encode())
    (tmp_path / "token").chmod(0o440)
    with pytest.raises(KeyUnusable) as refused:
        await start_proxy(bank, client_token_file=str(tmp_path / "token"))
    assert refused.value.code == "key_permissions"
    proxy = await start_proxy(bank, client_token_file=str(tmp_path / "token"), token_allow_group_read=True)
    assert (await proxy.ask(get("/echo"))).status == 401
    assert (await proxy.ask(get("/echo", f"Proxy-Authorization: Bearer {TOKEN}"))).status == 200


async def test_the_admin_port_needs_no_token_and_signs_nothing(bank, guarded):
    assert (await guarded.admin("/livez")).status == 200
    answer = await guarded.ask(post("/personal/v4/payments/domestic"), listener="admin")
    assert answer.problem == (404, "route_unknown", "no")
    assert (await guarded.admin("/personal/v5/accounts")).problem == (404, "route_unknown", "no")
    assert bank.received.total == 0


async def test_the_proxys_port_has_no_admin_pages(bank, proxy):
    for path in ("/metrics", "/status", "/readyz"):
        answer = await proxy.ask(get(path))
        assert answer.status == 404     # the bank's
        assert b"signing_proxy" not in answer.body
    assert bank.received.total == 3


@pytest.mark.parametrize("changes", [
    {"address": "0.0.0.0"}, {"address": "::"}, {"address": "192.0.2.1"},
    {"listeners": {"more": Listener(address="0.0.0.0", port=0)}}])
def test_listening_for_strangers_is_refused_at_start(files, changes):
    problems = Problems()
    check(configuration("https://127.0.0.1:1", files, **changes), problems)
    ((place, sentence),) = problems.found
    assert place.endswith("address")
    assert "client_token_file" in sentence

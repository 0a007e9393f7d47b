"""CONNECT to a bank ends here: TLS in the bank's name, and what is inside is sealed like anything else."""

from __future__ import annotations

import ssl
from contextlib import suppress

import pytest

from proxy.config.model import Route
from proxy.emulator.authority import write_private
from tests.e2e.line import connected, eventually, get, post, reset
from tests.e2e.standing import BANK_NAME
from tests.e2e.tunnels import Refused, connect, trusting, tunnelled


@pytest.fixture
async def proxy(bank, start_proxy, tmp_path):
    return await start_proxy(bank, ca_directory=str(tmp_path / "ca"))


def inside(target: str, *fields: str, host: str = BANK_NAME) -> bytes:
    return get(target, *fields, host=host)


@pytest.mark.parametrize("early", [False, True])
async def test_requests_inside_are_sealed(bank, proxy, early):
    async with tunnelled(proxy, early=early) as line:
        assert line.writer.tls.selected_alpn_protocol() == "http/1.1"
        assert line.writer.tls.version() in ("TLSv1.2", "TLSv1.3")
        assert (await line.ask(inside("/echo?a=1"))).json["target"] == "/echo?a=1"
        assert (await line.ask(post("/personal/v4/payments/domestic", host=BANK_NAME))).status in (200, 201)
    assert all(received.verdict.accepted for received in bank.received)
    assert bank.executions.total == 2
    assert [(record.form, record.route) for record in proxy.lines.records] == [("connect", "nordea")] * 2
    assert await proxy.metric("signing_proxy_client_tls_handshakes_total", listener="main", outcome="ok") == 1


async def test_a_tunnel_carries_many_requests_also_pipelined(bank, proxy):
    async with tunnelled(proxy) as line:
        for number in range(5):
            assert (await line.ask(inside(f"/echo/{number}"))).json["target"] == f"/echo/{number}"
        await line.send(b"".join(inside(f"/echo/{number}") for number in range(20)))
        for number in range(20):
            assert (await line.answer()).json["target"] == f"/echo/{number}"
    assert bank.received.total == 25


async def test_a_large_body_both_ways(bank, proxy):
    body = b'{"x":"' + b"a" * 900_000 + b'"}'
    async with tunnelled(proxy) as line:
        answer = await line.ask(post("/echo", body, host=BANK_NAME))
        assert answer.status == 200
    assert bank.received[-1].body == body


@pytest.mark.parametrize("to", [f"{BANK_NAME}:443", f"{BANK_NAME.upper()}:443", f"{BANK_NAME}.:443"])
@pytest.mark.parametrize("host", [BANK_NAME, f"{BANK_NAME}:443", BANK_NAME.upper()])
async def test_spellings_of_the_host(bank, proxy, to, host):
    async with tunnelled(proxy, authority=to) as line:
        assert (await line.ask(inside("/echo", host=host))).status == 200
    assert b"Host: open.nordea.com\r\n" in bank.received[-1].head


@pytest.mark.parametrize("target", [f"https://{BANK_NAME}/echo", "/echo"])
async def test_the_absolute_form_inside(bank, proxy, target):
    async with tunnelled(proxy) as line:
        assert (await line.ask(inside(target))).json["target"] == "/echo"


@pytest.mark.parametrize(("target", "host"), [
    ("/echo", "localhost"), ("/echo", "elsewhere.example"), ("/echo", f"{BANK_NAME}:80"),
    ("/echo", f"{BANK_NAME}:8443"),
    (f"http://{BANK_NAME}/echo", BANK_NAME), ("https://elsewhere.example/echo", "elsewhere.example")])
async def test_another_host_inside_is_misdirected(bank, proxy, target, host):
    async with tunnelled(proxy) as line:
        assert (await line.ask(inside(target, host=host))).problem == (421, "authority_mismatch", "no")
        assert (await line.ask(inside("/echo"))).status == 200      # and the connection goes on
    assert bank.received.total == 1


async def test_another_server_name_is_misdirected(bank, proxy):
    context = trusting(proxy)
    context.check_hostname = False
    async with tunnelled(proxy, name="elsewhere.example", context=context) as line:
        assert (await line.ask(inside("/echo"))).problem == (421, "authority_mismatch", "no")
    assert bank.received.total == 0


async def test_a_client_that_names_no_server(bank, proxy):
    async with tunnelled(proxy, name=None) as line:
        assert (await line.ask(inside("/echo"))).status == 200


async def test_a_web_page_inside_is_refused(bank, proxy):
    async with tunnelled(proxy) as line:
        assert (await line.ask(inside("/echo", "Origin: https://page.example"))).problem[1] == "browser_origin"
    assert bank.received.total == 0


async def test_a_tunnel_inside_a_tunnel(proxy):
    async with tunnelled(proxy) as line:
        answer = await line.ask(connect(f"{BANK_NAME}:443"))
        assert answer.problem == (405, "method_not_supported", "no")


async def test_the_banks_http_port_is_served_in_clear_and_sealed_all_the_same(bank, proxy):
    """Some clients open a tunnel for http:// too."""
    async with connected(proxy.port()) as line:
        assert (await line.ask(connect(f"{BANK_NAME}:80"), bodiless=True)).status == 200
        assert (await line.ask(inside("/echo"))).status == 200
        assert (await line.ask(inside("/echo", host=f"{BANK_NAME}:80"))).status == 200
        assert (await line.ask(inside("/echo", host="localhost"))).problem[1] == "authority_mismatch"
    assert [received.verdict.accepted for received in bank.received] == [True, True]


async def test_without_an_authority_there_is_no_tunnel(bank, start_proxy):
    proxy = await start_proxy(bank)
    async with connected(proxy.port()) as line:
        answer = await line.ask(connect(f"{BANK_NAME}:443"))
        assert answer.problem == (403, "interception_off", "no")
        assert await line.rest() == b""
    assert proxy.lines.records[0].destination == f"{BANK_NAME}:443"


@pytest.mark.parametrize(("to", "status", "code"), [
    (f"{BANK_NAME}:8443", 403, "destination_denied"), (f"{BANK_NAME}:22", 403, "destination_denied"),
    ("elsewhere.example:443", 403, "destination_denied"), ("192.0.2.1:443", 403, "destination_denied"),
    ("[2001:db8::1]:443", 403, "destination_denied"), (f"evil.{BANK_NAME}:443", 403, "destination_denied"),
    ("0:443", 403, "destination_denied"), ("a..b:443", 400, "bad_authority"),
    (f"{BANK_NAME}:00443", 400, "bad_authority"), ("1.2.3.4.5:443", 400, "bad_authority")])
async def test_other_destinations(bank, proxy, to, status, code):
    async with connected(proxy.port()) as line:
        answer = await line.ask(connect(to))
        assert answer.problem == (status, code, "no")
        assert await line.rest() == b""
    assert bank.received.total == 0


@pytest.mark.parametrize("to", ["elsewhere.example:25", f"{BANK_NAME}:8443", f"{BANK_NAME}:443"])
async def test_what_was_sent_ahead_for_a_refused_tunnel_is_no_request(bank, start_proxy, tmp_path, to):
    """Whoever supplies what goes through the tunnel could have it signed."""
    write_private(tmp_path / "token", b"the-token\n")
    asking = {"client_token_file": str(tmp_path / "token")} if to == f"{BANK_NAME}:443" else {}
    proxy = await start_proxy(bank, ca_directory=str(tmp_path / "ca"), **asking)
    async with connected(proxy.port()) as line:
        ahead = post("/personal/v4/payments/domestic", b"{}", "Proxy-Authorization: Bearer the-token")
        answer = await line.ask(connect(to) + ahead)
        assert answer.status == (407 if asking else 403)
        assert await line.rest() == b""
    assert bank.received.total == 0


@pytest.mark.parametrize("raw", [
    connect(BANK_NAME), connect(f"{BANK_NAME}:0"), connect(f"{BANK_NAME}:65536"), connect(f"u@{BANK_NAME}:443"),
    connect(f"{BANK_NAME}:443", host="elsewhere.example"), connect(f"{BANK_NAME}:443", "Content-Length: 1") + b"x",
    connect(f"{BANK_NAME}:443", "Transfer-Encoding: chunked"), connect(f"https://{BANK_NAME}:443"), connect("/")])
async def test_what_is_no_tunnel_request(bank, proxy, raw):
    async with connected(proxy.port()) as line:
        answer = await line.ask(raw)
        assert answer.problem == (400, "malformed_request", "no")
        assert await line.rest() == b""
    assert bank.received.total == 0


@pytest.mark.parametrize("early", [False, True])
async def test_plain_http_where_tls_belongs(bank, proxy, caplog, early):
    async with connected(proxy.port()) as line:
        await line.send(connect(f"{BANK_NAME}:443") + (inside("/echo") if early else b""))
        assert (await line.answer(bodiless=True)).status == 200
        if not early:
            await line.send(inside("/echo"))
        answer = await line.answer()
        assert answer.problem == (400, "tls_expected", "no")
        assert await line.rest() == b""
    assert bank.received.total == 0
    assert "does not speak TLS" in caplog.text
    assert await proxy.metric("signing_proxy_client_tls_handshakes_total", listener="main", outcome="plain_http") == 1


async def test_a_client_that_does_not_trust_the_authority_is_told_of_in_the_log(bank, proxy, caplog):
    strict = ssl.create_default_context()
    with pytest.raises(ssl.SSLCertVerificationError):
        async with tunnelled(proxy, context=strict):
            pass
    await eventually(lambda: "ca env" in caplog.text)
    assert "does not trust the certificate authority" in caplog.text
    assert "client 127.0.0.1" in caplog.text
    assert await proxy.metric("signing_proxy_client_tls_handshakes_total", listener="main", outcome="untrusted") == 1
    assert bank.received.total == 0


async def test_a_client_that_is_too_old(proxy, caplog):
    old = trusting(proxy)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        async with tunnelled(proxy, context=old):
            pass
    assert "TLS 1.2 or newer" in caplog.text


@pytest.mark.parametrize("said", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01"])
async def test_a_slow_handshake_ends(bank, proxy, said, caplog):
    async with connected(proxy.port()) as line:
        assert (await line.ask(connect(f"{BANK_NAME}:443"), bodiless=True)).status == 200
        await line.send(said)
        await proxy.until_connections(1)
        proxy.later(11)
        with suppress(ConnectionError):
            assert await line.rest() == b""
    assert "took too long" in caplog.text
    await proxy.until_connections(0)


@pytest.mark.parametrize("how", ["reset", "close"])
async def test_a_client_that_leaves_in_the_middle_of_the_handshake(proxy, how):
    async with connected(proxy.port()) as line:
        assert (await line.ask(connect(f"{BANK_NAME}:443"), bodiless=True)).status == 200
        await line.send(b"\x16\x03\x01\x02\x00\x01")
        if how == "reset":
            reset(line)
        else:
            line.writer.close()
        await proxy.until_connections(0)


async def test_a_caller_that_half_closes_after_asking_is_answered(bank, proxy):
    """close_notify, then silence: as with TCP's half-close, what has been sent is answered."""
    bank.faults.add("delay", seconds=0.05)
    async with tunnelled(proxy) as line:
        await line.send(inside("/echo"))
        await bank.until(lambda: bank.received.total == 1)
        line.writer.say_goodbye()
        assert (await line.answer()).status == 200


async def test_an_idle_tunnel_is_closed(proxy):
    async with tunnelled(proxy) as line:
        assert (await line.ask(inside("/echo"))).status == 200
        proxy.later(100)
        assert await line.rest() == b""
    await proxy.until_connections(0)


async def test_a_token_that_is_withdrawn_is_worth_nothing_in_open_tunnels_either(bank, start_proxy, tmp_path):
    write_private(tmp_path / "token", b"the-token\nanother\n")
    proxy = await start_proxy(bank, client_token_file=str(tmp_path / "token"), ca_directory=str(tmp_path / "ca"))
    async with tunnelled(proxy, "Proxy-Authorization: Bearer the-token") as line:
        assert (await line.ask(inside("/echo"))).status == 200
        (tmp_path / "token").write_bytes(b"another\n")
        await proxy.running.reload()
        assert (await line.ask(inside("/echo"))).problem == (401, "client_unauthenticated", "no")
    assert bank.received.total == 1


@pytest.mark.parametrize("literal", ["[0:0:0:0:0:0:0:1]", "[::1]", "127.0.0.1"])
async def test_a_bank_that_is_an_address_in_any_spelling(bank, start_proxy, tmp_path, literal):
    proxy = await start_proxy(bank, ca_directory=str(tmp_path / "ca"),
                              routes=(Route(profile="nordea", upstream=f"https://{literal}:9"),))
    host = "127.0.0.1" if literal == "127.0.0.1" else "[::1]"
    async with tunnelled(proxy, authority=f"{literal}:9", name=host.strip("[]")) as line:
        assert (await line.ask(inside("/echo", host=f"{host}:9"))).problem[1] == "upstream_connect"


async def test_a_slow_reader_of_a_closing_answer_gets_all_of_it(bank, proxy):
    """The connection lingers after its last answer; over TLS, too, what is in the kernel still arrives."""
    body = 600_000
    async with tunnelled(proxy) as line:
        await line.send(inside(f"/bytes/{body}", "Connection: close"))
        await bank.until(lambda: bank.received.total == 1)
        (connection,) = proxy.running.server.connections
        await eventually(lambda: connection.state.name == "LINGER")
        proxy.later(2)
        answer = await line.answer()
        assert (answer.status, len(answer.body)) == (200, body)
        assert await line.rest() == b""


async def test_the_tunnel_may_not_be_used_by_anybody_when_a_token_is_asked_for(bank, start_proxy, tmp_path):
    write_private(tmp_path / "token", b"the-token\n")
    proxy = await start_proxy(bank, client_token_file=str(tmp_path / "token"), ca_directory=str(tmp_path / "ca"))
    with pytest.raises(Refused) as refused:
        async with tunnelled(proxy):
            pass
    assert refused.value.answer.status == 407
    async with tunnelled(proxy, "Proxy-Authorization: Bearer the-token") as line:
        assert (await line.ask(inside("/echo"))).status == 200      # the tunnel carries the right
        assert (await line.ask(inside("/echo", "Proxy-Authorization: Bearer x"))).status == 200
    assert not any(b"the-token" in received.head for received in bank.received)

"""Other doors than a plain loopback port: TLS with client certificates, and Unix sockets."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import stat
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509

from proxy.app.listeners import StartFailed
from proxy.config.model import Destination, Listener, ListenerTls, Route
from proxy.emulator.authority import write_private
from proxy.errors import KeyUnusable
from tests.e2e.company import Company
from tests.e2e.line import Cut, Line, connected, eventually, get, post, within
from tests.e2e.peers import Peer, serving
from tests.e2e.standing import BANK_NAME
from tests.e2e.tunnels import Inside, connect, trusting

TOKEN = "the-listeners-token"


@pytest.fixture(scope="session")
def company(tmp_path_factory) -> Path:
    """A server's certificate, two clients', and a stranger's."""
    ours = Company(tmp_path_factory.mktemp("company"))
    ours.server("server", "localhost")
    ours.client("payments", x509.DNSName("payments.example"))
    ours.client("reports", x509.UniformResourceIdentifier("spiffe://company/reports"))
    other = Company(tmp_path_factory.mktemp("other"))
    other.client("stranger", x509.DNSName("payments.example"))
    for kind in ("key", "crt"):
        write_private(ours.directory / f"stranger.{kind}", (other.directory / f"stranger.{kind}").read_bytes())
    return ours.directory


def settings(company: Path, **changes) -> ListenerTls:
    return ListenerTls(certificate_file=str(company / "server.crt"), key_file=str(company / "server.key"),
                       **{"client_ca_file": str(company / "ca.pem"), **changes})


def client(company: Path, name: str | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(company / "ca.pem")
    if name is not None:
        context.load_cert_chain(company / f"{name}.crt", company / f"{name}.key")
    return context


@asynccontextmanager
async def by_tls(proxy, company, name, *, listener: str = "main"):
    async with connected(proxy.port(listener)) as outside:
        inside = Inside(outside, client(company, name), "localhost")
        await outside.send(inside.hello())
        try:
            await inside.shake()
            yield Line(inside.plain, inside)
        finally:
            await inside.close()


async def test_a_clients_certificate_lets_it_in_from_anywhere(bank, start_proxy, company):
    proxy = await start_proxy(bank, address="0.0.0.0", tls=settings(company))
    async with by_tls(proxy, company, "payments") as line:
        assert (await line.ask(get("/echo", host="127.0.0.1"))).status == 200
    assert bank.received[-1].verdict.accepted
    assert proxy.lines.records[-1].client_name == "payments.example"


@pytest.mark.parametrize("name", [None, "stranger"])
async def test_without_one_that_the_authority_has_signed_nothing_is_heard(bank, start_proxy, company, name, caplog):
    proxy = await start_proxy(bank, tls=settings(company))
    with pytest.raises((ssl.SSLError, ConnectionError, Cut)):
        async with by_tls(proxy, company, name) as line:
            await line.ask(get("/echo"))
    await eventually(lambda: "client_ca_file has signed" in caplog.text)
    assert bank.received.total == 0
    assert await proxy.metric("signing_proxy_client_tls_handshakes_total", listener="main",
                              outcome="no_client_certificate") == 1


async def test_only_the_named_clients(bank, start_proxy, company):
    proxy = await start_proxy(bank, tls=settings(company, client_names=("payments.example",)))
    async with by_tls(proxy, company, "payments") as line:
        assert (await line.ask(get("/echo"))).status == 200
    async with by_tls(proxy, company, "reports") as line:
        assert (await line.ask(get("/echo"))).problem == (403, "client_not_allowed", "no")
        raw = get(f"http://{BANK_NAME}/echo", host=BANK_NAME)
        assert (await line.ask(raw)).problem == (403, "client_not_allowed", "no")
    assert bank.received.total == 1


async def test_a_common_name_does_not_stand_for_the_names_that_the_authority_has_checked(bank, start_proxy, tmp_path):
    """Many authorities let whoever asks choose it (RFC 9525 section 2: no fallback to it beside a name of its kind)."""
    ours = Company(tmp_path)
    ours.server("server", "localhost")
    ours.client("reports", x509.UniformResourceIdentifier("spiffe://company/reports"),
                common_name="spiffe://company/payments")
    ours.client("old")
    proxy = await start_proxy(bank, tls=settings(tmp_path, client_names=("spiffe://company/payments", "old")))
    async with by_tls(proxy, tmp_path, "reports") as line:
        assert (await line.ask(get("/echo"))).problem == (403, "client_not_allowed", "no")
    assert bank.received.total == 0
    async with by_tls(proxy, tmp_path, "old") as line:
        assert (await line.ask(get("/echo"))).status == 200


@pytest.mark.parametrize("form", ["reverse", "tunnel"])
async def test_a_connection_of_a_client_whose_authority_was_taken_away_is_asked_to_connect_again(
        bank, start_proxy, company, tmp_path, form):
    """A token that is taken away counts no more for the next request of a connection that is kept; nor does an
    authority."""
    authorities = tmp_path / "authorities.pem"
    authorities.write_bytes((company / "ca.pem").read_bytes())
    proxy = await start_proxy(bank, tls=settings(company, client_ca_file=str(authorities)),
                              ca_directory=str(tmp_path / "ca"))
    async with by_tls(proxy, company, "payments") as outer, by_tls(proxy, company, "reports") as idle:
        line = outer
        if form == "tunnel":
            assert (await outer.ask(connect(f"{BANK_NAME}:443"), bodiless=True)).status == 200
            inside = Inside(outer, trusting(proxy), BANK_NAME)
            await outer.send(inside.hello())
            await inside.shake()
            line = Line(inside.plain, inside)
        raw = post("/echo/begun", b"12", host=BANK_NAME if form == "tunnel" else "localhost")
        assert (await line.ask(raw)).status == 200
        assert (await idle.ask(get("/echo"))).status == 200
        await proxy.running.reload()                # the same authorities: nobody has to go
        await line.send(raw[:-1])
        await eventually(lambda: proxy.running.server.buffered)
        (tmp_path / "other").mkdir()
        authorities.write_bytes(Company(tmp_path / "other").pem)
        await proxy.running.reload()
        assert await idle.rest() == b""             # it had nothing in hand, so nothing is lost
        await line.send(raw[-1:])                   # this one had been let in
        assert (await line.answer()).status == 200
        answer = await line.ask(raw)
        assert answer.problem == (403, "client_not_allowed", "no")
        assert answer["Connection"] == "close"
        if form == "tunnel":
            await inside.close()
    assert bank.executions.count("POST") == 2


async def test_a_certificate_and_a_token_where_both_are_asked_for(bank, start_proxy, company, tmp_path):
    write_private(tmp_path / "token", TOKEN.encode())
    proxy = await start_proxy(bank, tls=settings(company), client_token_file=str(tmp_path / "token"))
    async with by_tls(proxy, company, "payments") as line:
        assert (await line.ask(get("/echo"))).status == 401
        assert (await line.ask(get("/echo", f"Proxy-Authorization: Bearer {TOKEN}"))).status == 200


async def test_a_tunnel_through_a_tls_listener(bank, start_proxy, company, tmp_path):
    """An https:// proxy: TLS in TLS."""
    proxy = await start_proxy(bank, tls=settings(company), ca_directory=str(tmp_path / "ca"))
    async with by_tls(proxy, company, "payments") as outer:
        assert (await outer.ask(connect(f"{BANK_NAME}:443"), bodiless=True)).status == 200
        inside = Inside(outer, trusting(proxy), BANK_NAME)
        await outer.send(inside.hello())
        await inside.shake()
        line = Line(inside.plain, inside)
        for number in range(3):
            assert (await line.ask(post(f"/echo/{number}", host=BANK_NAME))).status == 200
        await inside.close()
    assert proxy.lines.records[-1].client_name == "payments.example"
    assert bank.received.total == 3
    await proxy.until_connections(0)


@pytest.mark.parametrize("size", [1, 3_000_000])
async def test_a_tunnel_through_a_tls_listener_whose_destination_stops_sending_first(bank, start_proxy, company, size):
    peer = Peer()

    async def handle(reader, writer):
        writer.write(b"all there is")
        writer.write_eof()
        peer.heard.append(await reader.read())

    async with serving(peer, handle):
        rule = Destination(host="127.0.0.1", policy="tunnel", ports=(peer.port,), allow_addresses=("127.0.0.0/8",))
        proxy = await start_proxy(bank, tls=settings(company), destinations=(rule,))
        async with by_tls(proxy, company, "payments") as line:
            assert (await line.ask(connect(f"127.0.0.1:{peer.port}"), bodiless=True)).status == 200
            assert await line.rest() == b"all there is"
            await line.send(bytes(size))
            line.writer.say_goodbye()
            await peer.until(lambda: bool(peer.heard))
    assert len(peer.heard[0]) == size
    assert (await proxy.lines.last()).detail == "closed"


async def test_plain_http_to_a_tls_listener(proxy_by_tls, bank, caplog):
    answer = await proxy_by_tls.ask(get("/echo"))
    assert answer.problem == (400, "listener_speaks_tls", "no")
    assert "write https://" in caplog.text
    assert bank.received.total == 0


@pytest.fixture
async def proxy_by_tls(bank, start_proxy, company):
    return await start_proxy(bank, tls=settings(company))


async def test_a_new_certificate_counts_after_a_reload(bank, start_proxy, company, tmp_path):
    for kind in ("key", "crt"):
        write_private(tmp_path / f"server.{kind}", (company / f"server.{kind}").read_bytes())
    proxy = await start_proxy(bank, tls=settings(tmp_path, client_ca_file=None))
    async with by_tls(proxy, company, None) as line:
        first = line.writer.tls.getpeercert(binary_form=True)
    (tmp_path / "fresh").mkdir()
    Company(tmp_path / "fresh").server("server", "localhost")
    os.replace(tmp_path / "fresh" / "server.crt", tmp_path / "server.crt")
    await proxy.running.reload()        # half of it: the old one stays
    async with by_tls(proxy, company, None) as line:
        assert line.writer.tls.getpeercert(binary_form=True) == first
    os.replace(tmp_path / "fresh" / "server.key", tmp_path / "server.key")
    await proxy.running.reload()
    with pytest.raises(ssl.SSLCertVerificationError):       # it is the other authority's now
        async with by_tls(proxy, company, None):
            pass


async def test_it_is_read_again_from_time_to_time(bank, start_proxy, company, tmp_path):
    for kind in ("key", "crt"):
        write_private(tmp_path / f"server.{kind}", (company / f"server.{kind}").read_bytes())
    proxy = await start_proxy(bank, tls=settings(tmp_path, client_ca_file=None), timed_reload=0.01)
    (_, door), = proxy.running.doors._tls.values()
    before = door.context
    Company(tmp_path).server("server", "localhost")
    await eventually(lambda: door.context is not before)
    with pytest.raises(ssl.SSLCertVerificationError):
        async with by_tls(proxy, company, None):
            pass


@pytest.mark.parametrize("spoil", ["mode", "pair", "missing", "no_ca"])
async def test_what_cannot_be_used_is_refused_at_start(bank, start_proxy, company, tmp_path, spoil):
    for name in ("server.key", "server.crt", "ca.pem"):
        write_private(tmp_path / name, (company / name).read_bytes())
    if spoil == "mode":
        (tmp_path / "server.key").chmod(0o644)
    elif spoil == "pair":
        (tmp_path / "server.crt").write_bytes((company / "payments.crt").read_bytes())
    elif spoil == "missing":
        (tmp_path / "server.crt").unlink()
    else:
        (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(KeyUnusable) as refused:
        await start_proxy(bank, tls=settings(tmp_path, client_ca_file=str(tmp_path / "ca.pem")))
    assert refused.value.code == {"mode": "key_permissions", "no_ca": "certificate_format"}.get(
        spoil, "listener_certificate_unusable")


# --- Unix sockets

@asynccontextmanager
async def by_socket(path: Path):
    reader, writer = await within(asyncio.open_unix_connection(str(path), limit=1 << 20))
    try:
        yield Line(reader, writer)
    finally:
        writer.transport.abort()


async def test_a_unix_socket(bank, start_proxy, tmp_path):
    path = tmp_path / "proxy.sock"
    proxy = await start_proxy(bank, address=f"unix:{path}", ca_directory=str(tmp_path / "ca"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    async with by_socket(path) as line:
        assert (await line.ask(get("/echo"))).status == 200
        assert (await line.ask(get("/echo", host="any.name"))).status == 200     # no browser gets here
        assert (await line.ask(get(f"http://{BANK_NAME}/echo", host=BANK_NAME))).status == 200
        assert (await line.ask(get("/echo", "Origin: null"))).status == 403
    assert proxy.lines.records[0].client == "local"
    assert ("main", f"unix:{path}", 0) in proxy.running.listeners
    await proxy.running.close()
    assert not path.exists()


async def test_its_mode_and_a_second_listener(bank, start_proxy, files, tmp_path):
    path = tmp_path / "more.sock"
    routes = (Route(profile="nordea", upstream=f"https://127.0.0.1:{bank.port}", host=BANK_NAME, listener="more"),)
    proxy = await start_proxy(bank, listeners={"more": Listener(address=f"unix:{path}", socket_mode="0660")},
                              routes=routes)
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    async with by_socket(path) as line:
        assert (await line.ask(get("/echo"))).status == 200
    assert (await proxy.ask(get("/echo"))).status == 404


async def test_a_socket_that_a_dead_process_left_is_replaced(bank, start_proxy, tmp_path):
    path = tmp_path / "proxy.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    await start_proxy(bank, address=f"unix:{path}")
    async with by_socket(path) as line:
        assert (await line.ask(get("/echo"))).status == 200


@pytest.mark.parametrize("what", ["alive", "file", "no directory"])
async def test_one_that_is_in_use_is_left_alone(bank, start_proxy, tmp_path, what):
    path = tmp_path / "proxy.sock" if what != "no directory" else tmp_path / "none" / "proxy.sock"
    if what == "file":
        path.write_text("important")
    elif what == "alive":
        await start_proxy(bank, address=f"unix:{path}")
    with pytest.raises(StartFailed) as failed:
        await start_proxy(bank, address=f"unix:{path}")
    assert failed.value.code == ("address_unavailable" if what == "no directory" else "address_in_use")
    if what == "file":
        assert path.read_text() == "important"
    elif what == "alive":
        async with by_socket(path) as line:
            assert (await line.ask(get("/echo"))).status == 200


async def test_a_listener_with_a_token_of_its_own(bank, start_proxy, tmp_path):
    write_private(tmp_path / "one", b"the-one-token\n")
    write_private(tmp_path / "other", b"the-other-token\n")
    routes = tuple(Route(profile="nordea", upstream=f"https://127.0.0.1:{bank.port}", host=BANK_NAME, listener=name)
                   for name in ("main", "more"))
    proxy = await start_proxy(bank, client_token_file=str(tmp_path / "one"), routes=routes, listeners={
        "more": Listener(port=0, client_token_file=str(tmp_path / "other"))})

    async def status(listener: str, token: str) -> int:
        return (await proxy.ask(get("/echo", f"Proxy-Authorization: Bearer {token}"), listener=listener)).status

    assert [await status("main", "the-one-token"), await status("main", "the-other-token")] == [200, 401]
    assert [await status("more", "the-one-token"), await status("more", "the-other-token")] == [401, 200]

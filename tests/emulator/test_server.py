"""Starting, stopping, waiting and counting."""

from __future__ import annotations

import ast
import asyncio
import socket
import ssl
from pathlib import Path

import pytest

import proxy.emulator
from proxy.emulator import Authority, Emulator, Options, Validity, probes


@pytest.fixture
async def secure(seal, authority):
    async with Emulator(Options(certificate=seal.certificate_pem, authority=authority)) as bank:
        yield bank


async def test_tls_with_the_made_authority(secure, caller_of):
    caller = caller_of(secure)
    async with caller.connect() as line:
        tls = line.writer.get_extra_info("ssl_object")
        assert tls.version() in ("TLSv1.2", "TLSv1.3")
        assert tls.selected_alpn_protocol() == "http/1.1"
        assert (await line.ask(caller.request("GET", "/echo/x"))).status == 200
    assert secure.url == f"https://localhost:{secure.port}"


async def connect(bank, name="localhost", context=None):
    context = context or ssl.create_default_context(cafile=bank.ca_pem_path)
    _, writer = await asyncio.open_connection("127.0.0.1", bank.port, ssl=context, server_hostname=name)
    writer.transport.abort()


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", "open.nordea.com", "api.nordeaopenbanking.com"])
async def test_the_certificate_holds_these_names(secure, name):
    await connect(secure, name)


async def test_other_names_and_authorities_are_refused(secure, tmp_path):
    with pytest.raises(ssl.SSLCertVerificationError):
        await connect(secure, "evil.example")
    (tmp_path / "other.pem").write_bytes(Authority().pem)
    with pytest.raises(ssl.SSLCertVerificationError):
        await connect(secure, context=ssl.create_default_context(cafile=tmp_path / "other.pem"))


async def test_a_test_may_have_a_wrong_certificate():
    async with Emulator(Options(server_validity=Validity.days(-1))) as bank:
        with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
            await connect(bank)
    async with Emulator(Options(server_names=("other.example",))) as bank:
        with pytest.raises(ssl.SSLCertVerificationError, match="localhost"):
            await connect(bank)


async def test_mutual_tls(seal, authority, caller_of, tmp_path):
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    key, certificate = seal.write(tmp_path, "client.key", "client.crt")
    async with Emulator(Options(client_ca=tmp_path / "ca.pem")) as bank:
        context = ssl.create_default_context(cafile=bank.ca_pem_path)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await connect(bank, context=context)
        context.load_cert_chain(certificate, key)
        await connect(bank, context=context)


async def test_started_again_on_the_same_port(seal, caller_of):
    bank = Emulator(Options(certificate=seal.certificate_pem))
    caller = caller_of(bank)
    await bank.start()
    port = bank.port
    await caller.get("/echo/1")
    await bank.stop()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    await bank.start()
    assert bank.port == port
    await caller.get("/echo/2")
    await bank.stop()
    assert bank.executions.total == 2


async def test_a_taken_control_port_leaves_nothing_behind(secure, seal):
    bank = Emulator(Options(certificate=seal.certificate_pem, control_port=secure.port))
    with pytest.raises(OSError, match="in use"):
        await bank.start()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", bank.port)


async def test_stop_ends_what_is_stalled_and_idle(seal, caller_of):
    bank = Emulator(Options(certificate=seal.certificate_pem, tls=False))
    await bank.start()
    caller = caller_of(bank)
    bank.faults.add("stall")
    async with caller.connect() as stalled, caller.connect() as idle:
        await stalled.send(caller.request("GET", "/echo/x"))
        await bank.until(lambda: bank.executions.total == 1)
        assert bank.open_connections == 2
        await bank.stop()
        assert bank.open_connections == 0
        assert await stalled.rest() == b""
        assert await idle.rest() == b""


async def test_a_crash_inside_is_not_hidden(seal, caller_of, monkeypatch):
    bank = Emulator(Options(certificate=seal.certificate_pem, tls=False))
    await bank.start()
    caller = caller_of(bank)
    monkeypatch.setattr(bank.bank, "act", lambda *_: 1 / 0)
    async with caller.connect() as line:
        await line.send(caller.request("GET", "/echo/x"))
        assert await line.rest() == b""
    with pytest.raises(ZeroDivisionError):
        await bank.stop()


async def test_executions_are_counted_without_bound_and_kept_with_one(seal, caller_of):
    async with Emulator(Options(certificate=seal.certificate_pem, tls=False, keep=3)) as bank:
        caller = caller_of(bank)
        async with caller.connect() as line:
            for number in range(5):
                await line.ask(caller.request("GET", f"/echo/{number}"))
            await line.ask(caller.request("POST", "/echo/5", b"{}"))
        assert (bank.executions.total, len(bank.executions)) == (6, 3)
        assert bank.executions.count("GET") == 5
        assert bank.executions.count("GET", "/echo/4") == 1
        assert [one.target for one in bank.executions] == ["/echo/3", "/echo/4", "/echo/5"]
        assert bank.executions[-1].raw.endswith(b"\r\n\r\n{}")
        bank.executions.clear()
        assert (bank.executions.total, bank.executions.count("GET"), len(bank.executions)) == (0, 0, 0)


async def test_a_failed_handshake_disturbs_nobody(secure, caller_of):
    reader, writer = await asyncio.open_connection("127.0.0.1", secure.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await reader.read()
    writer.close()
    assert (await caller_of(secure).get("/echo/x")).status == 200


async def test_stop_does_not_wait_for_a_handshake_that_never_comes(seal):
    bank = Emulator(Options(certificate=seal.certificate_pem))
    await bank.start()
    _, writer = await asyncio.open_connection("127.0.0.1", bank.port)
    await connect(bank)
    await bank.stop()
    writer.close()
    await writer.wait_closed()


def test_nothing_of_the_proxy_is_imported():
    """A verifier that shares code with the signer proves nothing."""
    for path in Path(proxy.emulator.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            ours = [name for name in names if name.split(".")[0] == "proxy"]
            assert all(name.startswith("proxy.emulator") for name in ours), path.name


def test_the_secret_is_not_shown():
    assert "emulated" not in repr(Options(client_secret="emulated"))


async def test_a_long_answer_ends_with_its_caller(secure, caller_of, monkeypatch):
    """TLS that the caller has ended takes what is written, drops it, and never asks to wait."""
    written = 0

    def blocks(length):
        nonlocal written
        for _ in range(0, length, 65536):
            written += 1
            yield bytes(65536)

    monkeypatch.setattr(probes, "pattern", blocks)
    raw = caller_of(secure).request("GET", "/bytes/1000000000")
    context = ssl.create_default_context(cafile=secure.ca_pem_path)

    def leave_in_the_middle():
        with (socket.create_connection(("127.0.0.1", secure.port)) as plain,
              context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False) as line):
            line.sendall(raw)
            assert line.recv(12) == b"HTTP/1.1 200"
            with pytest.raises(ssl.SSLError):      # more of the answer comes than it reads
                line.unwrap()

    await asyncio.to_thread(leave_in_the_middle)
    await secure.until(lambda: secure.open_connections == 0)
    assert written < 1000

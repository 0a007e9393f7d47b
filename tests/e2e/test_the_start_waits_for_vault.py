"""While Vault is awaited the admin port says so, nothing is accepted that could not be signed, and a signal ends it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from proxy.app import Running, compose
from proxy.errors import KeyUnusable
from proxy.keys.vault.settings import TransitKey, VaultSettings
from tests.e2e.child import Child
from tests.e2e.line import eventually, get, within
from tests.e2e.standing import Proxy, configuration
from tests.vault.servers import running

TOKEN = "an-admin-token"


class Starting(Proxy):
    """One whose start goes on in the background; `started` is its outcome."""

    async def __aenter__(self):
        rings = compose.keyrings(self.config, os.environ)
        self.running = Running(self.config, rings, os.environ)
        self.started = asyncio.create_task(self.running.start())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.running.close()
        self.started.cancel()
        await asyncio.wait([self.started])

    async def reason(self, text: bytes) -> None:
        """/readyz says this while it starts."""
        await eventually(lambda: self.running.listeners)
        async with asyncio.timeout(30):
            while (found := await self.admin("/readyz")).body != text:
                assert found.status == 503
                await asyncio.sleep(0.005)


@pytest.fixture
def server():
    with running("standin") as server:
        yield server


@pytest.fixture
def config(server, files, bank, monkeypatch):
    """config(**settings): a key in a Vault that is sealed."""
    monkeypatch.setenv("VAULT_TOKEN", server.token())
    monkeypatch.setenv("ADMIN", TOKEN)
    monkeypatch.setattr(compose, "_LOOK_AGAIN_S", 0.02)
    private = load_pem_private_key(files.shop.key.read_bytes(), None)
    server.standin.spaces[""].mounts["transit"].put("seal", private)
    server.standin.sealed = True

    def make(*, start_timeout: float = 60.0, **changes):
        application = files.shop.application(key_file=None, certificate_file=None, key_transit=TransitKey(
            key="seal", certificate_file=str(files.shop.certificate)))
        return configuration(bank, files, **{
            "applications": {"shop": application}, "admin_token_env": "ADMIN", "quitquitquit": True,
            "vault": VaultSettings(address=server.address, retries=0, start_timeout=start_timeout), **changes})

    return make


@pytest.fixture
def starting(config, stack, lines, monkeypatch):
    monkeypatch.setattr("proxy.app.lifecycle.LogLines", lines.opened)

    async def start(**changes) -> Starting:
        return await stack.enter_async_context(Starting(config(**changes), lines))

    return start


async def test_probes_are_answered_before_there_is_a_key(starting, server, caplog):
    proxy = await starting()
    await proxy.reason(b"starting: application shop waits for Vault (vault_sealed)\n")
    startup = await proxy.admin("/startup")
    assert (startup.status, startup.body) == (503, b"starting\n")
    assert (await proxy.admin("/livez")).status == 200
    status = (await proxy.admin("/status")).json
    assert (status["state"], [one["name"] for one in status["listeners"]]) == ("starting", ["admin"])
    assert status["applications"]["shop"]["ready"] is False
    assert await proxy.metric("signing_proxy_requests_in_flight") == 0
    for path in ("/reload", "/rotate"):
        assert (await proxy.act(path, token=TOKEN)).problem == (503, "proxy_starting", "no")
    assert (await proxy.act("/log-level?level=info", token=TOKEN)).status == 200
    os.kill(os.getpid(), signal.SIGHUP)     # ends nobody
    server.standin.sealed = False
    assert await within(proxy.started) is True
    assert (await proxy.admin("/startup")).status == (await proxy.admin("/readyz")).status == 200
    assert (await proxy.admin("/status")).json["state"] == "serving"
    assert (await proxy.ask(get("/echo"))).status == 200
    said = [record.getMessage() for record in caplog.records if "waiting for Vault" in record.getMessage()]
    assert "seconds more at most" in said[0]


async def test_what_vault_cannot_mend_ends_the_start_with_its_reason(starting, server):
    proxy = await starting()
    await proxy.reason(b"starting: application shop waits for Vault (vault_sealed)\n")
    server.standin.access.expire()
    server.standin.sealed = False
    with pytest.raises(KeyUnusable) as caught:
        await within(proxy.started)
    assert caught.value.code == "vault_denied"
    assert "application shop" in str(caught.value)


async def test_the_wait_has_an_end(starting):
    proxy = await starting(start_timeout=0.1)
    with pytest.raises(KeyUnusable) as caught:
        await within(proxy.started)
    assert caught.value.code == "vault_sealed"


async def test_it_can_be_ended_at_the_admin_port(starting):
    proxy = await starting()
    await proxy.reason(b"starting: application shop waits for Vault (vault_sealed)\n")
    assert (await proxy.act("/quitquitquit")).json == {"outcome": "ending"}
    assert await within(proxy.started) is False
    assert proxy.running.ending.code() == 0


@pytest.mark.parametrize(("number", "settings", "code", "silent"), [
    (signal.SIGTERM, {}, 143, True), (signal.SIGINT, {}, 130, False),
    (signal.SIGTERM, {"exit_zero_on_sigterm": True}, 0, False)])
async def test_a_signal_ends_the_wait_at_once(config, stack, tmp_path, number, settings, code, silent):
    """Also while an exchange with Vault is under way that nobody answers."""
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    listener.setblocking(False)
    if silent:
        settings["vault"] = VaultSettings(address=f"http://127.0.0.1:{listener.getsockname()[1]}", retries=0,
                                          timeout=3600, start_timeout=3600)
    child = await stack.enter_async_context(Child(config(**settings), tmp_path / "config.json", serving=False))
    if silent:
        stack.enter_context((await within(asyncio.get_running_loop().sock_accept(listener)))[0])
    else:
        await child.told(level="warning", message="application shop: waiting for Vault")
    child.signal(number)
    assert await child.ended() == code
    await child.finished()
    assert not [line for line in child.logged if "text" in line]        # no traceback, nothing but log lines

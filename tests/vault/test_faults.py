"""Whatever Vault does, what the proxy says about it is true, and it is said in time."""

from __future__ import annotations

import socket
import ssl
import threading
from math import inf
from time import monotonic

import pytest

from proxy.core.secret import Secret
from proxy.emulator import Authority
from proxy.errors import PROBLEMS, KeyUnusable
from proxy.keys.vault.exchange import Exchanges, Unreachable
from proxy.keys.vault.kv import KvFields, read_value
from proxy.keys.vault.place import Address
from proxy.keys.vault.settings import TransitKey, VaultAppRole, VaultField
from proxy.keys.vault.tokens import Held
from proxy.keys.vault.transit import TransitSigner, TransitSource
from tests.keys.making import NOW
from tests.vault.asking import refused
from tests.vault.engines import Transit
from tests.vault.standin import Standin

PLACE = VaultField(mount="kv2", path="value", field="field")


@pytest.fixture
def reading(local):
    local.put2("value", field="found")
    return lambda vault: read_value(vault, PLACE, vault.budget())


@pytest.fixture
def signing(local, vault):
    """signing(**settings): the loaded signer of a Transit key."""
    local.transit("seal")

    def load(**settings):
        return TransitSource(vault(local, **settings), TransitKey(key="seal")).load(NOW).signer

    return load


def test_sealed(standin, local, vault, reading):
    asked = vault(local)
    reading(asked)
    standin.sealed = True
    assert refused("vault_sealed", lambda: reading(asked)).startswith("Vault is sealed: kv2/data/value at http://")
    assert asked.tally.requests()["kv_read", "sealed"] == 1, "a sealed Vault is not asked again and again"
    standin.sealed = False
    assert reading(asked) == b"found"


@pytest.mark.parametrize(("health", "code"), [(429, "vault_standby"), (472, "vault_standby"), (473, "vault_standby"),
                                              (501, "vault_sealed"), (200, "vault_unavailable")])
def test_what_the_node_says_of_itself_names_the_failure(standin, local, vault, reading, health, code):
    asked = vault(local, retries=0)
    reading(asked)
    standin.fail("kv2/", 500)
    standin.health = health
    refused(code, lambda: reading(asked))


@pytest.mark.parametrize(("status", "body"), [
    (307, b""), (472, {"errors": []}), (473, {"errors": []}),
    (500, {"errors": ["local node not active but active cluster node not found"]})])
def test_a_standby_that_does_not_forward(standin, local, vault, reading, status, body):
    asked = vault(local)
    standin.fail("kv2/", status, body=body)
    refused("vault_standby", lambda: reading(asked))


@pytest.mark.parametrize("status", [429, 412, 500, 502, 503])
def test_what_passes_is_tried_again(standin, local, vault, reading, status):
    asked = vault(local, retries=3)
    standin.fail("kv2/", status, times=2)
    assert reading(asked) == b"found"
    standin.fail("kv2/", status)
    before = standin.count("kv2/")
    refused("vault_unavailable", lambda: reading(asked))
    assert standin.count("kv2/") - before == 4, "one attempt and three retries"


@pytest.mark.parametrize(("body", "code"), [
    (b"", "vault_missing"), (b"CANARY", "vault_refused"), (b"[1]", "vault_refused"),
    (b'{"data": "CANARY"}', "vault_missing"), (b"[" * 100_000, "vault_refused"),
    (b"x" * (1 << 21), "vault_unavailable")], ids=["nothing", "text", "a list", "no object", "deep", "endless"])
def test_an_answer_that_is_not_vaults(standin, local, vault, reading, body, code):
    asked = vault(local, retries=0)
    standin.fail("kv2/", 200, body=body)
    refused(code, lambda: reading(asked))


def test_nobody_there(local, vault, reading):
    asked = vault(local, retries=1)
    reading(asked)
    local.standin.close()
    refused("vault_unavailable", lambda: reading(asked))
    assert KvFields(asked).fingerprint(PLACE) is None


def test_a_kept_connection_that_was_closed_is_replaced_without_a_word(standin, local, vault, reading):
    asked = vault(local, retries=0)
    reading(asked)
    for connection in asked._exchanges._idle:
        connection.channel.shutdown(socket.SHUT_RDWR)
    assert reading(asked) == b"found"
    assert ("kv_read", "unreachable") not in asked.tally.requests()


def test_too_slow(standin, local, vault, reading):
    asked = vault(local, timeout=0.05, retries=0)
    asked.tokens.current(asked.budget())
    standin.latency = 30
    refused("vault_unavailable", lambda: reading(asked))
    assert asked.tally.requests()["kv_read", "timeout"] == 1


def test_drops_of_an_answer_do_not_hold_a_thread():
    """Each byte comes in time, the answer never does."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def drip():
            channel, _ = listener.accept()
            with channel:
                channel.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                try:
                    while not stop.wait(0.01):
                        channel.sendall(b"x")
                except OSError:
                    pass

        thread = threading.Thread(target=drip)
        thread.start()
        port = listener.getsockname()[1]
        exchanges = Exchanges(Address(False, "127.0.0.1", port, f"127.0.0.1:{port}"), ssl.create_default_context)
        with pytest.raises(Unreachable) as caught:
            exchanges.ask("GET", "/v1/x", {}, b"", monotonic() + 0.2)
        stop.set()
        thread.join(30)
    assert caught.value.late


def test_a_signature_has_its_own_time(standin, signing, sign):
    signer = signing(transit_timeout=0.2, timeout=30.0, retries=5)
    standin.latency = 30
    refused("vault_unavailable", lambda: sign(signer))


def test_a_signature_is_tried_again_within_its_time(standin, signing, sign):
    signer = signing()
    standin.fail("transit/sign", 503, times=2)
    before = standin.count("transit/sign")
    assert sign(signer)
    assert standin.count("transit/sign") - before == 3


@pytest.mark.parametrize(("data", "code"), [
    ({}, "vault_refused"), ({"signature": "vault:v2:QUFB"}, "vault_refused"),
    ({"signature": "vault:v1:???"}, "vault_refused"), ({"signature": "vault:v1:QUFB"}, "signing_failed")])
def test_a_signature_that_is_none_never_leaves(standin, signing, sign, data, code):
    signer = signing()
    standin.fail("transit/sign", 200, body={"data": data})
    refused(code, lambda: sign(signer))


def test_a_token_that_expires_while_transit_signs(standin, local, vault, sign):
    local.transit("seal")
    name, role_id = local.role()
    asked = vault(local, {"SECRET_ID": local.secret_id(name)},
                  approle=VaultAppRole(role_id=role_id, secret_id_env="SECRET_ID"))
    signer = TransitSource(asked, TransitKey(key="seal")).load(NOW).signer
    standin.access.expire()
    assert sign(signer)
    assert asked.tally.requests()["login", "ok"] == 2
    assert asked.tally.requests()["transit_sign", "denied"] == 1


def test_tls_is_checked_against_the_named_authority(vault, tmp_path):
    authority = Authority()
    certificate, key = authority.server().write(tmp_path, "server.key", "server.crt")[::-1]
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Standin(context) as standin:
        standin.spaces[""].mounts["secret"].versions["value"] = [{"field": "found"}]
        place = VaultField(path="value", field="field")
        port = standin.port
        for environ, settings in (({}, {"ca_file": str(tmp_path / "ca.pem")}),
                                  ({"VAULT_CACERT": str(tmp_path / "ca.pem")}, {})):
            asked = vault(standin, {"VAULT_TOKEN": standin.root, **environ}, address=f"https://127.0.0.1:{port}",
                          **settings)
            assert read_value(asked, place, asked.budget()) == b"found"
        stranger = vault(standin, {"VAULT_TOKEN": standin.root}, address=f"https://127.0.0.1:{port}", retries=0)
        assert "not trusted" in refused("vault_unavailable", lambda: read_value(stranger, place, stranger.budget()))
        lost = vault(standin, {"VAULT_TOKEN": standin.root}, address=f"https://127.0.0.1:{port}",
                     ca_file=str(tmp_path / "no.pem"))
        refused("key_unreadable", lambda: read_value(lost, place, lost.budget()))


def test_tls_is_checked_where_transit_signs(vault, key, sign, tmp_path):
    authority = Authority()
    certificate, private = authority.server().write(tmp_path, "server.key", "server.crt")[::-1]
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, private)
    with Standin(context) as standin:
        engine = standin.spaces[""].mounts["transit"] = Transit()
        engine.put("seal", key)

        def signer(address, ca_file, environ=None):
            asked = vault(standin, {"VAULT_TOKEN": standin.root, **(environ or {})}, address=address, ca_file=ca_file,
                          retries=0)
            asked.tokens._held = Held(Secret(standin.root.encode()), inf, inf, False, None)
            return TransitSigner(asked, TransitKey(key="seal"), 1, key.public_key())

        here, named = f"https://127.0.0.1:{standin.port}", f"https://localhost:{standin.port}"
        for address in (here, named):
            assert sign(signer(address, str(tmp_path / "ca.pem")))
        assert sign(signer(here, None, {"VAULT_CACERT": str(tmp_path / "ca.pem")}))
        assert "not trusted" in refused("vault_unavailable", lambda: sign(signer(here, None)))
        with pytest.raises(KeyUnusable) as caught:
            sign(signer(here, str(tmp_path / "no.pem")))
        assert "key_unreadable" in (caught.value.code, caught.value.detail)     # a request is told by its status


def test_closing_ends_what_is_under_way(standin, local, vault, reading):
    asked = vault(local, timeout=60.0)
    asked.tokens.current(asked.budget())
    standin.latency = 60
    said: list[str] = []
    thread = threading.Thread(target=lambda: said.append(refused("vault_unavailable", lambda: reading(asked))))
    thread.start()
    while not standin.concurrent:
        threading.Event().wait(0.005)
    asked.close()
    thread.join(30)
    assert said


def test_every_code_of_vault_is_tested():
    """And each may reach a caller, for Transit is asked while one waits."""
    codes = {code for code in PROBLEMS if code.startswith("vault_")}
    assert codes == {"vault_unavailable", "vault_sealed", "vault_standby", "vault_denied", "vault_missing",
                     "vault_refused", "vault_login_failed"}
    assert {PROBLEMS[code].status for code in codes} == {503}

"""Tokens and AppRoles, wrapped or not, and the way back from a token that has gone, on every server there is."""

from __future__ import annotations

import pytest

from proxy.keys.vault.kv import VaultKeySource, read_value
from proxy.keys.vault.settings import TransitKey, VaultAppRole, VaultField, VaultKey, VaultKubernetes
from proxy.keys.vault.transit import TransitSource
from tests.keys.making import NOW, write
from tests.vault.asking import MESSAGE, refused
from tests.vault.cluster import Cluster
from tests.vault.servers import SPACE


@pytest.fixture
def reading(server):
    """reading(vault): one value of KV."""
    path = server.fresh("value")
    server.put2(path, field="found")
    return lambda vault: read_value(vault, VaultField(mount="kv2", path=path, field="field"), vault.budget())


def test_a_token_from_the_environment(server, vault, reading):
    for environ, settings in (({"VAULT_TOKEN": server.token()}, {}), ({"MINE": server.token()}, {"token_env": "MINE"})):
        assert reading(vault(server, environ, **settings)) == b"found"


def test_vaults_own_variables_say_where_it_is(server, vault, reading):
    environ = {"VAULT_ADDR": server.address + "/", "VAULT_TOKEN": server.token()}
    assert reading(vault(server, environ, address=None)) == b"found"


def test_a_token_that_vault_does_not_know(server, vault, reading):
    said = refused("vault_denied", lambda: reading(vault(server, {"VAULT_TOKEN": "hvs.CANARY"})))
    assert "it has probably expired" in said
    place = VaultField(mount="secret", path="not-ours", field="field")
    asked = vault(server)
    assert "its policy does not allow" in refused("vault_denied", lambda: read_value(asked, place, asked.budget()))


def test_a_token_file_that_an_agent_renews(server, vault, reading, tmp_path):
    first = server.token()
    path = write(tmp_path / "token", first.encode() + b"\n")
    asked = vault(server, token_file=path)
    assert reading(asked) == b"found"
    server.revoke(first)
    refused("vault_denied", lambda: reading(asked))
    write(tmp_path / "token", server.token().encode())
    assert reading(asked) == b"found"


def test_an_approle(server, vault, reading, tmp_path):
    name, role_id = server.role()
    path = write(tmp_path / "secret-id", server.secret_id(name).encode())
    asked = vault(server, approle=VaultAppRole(role_id=role_id, secret_id_file=path))
    assert reading(asked) == b"found"
    assert asked.tokens.expiry is not None
    token = asked.tokens.current(asked.budget())
    server.revoke(token.reveal().decode())
    assert reading(asked) == b"found", "it has logged in again"
    assert asked.tokens.current(asked.budget()) is not token


def test_the_role_id_from_a_file(server, vault, reading, tmp_path):
    name, role_id = server.role()
    role = VaultAppRole(role_id_file=write(tmp_path / "role-id", role_id.encode()), secret_id_env="SECRET_ID")
    assert reading(vault(server, {"SECRET_ID": server.secret_id(name)}, approle=role)) == b"found"


def test_a_wrapped_secret_id_is_unwrapped_once(server, vault, reading, tmp_path):
    name, role_id = server.role()
    path = write(tmp_path / "wrapped", server.secret_id(name, wrap=60).encode())
    role = VaultAppRole(role_id=role_id, secret_id_file=path, wrapped=True)
    asked = vault(server, approle=role)
    assert reading(asked) == b"found"
    server.revoke(asked.tokens.current(asked.budget()).reveal().decode())
    assert reading(asked) == b"found", "the secret id is remembered"
    said = refused("vault_login_failed", lambda: reading(vault(server, approle=role)))
    assert "used before" in said


def test_a_secret_id_that_is_used_up_wants_a_new_one(server, vault, reading, tmp_path):
    name, role_id = server.role(uses=1)
    path = write(tmp_path / "secret-id", server.secret_id(name).encode())
    asked = vault(server, approle=VaultAppRole(role_id=role_id, secret_id_file=path))
    assert reading(asked) == b"found"
    server.revoke(asked.tokens.current(asked.budget()).reveal().decode())
    refused("vault_login_failed", lambda: reading(asked))
    write(tmp_path / "secret-id", server.secret_id(name).encode())
    assert reading(asked) == b"found"


def test_a_login_that_is_refused(server, vault, reading, tmp_path):
    _, role_id = server.role()
    path = write(tmp_path / "secret-id", b"CANARY")
    refused("vault_login_failed", lambda: reading(vault(server, approle=VaultAppRole(
        role_id=role_id, secret_id_file=path))))
    refused("vault_login_failed", lambda: reading(vault(server, approle=VaultAppRole(
        mount="elsewhere", role_id=role_id, secret_id_file=path))))


def test_what_the_policy_denies_is_not_asked_for_with_new_logins(server, vault, tmp_path):
    name, role_id = server.role()
    path = write(tmp_path / "secret-id", server.secret_id(name).encode())
    asked = vault(server, approle=VaultAppRole(role_id=role_id, secret_id_file=path))
    source = VaultKeySource(asked, VaultKey(mount="secret", path="x"))
    for _ in range(3):
        refused("vault_denied", lambda: source.load(None))
    assert asked.tally.requests()["login", "ok"] == 1


def test_a_renewal_lengthens_the_tokens_life(server, vault, reading):
    now = [0.0]
    asked = vault(server, {"VAULT_TOKEN": server.token(ttl="900s")})
    asked.tokens._now = lambda: now[0]
    assert reading(asked) == b"found"
    assert 550 < asked.tokens.pause() <= 600
    now[0] = 599.0
    asked.tokens.tend()
    assert ("renew", "ok") not in asked.tally.requests()
    now[0] = 601.0
    asked.tokens.tend()
    assert asked.tally.requests()["renew", "ok"] == 1
    assert asked.tokens.pause() > 500


@pytest.fixture
def cluster():
    with Cluster() as cluster:
        yield cluster


def test_a_service_account(server, vault, reading, cluster, tmp_path):
    account = cluster.account("signing-proxy")
    role, path = server.service(cluster, account.name), write(tmp_path / "jwt", account.jwt.encode(), 0o644)
    asked = vault(server, kubernetes=VaultKubernetes(role=role, jwt_file=path))
    assert reading(asked) == b"found"
    assert asked.tokens.expiry is not None
    refused("vault_login_failed", lambda: reading(vault(server, kubernetes=VaultKubernetes(
        role="another", jwt_file=path))))
    write(tmp_path / "jwt", cluster.account("somebody").jwt.encode(), 0o644)
    refused("vault_login_failed", lambda: reading(vault(server, kubernetes=VaultKubernetes(role=role, jwt_file=path))))
    write(tmp_path / "jwt", account.jwt.encode(), 0o644)
    cluster.forget(account)
    refused("vault_login_failed", lambda: reading(vault(server, kubernetes=VaultKubernetes(role=role, jwt_file=path))))
    assert cluster.reviewed >= 2, "the cluster was asked about tokens that look right"


def test_a_namespace(server, vault):
    if not server.namespace():
        pytest.skip("This server has no namespaces: they belong to Vault's Enterprise edition and to OpenBao.")
    server.call("POST", "kv2/value", {"field": "of the team"}, namespace=SPACE)
    place = VaultField(mount="kv2", path="value", field="field", kv=1)
    for environ, settings in (({}, {"namespace": SPACE}), ({"VAULT_NAMESPACE": f"{SPACE}/"}, {})):
        asked = vault(server, {"VAULT_TOKEN": server.token(), **environ}, **settings)
        assert read_value(asked, place, asked.budget()) == b"of the team"
    stranger = vault(server, namespace="nobody")
    refused("vault_missing", lambda: read_value(stranger, place, stranger.budget()))


def test_a_sealed_server_says_so_and_serves_again(server, vault, reading, tmp_path):
    name, seal = server.role()[0], server.fresh("seal")
    server.transit(seal)
    asked = vault(server)
    signer = TransitSource(asked, TransitKey(key=seal)).load(NOW).signer
    path = write(tmp_path / "secret-id", server.secret_id(name).encode())
    fresh = vault(server, approle=VaultAppRole(role_id="any", secret_id_file=path))
    server.seal()
    try:
        refused("vault_sealed", lambda: reading(asked))
        refused("vault_sealed", lambda: signer.sign(MESSAGE))
        refused("vault_sealed", lambda: reading(fresh))
    finally:
        server.unseal()
    assert reading(asked) == b"found"
    assert signer.sign(MESSAGE)

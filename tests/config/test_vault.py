"""What is wrong with the places in Vault is told where it is written."""

from __future__ import annotations

import pytest

BASE = """\
vault: {address: 'https://vault.example:8200', token_file: token}
applications:
  acme:
    client_id: id-1
    client_secret_file: secret
    key_vault: {path: qseal}
routes: nordea
"""
KEY = "applications.acme.key_vault"
NO_PATH = "This is not a path in Vault. Write names separated by '/', without one at either end."
CASES = [
    ("key_vault: {path: qseal}", "key_vault: {}", f"{KEY}.path", "This key is missing. Add it."),
    ("path: qseal", "path: /qseal", f"{KEY}.path", NO_PATH),
    ("path: qseal", "path: a/../b", f"{KEY}.path", NO_PATH),
    ("path: qseal", "path: 'a?b'", f"{KEY}.path", NO_PATH),
    ("path: qseal", "path: data/qseal", f"{KEY}.path",
     "In KV version 2, data/ belongs to the API and not to the path. Remove it."),
    ("path: qseal", "path: qseal, kv: 3", f"{KEY}.kv", "This is not one of the choices. Write 1 or 2."),
    ("path: qseal", "path: qseal, kv: 1, version: 2", f"{KEY}.version",
     "KV version 1 keeps no versions. Remove it, or write kv: 2."),
    ("path: qseal", "path: qseal, version: 0", f"{KEY}.version",
     "This is not a whole number of at least 1. Write such a number, without quotes."),
    ("path: qseal", "path: qseal, key_field: 'a b'", f"{KEY}.key_field",
     "This is not the name of a field. Use letters, digits, dots, hyphens and underscores."),
    ("    key_vault:", "    key_file: k\n    key_vault:", KEY,
     "Both key_file and key_vault are given. Keep one of them."),
    ("    key_vault:", "    key_transit: {key: seal}\n    key_vault:", "applications.acme.key_transit",
     "Both key_vault and key_transit are given. Keep one of them."),
    ("    key_vault:", "    certificate_file: c\n    key_vault:", "applications.acme.certificate_file",
     "This belongs to key_file, and the key comes from key_vault. Move it into key_vault, or remove it."),
    ("key_vault: {path: qseal}", "key_transit: {key: a/, certificate_file: c}", "applications.acme.key_transit.key",
     NO_PATH),
    ("key_vault: {path: qseal}",
     "key_transit: {key: a, certificate_file: c, certificate_vault: {path: a, field: b}}",
     "applications.acme.key_transit.certificate_vault",
     "Both certificate_file and certificate_vault are given. Keep one of them."),
    ("    client_secret_file: secret", "    client_secret_file: s\n    client_secret_vault: {path: a, field: b}",
     "applications.acme.client_secret_vault",
     "Both client_secret_file and client_secret_vault are given. Keep one of them."),
    ("https://vault", "http://vault", "vault.address",
     "Tokens and keys would travel in clear. Write https:// instead of http://, or name an agent on this machine."),
    ("https://vault.example:8200", "vault.example", "vault.address",
     "This is not an address of Vault. Write https://host:port, without a path or a user."),
    ("https://vault.example:8200", "https://vault.example:99999", "vault.address",
     "This port does not exist. Write one from 1 to 65535."),
    ("token_file: token", "token: hunter2", "vault.token",
     "token is never written here itself. Put it in a file and name that with token_file, or a variable with "
     "token_env."),
    ("token_file: token", "token_env: hunter-2", "vault.token_env",
     "This is not the name of an environment variable. Give the variable's name, not its value."),
    ("token_file: token", "token_file: token, kubernetes: {role: proxy}", "vault.kubernetes",
     "Both token_file and kubernetes are given. Keep one of them."),
    ("token_file: token", "approle: {role_id: r}", "vault.approle.secret_id_file",
     "This is missing. Give secret_id_file or secret_id_env."),
    ("token_file: token", "approle: {secret_id_file: s}", "vault.approle.role_id",
     "This is missing. Give role_id or role_id_file."),
    ("token_file: token", "token_file: token, namespace: a b", "vault.namespace", NO_PATH),
    (", token_file: token", "", "vault.token_file",
     "Nothing says who the proxy is in Vault. Give token_file, token_env, approle or kubernetes, or the variable "
     "VAULT_TOKEN."),
    ("address: 'https://vault.example:8200', ", "", "vault.address",
     "An application keeps something in Vault, and nothing says where Vault is. Give address, or the variable "
     "VAULT_ADDR."),
]


@pytest.mark.parametrize(("old", "new", "place", "sentence"), CASES)
def test_a_problem_and_its_place(problems, old, new, place, sentence):
    assert old in BASE
    assert problems(BASE.replace(old, new, 1)) == [(place, sentence)]


def test_vaults_own_variables_are_enough(problems, read):
    text = BASE.partition("\n")[2]
    environ = {"VAULT_ADDR": "https://vault.example:8200", "VAULT_TOKEN": "CANARY"}
    config = read(text, environ)
    assert config.vault is None
    assert config.needs_vault
    assert [place for place, _ in problems(text)] == ["vault.address", "vault.token_file"]
    assert problems(text, {**environ, "VAULT_ADDR": "http://vault.example"}) == [
        ("VAULT_ADDR", "Tokens and keys would travel in clear. Write https:// instead of http://, or name an agent on "
                       "this machine.")]
    assert [place for place, _ in problems(text, {**environ, "VAULT_NAMESPACE": "a b"})] == ["VAULT_NAMESPACE"]


def test_an_address_alone_and_relative_files(read, tmp_path):
    config = read("vault: 'https://vault.example'\n" + BASE.partition("\n")[2], {"VAULT_TOKEN": "CANARY"})
    assert config.vault.address == "https://vault.example"
    config = read(BASE)
    assert config.vault.token_file == str(tmp_path / "token")


def test_a_variable_that_it_names_is_none_of_ours(problems):
    text = BASE.replace("token_file: token", "token_env: SIGNING_PROXY_VAULT_TOKEN")
    assert problems(text, {"SIGNING_PROXY_VAULT_TOKEN": "CANARY"}) == []

"""Every key of the configuration that names a variable with a secret in it is known, so that workers are not started
with it."""

from __future__ import annotations

import json
from pathlib import Path

from proxy.config.environment import secret_variables
from proxy.config.model import Application, Config, EgressProxy
from proxy.keys.pkcs11 import Pkcs11Key
from proxy.keys.rotation import NextKey
from proxy.keys.vault.settings import VaultAppRole, VaultSettings

SCHEMA = Path(__file__).parents[2] / "config" / "schema.json"


def test_wherever_they_are_named():
    config = Config(
        applications={"shop": Application(client_id_env="A", client_secret_env="B", key_password_env="C",
                                          key_pkcs11=Pkcs11Key(module="/m.so", pin_env="D"),
                                          next=NextKey(key_file="k", key_password_env="E"))},
        egress_proxy=EgressProxy(url="http://p:1", password_env="F"), admin_token_env="G",
        vault=VaultSettings(token_env="H", approle=VaultAppRole(secret_id_env="I")))
    assert secret_variables(config) == {*"ABCDEFGHI", "VAULT_TOKEN"}
    assert secret_variables(Config()) == {"VAULT_TOKEN"}


def test_every_such_key_is_in_this_test():
    definitions = json.loads(SCHEMA.read_text())["$defs"]
    keys = [f"{name}.{key}" for name, kind in definitions.items() for key in kind.get("properties", {})
            if key.endswith("_env")]
    assert len(keys) == 9, keys

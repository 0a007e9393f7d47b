"""The way to a real server works also where none is installed: a program of that name is found, set up and ended."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from proxy.keys.vault.kv import read_value
from proxy.keys.vault.settings import VaultField, VaultKubernetes
from tests.keys.hsm import ROOT
from tests.keys.making import write
from tests.vault import servers
from tests.vault.cluster import Cluster

PROGRAM = """#!PYTHON
import json, os, signal, sys, threading
sys.path.insert(0, ROOT)
from tests.vault.standin import Standin
given = dict(argument.lstrip("-").partition("=")[::2] for argument in sys.argv[1:])
over = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: over.set())
with Standin(port=int(given["dev-listen-address"].rpartition(":")[2]), root=given["dev-root-token-id"]) as standin:
    print("Unseal Key: of-the-program", flush=True)
    over.wait(60)
with open(RECORD, "w") as record:
    json.dump({"argv": sys.argv[1:], "environ": dict(os.environ), "seen": [seen[:2] for seen in standin.seen]}, record)
"""


def program(record: Path) -> bytes:
    values = {"PYTHON": sys.executable, "ROOT": repr(str(ROOT)), "RECORD": repr(str(record))}
    text = PROGRAM
    for name, value in values.items():
        text = text.replace(name, value)
    return text.encode()


@pytest.mark.parametrize("kind", ["vault", "bao"])
def test_a_program_on_path_is_started_set_up_and_ended(kind, vault, tmp_path, monkeypatch):
    write(tmp_path / kind, program(tmp_path / "record"), 0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("VAULT_TOKEN", "of the developer")
    assert servers.missing(kind) == ""
    with servers.running(kind) as server, Cluster() as cluster:
        server.put2("value", field="found")
        assert server.secret_id(server.role()[0])
        account = cluster.account("signing-proxy")
        path = write(tmp_path / "jwt", account.jwt.encode())
        asked = vault(server, kubernetes=VaultKubernetes(role=server.service(cluster, account.name), jwt_file=path))
        assert read_value(asked, VaultField(mount="kv2", path="value", field="field"), asked.budget()) == b"found"
    told = json.loads((tmp_path / "record").read_text())
    assert told["argv"][:2] == ["server", "-dev"]
    assert "VAULT_TOKEN" not in told["environ"]
    asked_for = [path for method, path in told["seen"] if method == "POST"]
    for wanted in ("sys/mounts/kv1", "sys/mounts/kv2", "sys/mounts/transit", "sys/auth/approle", "sys/auth/kubernetes",
                   "sys/policies/acl/proxy", "auth/kubernetes/config"):
        assert wanted in asked_for

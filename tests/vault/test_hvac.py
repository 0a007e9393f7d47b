"""A client that nobody here wrote finds in the stand-in what it expects of Vault."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from tests.vault.cluster import Cluster

hvac = pytest.importorskip("hvac", reason="The package hvac is missing: install the extra dev.")
MESSAGE = b"what is signed"


@pytest.fixture
def client(local):
    client = hvac.Client(url=local.address, token=local.root)
    yield client
    client.adapter.close()


def test_kv_2(client):
    kv = client.secrets.kv.v2
    kv.create_or_update_secret("team/qseal", secret={"field": "one"}, mount_point="kv2")
    kv.create_or_update_secret("team/qseal", secret={"field": "two"}, mount_point="kv2")
    latest = kv.read_secret_version("team/qseal", mount_point="kv2", raise_on_deleted_version=True)
    assert (latest["data"]["data"], latest["data"]["metadata"]["version"]) == ({"field": "two"}, 2)
    assert kv.read_secret_version("team/qseal", version=1, mount_point="kv2",
                                  raise_on_deleted_version=True)["data"]["data"] == {"field": "one"}
    assert kv.read_secret_metadata("team/qseal", mount_point="kv2")["data"]["current_version"] == 2
    kv.delete_latest_version_of_secret("team/qseal", mount_point="kv2")
    with pytest.raises(hvac.exceptions.InvalidPath):
        kv.read_secret_version("team/qseal", mount_point="kv2", raise_on_deleted_version=True)
    assert kv.read_secret_version("team/qseal", mount_point="kv2", raise_on_deleted_version=False)["data"][
        "metadata"]["deletion_time"]


def test_kv_1(client):
    kv = client.secrets.kv.v1
    kv.create_or_update_secret("qseal", secret={"field": "one"}, mount_point="kv1")
    assert kv.read_secret("qseal", mount_point="kv1")["data"] == {"field": "one"}
    with pytest.raises(hvac.exceptions.InvalidPath):
        kv.read_secret("nothing", mount_point="kv1")


@pytest.mark.parametrize("prehashed", [False, True])
def test_transit(client, prehashed):
    transit = client.secrets.transit
    transit.create_key("seal", key_type="rsa-2048")
    transit.rotate_key("seal")
    read = transit.read_key("seal")["data"]
    assert (read["latest_version"], sorted(read["keys"])) == (2, ["1", "2"])
    digest = SHA256()
    given = MESSAGE
    if prehashed:
        import hashlib

        given = hashlib.sha256(MESSAGE).digest()
    signed = transit.sign_data("seal", base64.b64encode(given).decode(), key_version=1, hash_algorithm="sha2-256",
                               prehashed=prehashed, signature_algorithm="pkcs1v15")["data"]["signature"]
    assert signed.startswith("vault:v1:")
    public = load_pem_public_key(read["keys"]["1"]["public_key"].encode())
    public.verify(base64.b64decode(signed.split(":")[2]), MESSAGE, PKCS1v15(), digest)


def test_logins(client, local, standin):
    name, role_id = local.role()
    other = hvac.Client(url=local.address)
    other.auth.approle.login(role_id, local.secret_id(name))
    assert other.is_authenticated()
    found = other.auth.token.lookup_self()["data"]
    assert (found["policies"], found["renewable"]) == (["proxy"], True)
    assert other.auth.token.renew_self()["auth"]["lease_duration"] == 3600
    with pytest.raises(hvac.exceptions.InvalidRequest):
        other.auth.approle.login(role_id, "not this one")
    with Cluster() as cluster:
        account = cluster.account("proxy")
        other.auth.kubernetes.login(local.service(cluster, account.name), account.jwt)
    assert other.is_authenticated()
    other.token = "unknown"
    assert not other.is_authenticated()
    with pytest.raises(hvac.exceptions.Forbidden):
        other.secrets.kv.v1.read_secret("x", mount_point="kv1")
    other.adapter.close()


def test_unwrapping(client, local):
    name, _ = local.role()
    wrapping = local.secret_id(name, wrap=60)
    assert client.sys.unwrap(wrapping)["data"]["secret_id"].startswith("secret-id-")
    with pytest.raises(hvac.exceptions.InvalidRequest):
        client.sys.unwrap(wrapping)


def test_health_and_seal(client, standin):
    assert client.sys.read_health_status(method="GET")["sealed"] is False
    standin.sealed = True
    assert client.sys.read_health_status(method="GET").status_code == 503
    with pytest.raises(hvac.exceptions.VaultDown):
        client.secrets.kv.v1.read_secret("x", mount_point="kv1")

"""KV version 1 and 2 as keys and credentials are kept in it, on every server there is."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from proxy.keys.credentials import CredentialSettings, CredentialSource
from proxy.keys.vault.kv import KvFields, VaultKeySource
from proxy.keys.vault.settings import VaultField, VaultKey
from tests.keys.making import NOW, PASSWORD, keystore, pem, pkcs1, pkcs8
from tests.vault.asking import refused, verified


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


FORMS = {
    "PEM": lambda key, cert: {"private_key": pkcs8(key).decode(), "certificate": pem(cert).decode()},
    "PKCS#1": lambda key, cert: {"private_key": pkcs1(key).decode(), "certificate": pem(cert).decode()},
    "base64 of DER": lambda key, cert: {"private_key": b64(pkcs8(key, Encoding.DER)), "certificate": b64(cert)},
    "base64 of PEM": lambda key, cert: {"private_key": b64(pkcs8(key)), "certificate": b64(pem(cert))},
    "encrypted": lambda key, cert: {"private_key": pkcs8(key, password=PASSWORD).decode(),
                                    "certificate": pem(cert).decode(), "password": PASSWORD.decode()},
    "PKCS#12": lambda key, cert: {"private_key": b64(keystore(key, cert)), "password": PASSWORD.decode()},
}


@pytest.mark.parametrize("kv", [1, 2])
@pytest.mark.parametrize("form", FORMS)
def test_a_key_in_each_form_signs(server, vault, key, cert, form, kv):
    path, fields = server.fresh("team/qseal"), FORMS[form](key, cert)
    (server.put1 if kv == 1 else server.put2)(path, **fields)
    settings = VaultKey(mount=f"kv{kv}", path=path, kv=kv, password_field="password" if "password" in fields else None,
                        certificate_field="certificate" if "certificate" in fields else None)
    source = VaultKeySource(vault(server), settings)
    loaded = source.load(NOW)
    verified(loaded)
    assert (loaded.signer.bits, loaded.signer.inline, loaded.warnings) == (2048, True, ())
    assert source.describe() == f"vault kv kv{kv}/{path}"
    assert source.watched() == ()


def test_the_latest_version_or_a_pinned_one(server, vault, key, cert, other_key, other_cert):
    path, asked = server.fresh("qseal"), vault(server)
    server.put2(path, **FORMS["PEM"](key, cert))
    server.put2(path, **FORMS["PEM"](other_key, other_cert))

    def load(version):
        place = VaultKey(mount="kv2", path=path, certificate_field="certificate", version=version)
        return VaultKeySource(asked, place).load(NOW)

    first, second, latest = load(1), load(2), load(None)
    assert first.signer.spki_sha256 != second.signer.spki_sha256 == latest.signer.spki_sha256
    for loaded in (first, second):
        verified(loaded)
    assert "version=3" in refused("vault_missing", lambda: load(3))
    server.call("DELETE", f"kv2/data/{path}")
    assert "deleted" in refused("vault_missing", lambda: load(None))
    verified(load(1))


def test_a_fingerprint_changes_with_the_secret_alone(server, vault, key, cert):
    path, asked = server.fresh("qseal"), vault(server)
    server.put2(path, **FORMS["PEM"](key, cert))
    source = VaultKeySource(asked, VaultKey(mount="kv2", path=path))
    before = source.fingerprint()
    assert before == source.fingerprint() is not None
    server.put2(path, **FORMS["PKCS#1"](key, cert))
    assert source.fingerprint() not in (before, None)


def test_credentials(server, vault):
    path = server.fresh("bank")
    server.put2(path, id="the-id", secret="CANARY-secret")
    settings = CredentialSettings(client_id_vault=VaultField(mount="kv2", path=path, field="id"),
                                  client_secret_vault=VaultField(mount="kv2", path=path, field="secret"))
    source = CredentialSource(settings, {}, KvFields(vault(server)))
    loaded = source.load()
    assert (loaded.client_id, loaded.client_secret.reveal()) == (b"the-id", b"CANARY-secret")
    assert "CANARY" not in repr(loaded)
    before = source.fingerprint()
    server.put2(path, id='the"id', secret="CANARY\nsecret")
    assert source.fingerprint() not in (before, None)
    refused("secret_missing", source.client_id)
    assert "field secret of kv2" in refused("secret_missing", source.client_secret)


REFUSALS = {
    "no such secret": ("vault_missing", {"path": "nothing/here"}, {}),
    "no such mount": ("vault_missing", {"mount": "nowhere"}, {}),
    "not allowed": ("vault_denied", {"mount": "secret"}, {}),
    "KV 2 read as KV 1": ("vault_missing", {"kv": 1}, {}),
    "no such field": ("vault_missing", {"key_field": "privat_key"}, {}),
    "no such certificate field": ("vault_missing", {"certificate_field": "crt"}, {}),
    "a number": ("vault_missing", {}, {"private_key": 12}),
    "empty": ("vault_missing", {}, {"private_key": " "}),
    "garbage": ("key_format", {}, {"private_key": "CANARY garbage"}),
    "garbage certificate": ("certificate_format", {}, {"certificate": "CANARY garbage"}),
    "no password": ("key_password", {}, {"private_key": lambda key: pkcs8(key, password=PASSWORD).decode()}),
    "wrong password": ("key_password", {"password_field": "p"},
                       {"private_key": lambda key: pkcs8(key, password=PASSWORD).decode(), "p": "CANARY"}),
    "EC": ("key_type", {}, {"private_key": lambda key: ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()}),
    "too small": ("key_too_small", {"certificate_field": None},
                  {"private_key": lambda key: pkcs8(rsa.generate_private_key(65537, 1024)).decode()}),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_is_wrong_is_told_in_one_sentence(server, vault, key, cert, case):
    code, settings, fields = REFUSALS[case]
    path = server.fresh("qseal")
    made = {name: value(key) if callable(value) else value for name, value in fields.items()}
    server.put2(path, **{**FORMS["PEM"](key, cert), **made})
    place = VaultKey(**{"mount": "kv2", "path": path, "certificate_field": "certificate", **settings})
    refused(code, lambda: VaultKeySource(vault(server), place).load(NOW))


def test_kv_1_read_as_kv_2(server, vault, key, cert):
    path = server.fresh("qseal")
    server.put1(path, **FORMS["PEM"](key, cert))
    refused("vault_missing", lambda: VaultKeySource(vault(server), VaultKey(mount="kv1", path=path)).load(NOW))


def test_another_keys_certificate(server, vault, key, other_cert):
    path = server.fresh("qseal")
    server.put2(path, **FORMS["PEM"](key, other_cert))
    place = VaultKey(mount="kv2", path=path, certificate_field="certificate")
    refused("key_pair_mismatch", lambda: VaultKeySource(vault(server), place).load(NOW))

"""Transit: the key stays in Vault, and what it signs is what the certificate verifies, on every server there is."""

from __future__ import annotations

import pytest

from proxy.keys.vault.settings import TransitKey, VaultField
from proxy.keys.vault.transit import TransitSource
from tests.keys.making import NOW, write
from tests.vault.asking import MESSAGE, certified, refused, verified


@pytest.fixture
def certify(tmp_path, key):
    """certify(public_pem): the path of a certificate for it."""
    return lambda public_pem: write(tmp_path / "seal.crt", certified(public_pem, key))


@pytest.mark.parametrize("prehashed", [False, True], ids=["bytes", "prehashed"])
def test_a_signature(server, vault, certify, sign, prehashed):
    name = server.fresh("seal")
    path = certify(server.transit(name)["1"]["public_key"])
    source = TransitSource(vault(server), TransitKey(key=name, prehashed=prehashed, certificate_file=path))
    loaded = source.load(NOW)
    signature = verified(loaded, sign)
    assert signature == sign(loaded.signer), "PKCS#1 v1.5 has no random part"
    assert (loaded.signer.bits, loaded.signer.inline, loaded.warnings) == (2048, False, ())
    assert source.describe() == f"vault transit transit/{name}"
    assert source.watched() == (path,)
    assert "RSA" not in repr(loaded.signer)


def test_a_longer_key(server, vault, certify):
    name = server.fresh("seal")
    path = certify(server.transit(name, "rsa-3072")["1"]["public_key"])
    loaded = TransitSource(vault(server), TransitKey(key=name, certificate_file=path)).load(NOW)
    verified(loaded)
    assert loaded.signer.bits == 3072


def test_the_certificate_from_kv(server, vault, key):
    name = server.fresh("seal")
    server.put2(name, crt=certified(server.transit(name)["1"]["public_key"], key).decode())
    place = VaultField(mount="kv2", path=name, field="crt")
    source = TransitSource(vault(server), TransitKey(key=name, certificate_vault=place))
    verified(source.load(NOW))
    before = source.fingerprint()
    server.put2(name, crt="another")
    assert source.fingerprint() not in (before, None)
    refused("certificate_format", lambda: source.load(NOW))


def test_without_a_certificate_it_signs_and_warns(server, vault):
    name = server.fresh("seal")
    server.transit(name)
    loaded = TransitSource(vault(server), TransitKey(key=name)).load(NOW)
    assert loaded.signer.sign(MESSAGE)
    assert len(loaded.warnings) == 1


def test_a_rotation_waits_for_its_certificate(server, vault, certify, sign):
    """Vault has the new version at once; the certificate for it comes days later."""
    name, asked = server.fresh("seal"), vault(server)
    path = certify(server.transit(name)["1"]["public_key"])
    source = TransitSource(asked, TransitKey(key=name, certificate_file=path))
    first, before = source.load(NOW), source.fingerprint()
    keys = server.rotate(name)
    assert source.fingerprint() != before
    again = source.load(NOW)
    assert again.signer.spki_sha256 == first.signer.spki_sha256
    assert again.warnings == (f"The certificate is for version 1 of transit/{name}, and version 2 is the latest.",)
    verified(again)
    certify(keys["2"]["public_key"])
    second = source.load(NOW)
    verified(second, sign)
    assert second.signer.spki_sha256 != first.signer.spki_sha256
    assert sign(first.signer), "requests in flight keep the version they had"


def test_a_pinned_version(server, vault, certify):
    name, asked = server.fresh("seal"), vault(server)
    path = certify(server.transit(name)["1"]["public_key"])
    server.rotate(name)
    verified(TransitSource(asked, TransitKey(key=name, version=1, certificate_file=path)).load(NOW))
    for version, code in ((2, "key_pair_mismatch"), (3, "vault_missing")):
        place = TransitKey(key=name, version=version, certificate_file=path)
        refused(code, lambda place=place: TransitSource(asked, place).load(NOW))


def test_a_version_that_may_not_sign_any_more(server, vault, certify):
    name = server.fresh("seal")
    path = certify(server.transit(name)["1"]["public_key"])
    server.rotate(name)
    server.call("POST", f"transit/keys/{name}/config", {"min_encryption_version": 2})
    place = TransitKey(key=name, version=1, certificate_file=path)
    asked = vault(server)
    said = refused("vault_missing", lambda: TransitSource(asked, place).load(NOW))
    assert "may not sign" in said
    assert asked.tally.requests()["transit_sign", "missing"] == 1, "what does not pass is not tried again"


def test_what_is_wrong_is_told_in_one_sentence(server, vault, certify, key):
    asked, name = vault(server), server.fresh("seal")
    path = certify(server.transit(name)["1"]["public_key"])
    other, curve, symmetric = (server.fresh(kind) for kind in ("other", "curve", "symmetric"))
    server.transit(other)
    server.transit(curve, "ecdsa-p256")
    server.transit(symmetric, "aes256-gcm96")

    def loading(**settings):
        return TransitSource(asked, TransitKey(**{"key": name, "certificate_file": path, **settings})).load(NOW)

    refused("vault_missing", lambda: loading(key="nothing"))
    refused("vault_missing", lambda: loading(mount="nowhere"))
    refused("vault_denied", lambda: loading(mount="elsewhere"))
    refused("key_pair_mismatch", lambda: loading(key=other))
    refused("key_type", lambda: loading(key=curve))
    refused("key_type", lambda: loading(key=symmetric))
    refused("key_unreadable", lambda: loading(certificate_file=path + ".gone"))


def test_a_key_that_disappears_while_it_is_used(server, vault, certify, sign):
    name = server.fresh("seal")
    path = certify(server.transit(name)["1"]["public_key"])
    loaded = TransitSource(vault(server), TransitKey(key=name, certificate_file=path)).load(NOW)
    server.call("POST", f"transit/keys/{name}/config", {"deletion_allowed": True})
    if server.standin is not None:
        del server.standin.spaces[""].mounts["transit"].rings[name]
    else:
        server.call("DELETE", f"transit/keys/{name}")
    refused("vault_missing", lambda: sign(loaded.signer))

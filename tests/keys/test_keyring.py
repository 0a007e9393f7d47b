"""A reload replaces an identity as a whole or not at all, whatever the files look like at that moment."""

from __future__ import annotations

import random
from dataclasses import FrozenInstanceError
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from proxy.errors import KeyUnusable
from proxy.keys import files
from proxy.keys.certificate import parse_certificate
from proxy.keys.credentials import CredentialSettings, CredentialSource
from proxy.keys.files import FileSettings, FileSource
from proxy.keys.keyring import SANDBOX_SPKI_SHA256, Keyring, Replacements
from proxy.keys.pairing import certified_key
from proxy.keys.rsa_signer import spki_sha256
from tests.keys.making import NOW, pem, pkcs8, write

LATER = NOW + timedelta(minutes=1)


class Deployment:
    """The files of one application, and a keyring over them."""

    def __init__(self, folder: Path, key: RSAPrivateKey, cert: bytes) -> None:
        self.folder = folder
        self.place(key=pkcs8(key), cert=pem(cert), secret=b"first secret\n")
        settings = FileSettings(key_file=str(folder / "key"), certificate_file=str(folder / "cert"))
        credentials = CredentialSettings(client_id="the-id", client_secret_file=str(folder / "secret"))
        self.keyring = Keyring("test", CredentialSource(credentials, {}), FileSource(settings, {}))

    def place(self, **contents: bytes) -> None:
        for name, content in contents.items():
            write(self.folder / name, content)


@pytest.fixture
def deployment(tmp_path: Path, key: RSAPrivateKey, cert: bytes) -> Deployment:
    return Deployment(tmp_path, key, cert)


def is_one_pair(keyring: Keyring) -> bool:
    assert keyring.current is not None
    loaded = keyring.current.key
    assert loaded is not None
    assert loaded.certificate is not None
    certified = certified_key(parse_certificate(loaded.certificate.der))
    assert certified is not None
    return loaded.signer.spki_sha256 == spki_sha256(certified)


def test_load_at_start(deployment: Deployment) -> None:
    keyring = deployment.keyring
    assert keyring.current is None
    identity = keyring.load(NOW)
    assert identity is keyring.current
    assert (identity.client_id, identity.client_secret.reveal()) == (b"the-id", b"first secret")
    assert (identity.revision, identity.loaded_at, identity.warnings) == (1, NOW, ())
    assert is_one_pair(keyring)
    assert "secret" not in repr(identity).replace("client_secret=Secret(redacted)", "")
    assert keyring.describe() == f"file {deployment.folder / 'key'}"
    assert len(keyring.watched()) == 3
    with pytest.raises(FrozenInstanceError):
        identity.revision = 2  # type: ignore[misc]


def test_load_raises_and_remembers(deployment: Deployment, other_cert: bytes) -> None:
    deployment.place(cert=pem(other_cert))
    with pytest.raises(KeyUnusable):
        deployment.keyring.load(NOW)
    assert deployment.keyring.current is None
    assert deployment.keyring.last_error is not None
    assert deployment.keyring.last_error.code == "key_pair_mismatch"
    assert deployment.keyring.reload_due()


async def test_a_failed_reload_keeps_the_old(deployment: Deployment, other_key: RSAPrivateKey) -> None:
    keyring = deployment.keyring
    old = keyring.load(NOW)
    deployment.place(key=pkcs8(other_key))
    outcome = await keyring.reload(LATER)
    assert not outcome.ok
    assert outcome.error is not None
    assert outcome.error == keyring.last_error
    assert (outcome.error.code, outcome.error.at, outcome.revision) == ("key_pair_mismatch", LATER, 1)
    assert keyring.current is old
    assert (keyring.reloads_ok, keyring.reloads_failed) == (0, 1)


async def test_a_good_reload_swaps_everything(
    deployment: Deployment, other_key: RSAPrivateKey, other_cert: bytes
) -> None:
    keyring = deployment.keyring
    old = keyring.load(NOW)
    deployment.place(key=pkcs8(other_key), cert=pem(other_cert), secret=b"second secret")
    outcome = await keyring.reload(LATER)
    assert outcome.ok
    assert outcome.revision == 2
    assert keyring.current is not None
    assert keyring.current is not old
    assert keyring.current.client_secret.reveal() == b"second secret"
    assert (keyring.current.revision, keyring.current.loaded_at) == (2, LATER)
    assert (keyring.reloads_ok, keyring.reloads_failed, keyring.last_error) == (1, 0, None)
    assert old.client_secret.reveal() == b"first secret", "requests in flight keep what they had"


async def test_what_reloads_have_replaced(
    deployment: Deployment, other_key: RSAPrivateKey, other_cert: bytes, cert: bytes
) -> None:
    keyring = deployment.keyring
    old = keyring.load(NOW)
    await keyring.reload(LATER)
    assert keyring.replaced == Replacements(), "nothing was"
    deployment.place(secret=b" second secret \n")
    await keyring.reload(NOW + timedelta(minutes=2))
    assert keyring.replaced == Replacements(credentials=NOW + timedelta(minutes=2))
    assert keyring.current is not None
    assert keyring.current.trimmed == ("client secret",)
    deployment.place(key=pkcs8(other_key), cert=pem(other_cert))
    await keyring.reload(NOW + timedelta(minutes=3))
    assert old.key is not None
    assert keyring.replaced == Replacements(NOW + timedelta(minutes=3), old.key.signer.spki_sha256,
                                            NOW + timedelta(minutes=3), NOW + timedelta(minutes=2))
    deployment.place(cert=pem(cert))
    await keyring.reload(NOW + timedelta(minutes=4))
    assert keyring.replaced.key == NOW + timedelta(minutes=3), "a failed reload replaces nothing"


async def test_two_hundred_reloads_among_torn_files(
    deployment: Deployment, key: RSAPrivateKey, cert: bytes, other_key: RSAPrivateKey, other_cert: bytes
) -> None:
    keyring, chance = deployment.keyring, random.Random(20260601)
    keyring.load(NOW)
    keys = [pkcs8(key), pkcs8(other_key), pkcs8(key)[:900], b""]
    certificates = [pem(cert), pem(other_cert), pem(cert)[:500], b""]
    weights = [4, 4, 1, 1]
    good = 0
    for number in range(200):
        (private,), (certificate,) = chance.choices(keys, weights), chance.choices(certificates, weights)
        deployment.place(key=private, cert=certificate)
        whole = (keys.index(private), certificates.index(certificate)) in {(0, 0), (1, 1)}
        before = keyring.current
        outcome = await keyring.reload(NOW)
        assert outcome.ok is whole, number
        assert (keyring.current is before) is not whole
        assert is_one_pair(keyring)
        assert keyring.content_changed() is not whole
        good += whole
    assert 40 < good < 160
    assert keyring.current is not None
    assert (keyring.reloads_ok, keyring.reloads_failed, keyring.current.revision) == (good, 200 - good, good + 1)


async def test_files_replaced_between_two_reads(
    deployment: Deployment, other_key: RSAPrivateKey, other_cert: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deployer strikes after the key was read and before the certificate is."""
    keyring = deployment.keyring
    old = keyring.load(NOW)
    really_read = files.read_public_file

    def strike(path: str) -> bytes:
        deployment.place(key=pkcs8(other_key), cert=pem(other_cert))
        return really_read(path)

    monkeypatch.setattr(files, "read_public_file", strike)
    assert not (await keyring.reload(NOW)).ok
    assert keyring.current is old
    assert keyring.reload_due()
    assert (await keyring.reload(NOW)).ok
    assert is_one_pair(keyring)
    assert not keyring.reload_due()


async def test_a_secret_replaced_while_it_is_read_is_noticed(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring = deployment.keyring
    keyring.load(NOW)
    really_read = files.read_secret_file

    def strike(path: str, *, allow_group_read: bool) -> bytes:
        deployment.place(secret=b"second secret")
        return really_read(path, allow_group_read=allow_group_read)

    monkeypatch.setattr(files, "read_secret_file", strike)
    assert (await keyring.reload(NOW)).ok
    assert keyring.content_changed(), "the hash was taken before, so the change counts as unseen"
    assert (await keyring.reload(NOW)).ok
    assert not keyring.content_changed()


def test_a_kubernetes_swap_is_noticed(tmp_path: Path, key: RSAPrivateKey, cert: bytes) -> None:
    """Kubernetes replaces the link ..data; the files' own names, and often their sizes, stay."""
    for version, secret in (("..1", b"secret one"), ("..2", b"secret two"), ("..3", b"secret two")):
        (tmp_path / version).mkdir()
        write(tmp_path / version / "secret", secret)
    (tmp_path / "secret").symlink_to("..data/secret")

    def swap(version: str) -> None:
        (tmp_path / "..data_tmp").symlink_to(version)
        (tmp_path / "..data_tmp").rename(tmp_path / "..data")

    swap("..1")
    settings = CredentialSettings(client_id="id", client_secret_file=str(tmp_path / "secret"))
    keyring = Keyring("test", CredentialSource(settings, {}), None)
    keyring.load(NOW)
    assert not keyring.content_changed()
    swap("..2")
    assert keyring.content_changed()
    keyring.load(NOW)
    swap("..3")
    assert not keyring.content_changed(), "the same content under another link is nothing new"


def test_a_missing_file_is_no_change_until_it_is_back(deployment: Deployment, key: RSAPrivateKey) -> None:
    keyring = deployment.keyring
    keyring.load(NOW)
    (deployment.folder / "secret").unlink()
    assert not keyring.content_changed()
    deployment.place(secret=b"first secret\n")
    assert not keyring.content_changed()
    deployment.place(secret=b"second secret\n")
    assert keyring.content_changed()


async def test_a_failure_is_due_again_without_any_change(deployment: Deployment) -> None:
    keyring = deployment.keyring
    keyring.load(NOW)
    (deployment.folder / "key").chmod(0o644)
    assert not keyring.reload_due()
    assert not (await keyring.reload(NOW)).ok
    assert not keyring.content_changed()
    assert keyring.reload_due()
    (deployment.folder / "key").chmod(0o600)
    assert (await keyring.reload(NOW)).ok
    assert not keyring.reload_due()


async def test_a_keyring_without_a_key() -> None:
    settings = CredentialSettings(client_id="id", client_secret_env="S")
    keyring = Keyring("skip", CredentialSource(settings, {"S": "s"}), None, required_spki_sha256=SANDBOX_SPKI_SHA256)
    assert keyring.load(NOW).key is None
    assert keyring.watched() == ()
    assert keyring.describe() == "no key: the signature is skipped"
    assert not keyring.reload_due()
    assert (await keyring.reload(NOW)).revision == 2


def test_another_key_than_the_sandboxs_is_a_warning(deployment: Deployment) -> None:
    deployment.keyring._required = SANDBOX_SPKI_SHA256
    (sentence,) = deployment.keyring.load(NOW).warnings
    assert sentence.startswith("The sandbox accepts only")

"""Of several keys in one file the certificate chooses, and where it cannot, the operator must."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from proxy.errors import KeyUnusable
from proxy.keys.files import FileSettings, FileSource
from proxy.keys.source import LoadedKey
from tests.keys.making import NOW, PASSWORD, oid, pem, pkcs8, sequence, tlv, write

DATA = oid("1.2.840.113549.1.7.1")
SALT = b"saltsalt"


def mac_key(password: str) -> bytes:
    """RFC 7292 appendix B.2 with SHA-1, one iteration, purpose 3: written here because no library exports it."""
    block = 64
    secret = (password + "\0").encode("utf-16-be")
    padded = (SALT * block)[:block] + (secret * block)[: -(-len(secret) // block) * block]
    return hashlib.sha1(bytes([3]) * block + padded).digest()


def data_content(content: bytes) -> bytes:
    return sequence(DATA, tlv(0xA0, tlv(0x04, content)))


def shrouded(pkcs8_der: bytes, local_key_id: bytes) -> bytes:
    attribute = sequence(oid("1.2.840.113549.1.9.21"), tlv(0x31, tlv(0x04, local_key_id)))
    return sequence(oid("1.2.840.113549.1.12.10.1.2"), tlv(0xA0, pkcs8_der), tlv(0x31, attribute))


def certificate_bag(der: bytes) -> bytes:
    bag = sequence(oid("1.2.840.113549.1.9.22.1"), tlv(0xA0, tlv(0x04, der)))
    return sequence(oid("1.2.840.113549.1.12.10.1.3"), tlv(0xA0, bag))


def keystore_of(keys: list[bytes], certificates: list[bytes]) -> bytes:
    """PKCS#12 with as many keys as wanted; cryptography and openssl write one."""
    key_bags = [shrouded(key, bytes([number])) for number, key in enumerate(keys)]
    safes = [sequence(*key_bags), sequence(*map(certificate_bag, certificates))]
    authenticated = sequence(*map(data_content, safes))
    mac = hmac.digest(mac_key(PASSWORD.decode()), authenticated, "sha1")
    digest = sequence(sequence(oid("1.3.14.3.2.26"), tlv(0x05)), tlv(0x04, mac))
    return sequence(tlv(0x02, b"\x03"), data_content(authenticated), sequence(digest, tlv(0x04, SALT)))


def sealed(key: RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(PASSWORD))


def load(folder: Path, content: bytes, certificate_file: str | None = None) -> LoadedKey:
    path = write(folder / "key", content)
    settings = FileSettings(key_file=path, certificate_file=certificate_file, key_password_env="P")
    return FileSource(settings, {"P": PASSWORD.decode()}).load(NOW)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_in_pkcs12_the_certificate_chooses(
    order: tuple[int, int], key: RSAPrivateKey, other_key: RSAPrivateKey, cert: bytes, tmp_path: Path
) -> None:
    both = [sealed(key), sealed(other_key)]
    loaded = load(tmp_path, keystore_of([both[index] for index in order], [cert]))
    assert loaded.certificate is not None
    assert loaded.certificate.der == cert


def test_the_same_key_twice_is_one_key(key: RSAPrivateKey, cert: bytes, tmp_path: Path) -> None:
    assert load(tmp_path, keystore_of([sealed(key), sealed(key)], [cert, cert])).signer.bits == 2048


def test_a_key_that_is_not_rsa_is_passed_over(key: RSAPrivateKey, cert: bytes, tmp_path: Path) -> None:
    curve = ec.generate_private_key(ec.SECP256R1())
    assert load(tmp_path, keystore_of([sealed(curve), sealed(key)], [cert])).signer.bits == 2048


@pytest.mark.parametrize("form", ["pkcs12", "pem"])
def test_two_pairs_need_a_certificate_file(
    form: str, key: RSAPrivateKey, other_key: RSAPrivateKey, cert: bytes, other_cert: bytes, tmp_path: Path
) -> None:
    content = {
        "pkcs12": keystore_of([sealed(key), sealed(other_key)], [cert, other_cert]),
        "pem": pkcs8(key) + pem(cert) + pkcs8(other_key) + pem(other_cert),
    }[form]
    with pytest.raises(KeyUnusable) as caught:
        load(tmp_path, content)
    assert caught.value.code == "key_ambiguous"
    chosen = load(tmp_path, content, write(tmp_path / "own.pem", pem(other_cert)))
    assert chosen.certificate is not None
    assert chosen.certificate.der == other_cert


def test_two_keys_without_certificate_need_one(key: RSAPrivateKey, other_key: RSAPrivateKey, tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable) as caught:
        load(tmp_path, pkcs8(key) + pkcs8(other_key))
    assert caught.value.code == "key_ambiguous"

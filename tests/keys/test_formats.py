"""Every container a signing key comes in loads, and signs what openssl verifies."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
)

from proxy.errors import KeyUnusable
from proxy.keys.files import FileSettings, FileSource
from proxy.keys.material import read_material
from proxy.keys.rsa_signer import spki_sha256
from proxy.keys.source import LoadedKey
from proxy.keys.unlock import Lock
from tests.keys.making import (
    NOW,
    PASSWORD,
    certificate,
    keystore,
    openssl,
    pem,
    pkcs1,
    pkcs8,
    with_rounds,
    write,
)

ROOT = Path(__file__).parents[2]


def legacy_pem(key: RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(PASSWORD))


PLAIN: dict[str, Callable[[RSAPrivateKey], bytes]] = {
    "PKCS#1 PEM": pkcs1,
    "PKCS#8 PEM": pkcs8,
    "PKCS#1 DER": lambda key: pkcs1(key, Encoding.DER),
    "PKCS#8 DER": lambda key: pkcs8(key, Encoding.DER),
    "PEM with CRLF and commentary": lambda key: b"Bag Attributes\r\n" + pkcs8(key).replace(b"\n", b"\r\n") + b"\r\n",
    "bare base64 of PKCS#1": lambda key: base64.encodebytes(pkcs1(key, Encoding.DER)),
    "bare base64 of PKCS#8 on one line": lambda key: base64.b64encode(pkcs8(key, Encoding.DER)),
    "bare base64 after a byte order mark": lambda key: b"\xef\xbb\xbf" + base64.encodebytes(pkcs1(key, Encoding.DER)),
}
ENCRYPTED: dict[str, Callable[[RSAPrivateKey], bytes]] = {
    "encrypted PKCS#8 PEM": lambda key: pkcs8(key, password=PASSWORD),
    "encrypted PKCS#8 DER": lambda key: pkcs8(key, Encoding.DER, PASSWORD),
    "encrypted PKCS#1 PEM": legacy_pem,
    "PKCS#12": lambda key: keystore(key, certificate(key)),
    "PKCS#12 without certificate": lambda key: keystore(key, None),
    "bare base64 of PKCS#12": lambda key: base64.encodebytes(keystore(key, certificate(key))),
}


def load(folder: Path, content: bytes, **settings: str) -> LoadedKey:
    path = write(folder / "key", content)
    environ = {"KEY_PASSWORD": PASSWORD.decode()}
    return FileSource(FileSettings(key_file=path, **settings), environ).load(NOW)


def verified_by_openssl(folder: Path, key: RSAPrivateKey, message: bytes, signature: bytes) -> bool:
    spki = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    public, signed = write(folder / "public.pem", spki), write(folder / "signature", signature)
    return b"Verified OK" in openssl("dgst", "-sha256", "-verify", public, "-signature", signed, given=message)


@pytest.mark.parametrize("name", PLAIN)
def test_unencrypted_formats_load(name: str, key: RSAPrivateKey, tmp_path: Path) -> None:
    loaded = load(tmp_path, PLAIN[name](key))
    assert loaded.signer.spki_sha256 == spki_sha256(key.public_key())
    assert loaded.warnings == ("No certificate is given, so the pair, the dates and the roles are not checked.",)


@pytest.mark.parametrize("name", ENCRYPTED)
def test_encrypted_formats_load(name: str, key: RSAPrivateKey, tmp_path: Path) -> None:
    loaded = load(tmp_path, ENCRYPTED[name](key), key_password_env="KEY_PASSWORD")
    assert loaded.signer.spki_sha256 == spki_sha256(key.public_key())
    assert (loaded.certificate is None) == ("without" in name or "PKCS#12" not in name)


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_the_password_comes_from_a_file(ending: bytes, key: RSAPrivateKey, tmp_path: Path) -> None:
    password = write(tmp_path / "password", PASSWORD + ending)
    assert load(tmp_path, pkcs8(key, password=PASSWORD), key_password_file=password).signer.bits == 2048


def test_key_and_certificate_in_one_pem(key: RSAPrivateKey, cert: bytes, other_cert: bytes, tmp_path: Path) -> None:
    loaded = load(tmp_path, pem(other_cert) + pkcs8(key) + pem(cert) + pem(cert))
    assert loaded.certificate is not None
    assert loaded.certificate.der == cert
    assert loaded.warnings == ()


@pytest.mark.parametrize("form", ["pem", "der", "base64", "pkcs12", "pem with an encrypted key beside it"])
def test_the_certificate_file_has_as_many_forms(form: str, key: RSAPrivateKey, cert: bytes, tmp_path: Path) -> None:
    content = {
        "pem": pem(cert),
        "der": cert,
        "base64": base64.encodebytes(cert),
        "pkcs12": keystore(None, cert),
        "pem with an encrypted key beside it": pkcs8(key, password=b"not the one that is configured") + pem(cert),
    }[form]
    beside = write(tmp_path / "certificate", content, 0o644)
    sealed = pkcs8(key, password=PASSWORD)
    loaded = load(tmp_path, sealed, certificate_file=beside, key_password_env="KEY_PASSWORD")
    assert loaded.certificate is not None
    assert loaded.certificate.der == cert


def test_the_certificate_in_date_is_taken(key: RSAPrivateKey, tmp_path: Path) -> None:
    old = certificate(key, after=NOW - timedelta(days=1), serial=1)
    current = certificate(key, serial=2)
    future = certificate(key, before=NOW + timedelta(days=5), after=NOW + timedelta(days=900), serial=3)
    loaded = load(tmp_path, pkcs8(key) + pem(old) + pem(future) + pem(current))
    assert loaded.certificate is not None
    assert loaded.certificate.serial == "2"


def test_an_idle_password_is_mentioned(key: RSAPrivateKey, cert: bytes, tmp_path: Path) -> None:
    loaded = load(tmp_path, pkcs8(key) + pem(cert), key_password_env="KEY_PASSWORD")
    assert loaded.warnings == ("A key password is configured, yet the key file is not encrypted.",)


def old_keystore(folder: Path, key: RSAPrivateKey, certificates: bytes, *options: str) -> bytes:
    """As the bank's old demo files: RC2 for certificates, 3DES for the key, the certificate twice."""
    private, own = write(folder / "k.pem", pkcs8(key)), write(folder / "c.pem", certificates)
    chain = write(folder / "chain.pem", certificates)
    command = ("pkcs12", "-export", *options, "-inkey", private, "-in", own, "-certfile", chain)
    return openssl(*command, "-passout", f"pass:{PASSWORD.decode()}")


def test_an_old_demo_file_loads(key: RSAPrivateKey, cert: bytes, tmp_path: Path) -> None:
    data = old_keystore(tmp_path, key, pem(cert), "-legacy")
    assert b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01\x06" in data, "RC2-40 was meant"
    loaded = load(tmp_path, data, key_password_env="KEY_PASSWORD")
    assert loaded.certificate is not None
    assert loaded.certificate.der == cert
    message = b"(request-target): get /personal/v5/accounts"
    assert verified_by_openssl(tmp_path, key, message, loaded.signer.sign(message))


def test_without_the_legacy_provider_the_error_says_how_to_convert(
    key: RSAPrivateKey, cert: bytes, tmp_path: Path
) -> None:
    path = write(tmp_path / "old.p12", old_keystore(tmp_path, key, pem(cert), "-legacy"))
    program = (
        "import sys; from datetime import *; from proxy.errors import *; from proxy.keys.files import *\n"
        "source = FileSource(FileSettings(key_file=sys.argv[1], key_password_env='KEY_PASSWORD'))\n"
        "try: source.load(datetime.fromisoformat(sys.argv[2]))\n"
        "except KeyUnusable as error: print(error.code, error)\n"
    )
    environ = os.environ | {
        "CRYPTOGRAPHY_OPENSSL_NO_LEGACY": "1",
        "KEY_PASSWORD": PASSWORD.decode(),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-c", program, path, NOW.isoformat()]
    said = subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout
    assert said.startswith("key_format ")
    assert "openssl pkcs12 -legacy" in said
    assert PASSWORD.decode() not in said


def test_openssl_legacy_pem_loads(key: RSAPrivateKey, tmp_path: Path) -> None:
    private = write(tmp_path / "k.pem", pkcs8(key))
    made = openssl("rsa", "-in", private, "-traditional", "-des3", "-passout", f"pass:{PASSWORD.decode()}")
    assert b"DEK-Info: DES-EDE3-CBC" in made
    assert load(tmp_path, made, key_password_env="KEY_PASSWORD").signer.bits == 2048


def test_openssl_verifies_both_sizes(key: RSAPrivateKey, long_key: RSAPrivateKey, tmp_path: Path) -> None:
    for pair, inline in ((key, True), (long_key, False)):
        signer = load(tmp_path, pkcs8(pair)).signer
        assert signer.inline is inline
        assert signer.bits == pair.key_size
        assert verified_by_openssl(tmp_path, pair, b"message", signer.sign(b"message"))


@pytest.mark.parametrize("rounds", [2_000_001, 1 << 31, 1 << 64])
@pytest.mark.parametrize(("container", "tail"), [("pkcs8", b""), ("pem", b""), ("keystore", b""), ("keystore", b"\0")])
def test_a_file_that_asks_for_very_many_rounds_is_refused_at_once(key, container, tail, rounds):
    """They would hold up all threads for minutes, and beyond 32 bits the library panics."""
    data = keystore(key, certificate(key)) if container == "keystore" else pkcs8(
        key, Encoding.DER, PASSWORD)
    data = with_rounds(data, rounds) + tail
    if container == "pem":
        label = b"ENCRYPTED PRIVATE KEY-----\n"
        data = b"-----BEGIN " + label + base64.encodebytes(data) + b"-----END " + label
    with pytest.raises(KeyUnusable, match="rounds") as caught:
        read_material(data, Lock("the file", PASSWORD))
    assert caught.value.code == "key_format"

"""Each bad input gives its own code, two sentences at most, and none of its content."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from proxy.errors import KeyUnusable
from proxy.keys.files import FileSettings, FileSource
from tests.keys.making import NOW, PASSWORD, certificate, keystore, openssl, pem, pkcs8, write

CANARY = b"CANARY-in-the-file"
PASSWORD_ENV = {"key_password_env": "KEY_PASSWORD"}
WRONG = {"key_password_env": "WRONG"}
ENDLESS = {"key_password_env": "ENDLESS"}


@dataclass(frozen=True)
class Shop:
    """What the rows of the table are made from."""

    key: RSAPrivateKey
    other: RSAPrivateKey
    cert: bytes
    folder: Path

    def plain(self) -> bytes:
        return pkcs8(self.key)

    def keystore(self) -> bytes:
        return keystore(self.key, self.cert)

    def sealed(self) -> bytes:
        return pkcs8(self.key, password=PASSWORD)

    def elliptic(self) -> bytes:
        curve = ec.generate_private_key(ec.SECP256R1())
        return curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def edwards(self) -> bytes:
        return ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    def small(self) -> bytes:
        return pkcs8(rsa.generate_private_key(65537, 1024))

    def pss(self, *more: str) -> bytes:
        return openssl("genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048", *more)


def block(label: str) -> bytes:
    return f"-----BEGIN {label}-----\nQ0FOQVJZ\n-----END {label}-----\n".encode()


@dataclass(frozen=True)
class Case:
    name: str
    code: str
    content: Callable[[Shop], bytes]
    settings: dict[str, str] = field(default_factory=dict)
    certificate: Callable[[Shop], bytes] | None = None


CASES = (
    Case("empty", "key_format", lambda shop: b""),
    Case("garbage", "key_format", lambda shop: CANARY),
    Case("binary garbage", "key_format", lambda shop: bytes(range(256)) + CANARY),
    Case("whitespace", "key_format", lambda shop: b" \n" * 5000 + b"!"),
    Case("base64 of garbage", "key_format", lambda shop: base64.b64encode(CANARY)),
    Case("PEM around garbage", "key_format", lambda shop: block("PRIVATE KEY")),
    Case("PEM cut off", "key_format", lambda shop: pkcs8(shop.key)[:800]),
    Case("nothing but BEGIN lines", "key_format", lambda shop: b"-----BEGIN PRIVATE KEY-----\n" * 30000),
    Case("DER cut off", "key_format", lambda shop: pkcs8(shop.key, Encoding.DER)[:800]),
    Case("public key", "key_format", lambda shop: block("PUBLIC KEY")),
    Case("too large", "key_unreadable", lambda shop: CANARY * 100_000),
    Case("PEM certificate alone", "key_format", lambda shop: pem(shop.cert)),
    Case("DER certificate alone", "key_format", lambda shop: shop.cert),
    Case("PKCS#12 without key", "key_format", lambda shop: keystore(None, shop.cert), PASSWORD_ENV),
    Case("EC", "key_type", Shop.elliptic),
    Case("Ed25519 in DER", "key_type", Shop.edwards),
    Case("RSA for PSS only", "key_type", Shop.pss),
    Case("RSA for PSS only in DER", "key_type", lambda shop: shop.pss("-outform", "DER")),
    Case("RSA-1024", "key_too_small", Shop.small),
    Case("no password for PKCS#8", "key_password", Shop.sealed),
    Case("wrong password for PKCS#8", "key_password", Shop.sealed, WRONG),
    Case("no password for PKCS#12", "key_password", Shop.keystore),
    Case("wrong password for PKCS#12", "key_password", Shop.keystore, WRONG),
    Case("endless password", "key_password", Shop.sealed, ENDLESS),
    Case("password variable missing", "key_password", Shop.sealed, {"key_password_env": "ABSENT"}),
    Case("password in place of the variable", "key_password", Shop.sealed, {"key_password_env": "CANARY-x"}),
    Case("password file missing", "key_unreadable", Shop.sealed, {"key_password_file": "/nowhere/p"}),
    Case("certificate file missing", "key_unreadable", Shop.plain, {"certificate_file": "/nowhere/c"}),
    Case("key in the certificate file", "certificate_format", Shop.plain, {}, Shop.plain),
    Case("garbage certificate", "certificate_format", Shop.plain, {}, lambda shop: CANARY),
    Case("damaged PEM certificate", "certificate_format", Shop.plain, {},
         lambda shop: block("CERTIFICATE")),
    Case("malformed QCStatements", "certificate_format", Shop.plain, {},
         lambda shop: certificate(shop.key, statements=b"\x30\x03\x30\x80\x00")),
    Case("another key's certificate", "key_pair_mismatch", lambda shop: pkcs8(shop.other), {}, lambda shop: shop.cert),
    Case("EC certificate", "key_pair_mismatch", Shop.plain, {},
         lambda shop: certificate(shop.key, public_key=ec.generate_private_key(ec.SECP256R1()).public_key())),
    Case("expired", "certificate_expired", Shop.plain, {},
         lambda shop: certificate(shop.key, after=NOW - timedelta(seconds=1))),
    Case("not yet valid", "certificate_not_yet_valid", Shop.plain, {},
         lambda shop: certificate(shop.key, before=NOW + timedelta(seconds=1))),
)


@pytest.fixture
def shop(key: RSAPrivateKey, other_key: RSAPrivateKey, cert: bytes, tmp_path: Path) -> Shop:
    return Shop(key, other_key, cert, tmp_path)


def refusal(settings: FileSettings) -> KeyUnusable:
    environ = {"KEY_PASSWORD": PASSWORD.decode(), "WRONG": "CANARY-wrong", "ENDLESS": "CANARY" * 1000}
    with pytest.raises(KeyUnusable) as caught:
        FileSource(settings, environ).load(NOW)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


def check_words(error: KeyUnusable) -> None:
    said = str(error)
    assert len(re.findall(r"[.!?](?=\s|$)", said)) <= 2, said
    assert "CANARY" not in said
    assert "Q0FOQVJZ" not in said
    assert "PRIVATE KEY-----" not in said
    assert not re.search(r"[A-Za-z0-9+/]{60}", said.replace("/", " ")), said


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_bad_input_has_its_code(case: Case, shop: Shop) -> None:
    settings = dict(case.settings)
    if case.certificate:
        settings["certificate_file"] = write(shop.folder / "certificate", case.certificate(shop))
    error = refusal(FileSettings(key_file=write(shop.folder / "key", case.content(shop)), **settings))
    assert error.code == case.code, str(error)
    check_words(error)


@pytest.mark.parametrize("kind", ["missing", "below a file", "directory", "fifo", "null byte", "the key itself"])
def test_what_is_no_file_is_unreadable(kind: str, key: RSAPrivateKey, tmp_path: Path) -> None:
    write(tmp_path / "file", b"")
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo", 0o600)
    path = {
        "missing": str(tmp_path / "missing"),
        "below a file": str(tmp_path / "file" / "key"),
        "directory": str(tmp_path / "directory"),
        "fifo": str(tmp_path / "fifo"),
        "null byte": str(tmp_path / "nu\0ll"),
        "the key itself": pkcs8(key).decode(),
    }[kind]
    error = refusal(FileSettings(key_file=path))
    assert error.code == "key_unreadable"
    check_words(error)
    assert "PRIVATE KEY" not in FileSource(FileSettings(key_file=path)).describe()


def test_a_pss_key_behind_a_password_is_told_by_its_certificate(tmp_path: Path) -> None:
    made = openssl("genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048")
    private = write(tmp_path / "pss.pem", made)
    config = write(tmp_path / "config", b"[req]\ndistinguished_name=d\n[d]\n")
    cert = openssl("req", "-x509", "-new", "-config", config, "-key", private, "-days", "3650", "-subj", "/CN=x")
    sealed = openssl("pkcs8", "-topk8", "-in", private, "-passout", f"pass:{PASSWORD.decode()}")
    path = write(tmp_path / "key", sealed + cert)
    assert refusal(FileSettings(key_file=path, key_password_env="KEY_PASSWORD")).code == "key_type"


def test_two_places_for_one_password_are_one_too_many() -> None:
    with pytest.raises(ValueError, match="exclude each other"):
        FileSettings(key_file="k", key_password_file="p", key_password_env="P")


def test_a_pss_key_in_an_open_bag_is_seen(tmp_path: Path) -> None:
    made = openssl("genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048")
    private = write(tmp_path / "pss.pem", made)
    options = ("-keypbe", "NONE", "-nocerts", "-passout", f"pass:{PASSWORD.decode()}")
    path = write(tmp_path / "pss.p12", openssl("pkcs12", "-export", "-inkey", private, *options))
    assert refusal(FileSettings(key_file=path, key_password_env="KEY_PASSWORD")).code == "key_type"


def test_a_damaged_certificate_beside_the_key_is_told(key: RSAPrivateKey, cert: bytes, tmp_path: Path) -> None:
    path = write(tmp_path / "key", pkcs8(key) + block("CERTIFICATE") + pem(cert))
    error = refusal(FileSettings(key_file=path))
    assert (error.code, error.detail) == ("certificate_format", f"{path} holds a CERTIFICATE block that cannot be read")

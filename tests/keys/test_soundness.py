"""A key is opened in a moment, without the library's search for primes, and a bad one is found out all the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from proxy.errors import KeyUnusable
from proxy.keys import keystore as reading
from proxy.keys.files import FileSettings, FileSource
from tests.keys.making import NOW, PASSWORD, keystore, openssl, pem, pkcs1, pkcs8, sequence, tlv, write

ENVIRON = {"P": PASSWORD.decode(), "WRONG": "CANARY-wrong"}


def load(folder: Path, content: bytes, password: str | None = None):
    settings = FileSettings(key_file=write(folder / "key", content), key_password_env=password)
    return FileSource(settings, ENVIRON).load(NOW)


def integer(number: int) -> bytes:
    return tlv(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def rsa_der(n: int, e: int, d: int, p: int, q: int, /, **changed: int) -> bytes:
    """RSAPrivateKey of RFC 8017 appendix A.1.2, with whatever numbers."""
    parts = {"n": n, "e": e, "d": d, "p": p, "q": q, "dp": d % (p - 1), "dq": d % (q - 1), "qinv": pow(q, -1, p)}
    return sequence(integer(0), *map(integer, {**parts, **changed}.values()))


@pytest.mark.parametrize("part", ["n", "e", "d", "p", "q", "dp", "dq", "qinv"])
def test_numbers_that_do_not_fit_together(part: str, key: RSAPrivateKey, tmp_path: Path) -> None:
    numbers = key.private_numbers()
    good = (numbers.public_numbers.n, numbers.public_numbers.e, numbers.d, numbers.p, numbers.q)
    assert load(tmp_path, rsa_der(*good)).signer.bits == 2048
    wrong = {"n": good[0], "e": good[1], "d": good[2], "p": good[3], "q": good[4], "dp": numbers.dmp1,
             "dq": numbers.dmq1, "qinv": numbers.iqmp}[part] + 2
    with pytest.raises(KeyUnusable) as caught:
        load(tmp_path, rsa_der(*good, **{part: wrong}))
    assert caught.value.code == "key_format"


def test_factors_that_are_not_prime_show_in_the_test_signature(key: RSAPrivateKey, other_key: RSAPrivateKey,
                                                               tmp_path: Path) -> None:
    """Every relation holds, as p is a product of two primes and the exponents are made for p - 1."""
    one, two = key.private_numbers(), other_key.private_numbers()
    p, q, e = one.p * two.p, one.q, 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    with pytest.raises(KeyUnusable) as caught:
        load(tmp_path, rsa_der(p * q, e, d, p, q))
    assert caught.value.code == "signing_failed"


def exported(*options: str) -> Callable[[Path, RSAPrivateKey, bytes], bytes]:
    def export(folder: Path, key: RSAPrivateKey, cert: bytes) -> bytes:
        private, own = write(folder / "k.pem", pkcs8(key)), write(folder / "c.pem", pem(cert))
        return openssl("pkcs12", "-export", "-inkey", private, "-in", own, *options,
                       "-passout", f"pass:{PASSWORD.decode()}")
    return export


STORES = {
    "of the library": lambda folder, key, cert: keystore(key, cert),
    "openssl": exported(),
    "SHA-1": exported("-macalg", "sha1"),
    "SHA-512, many rounds": exported("-macalg", "sha512", "-iter", "10000"),
    "nothing encrypted": exported("-keypbe", "NONE", "-certpbe", "NONE"),
    "certificate in clear": exported("-certpbe", "NONE"),
}


@pytest.mark.parametrize("name", STORES)
def test_a_keystore_is_opened_without_the_library_reading_its_key(
        name: str, key: RSAPrivateKey, cert: bytes, tmp_path: Path) -> None:
    data, read = STORES[name](tmp_path, key, cert), []

    def load_pkcs12(data: bytes, password: bytes | None):
        read.append(really(data, password))
        return read[-1]

    really = reading.load_pkcs12
    with patch.object(reading, "load_pkcs12", load_pkcs12):
        loaded = load(tmp_path, data, "P")
    assert (loaded.certificate.der, [store.key for store in read]) == (cert, [None])
    with pytest.raises(KeyUnusable) as caught:
        load(tmp_path, data, "WRONG")
    assert caught.value.code == "key_password"


@pytest.mark.parametrize("name", ["nothing encrypted", "certificate in clear"])
def test_a_keystore_that_was_changed_is_refused(name: str, key: RSAPrivateKey, cert: bytes, tmp_path: Path) -> None:
    data = STORES[name](tmp_path, key, cert)
    assert data.count(b"Throw-Away Payments Oy") == 1
    with pytest.raises(KeyUnusable) as caught:
        load(tmp_path, data.replace(b"Throw-Away Payments Oy", b"Throw-Away Payments AB"), "P")
    assert caught.value.code == "key_password"


def test_another_kind_of_mac_or_none_is_left_to_the_library(key: RSAPrivateKey, cert: bytes, tmp_path: Path) -> None:
    for options in (("-nomac",), ("-macalg", "sha224")):
        loaded = load(tmp_path, exported(*options)(tmp_path, key, cert), "P")
        assert loaded.certificate.der == cert


def test_every_form_of_a_key_passes_the_same_check(key: RSAPrivateKey, tmp_path: Path) -> None:
    for form in (pkcs1(key), pkcs8(key), pkcs1(key, Encoding.DER), pkcs8(key, password=PASSWORD)):
        with patch("proxy.keys.unlock._fits_together", lambda numbers: False), pytest.raises(KeyUnusable):
            load(tmp_path, form, "P")

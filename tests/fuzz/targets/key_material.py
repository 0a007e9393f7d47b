"""Any bytes are a key with its certificates or a KeyUnusable whose code is in the table, with and without a
password; and no sentence about them holds the password or a part of the key.
"""

from __future__ import annotations

import base64
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from proxy.errors import PROBLEMS, KeyUnusable
from proxy.keys.material import Material, read_material
from proxy.keys.unlock import Lock
from proxy.keys.vault.kv import unarmoured
from tests.keys import making

TOKENS = (
    b"-----BEGIN PRIVATE KEY-----\n",
    b"-----END PRIVATE KEY-----\n",
    b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n",
    b"-----BEGIN RSA PRIVATE KEY-----\n",
    b"Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n",
    b"\x02\x01\x03",
    b"DEK-Info: DES-CBC,0011223344556677\n",
    b"\x30\x80",
    b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d",
    b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a",
    b"\x02\x04\x7f\xff\xff\xff",
    b"\x02\x05\x00\xff\xff\xff\xff",
    b"\x02\x03\x00\xc3\x50",
    b"-----BEGIN OPENSSH PRIVATE KEY-----\n",
    b"\xef\xbb\xbf",
    b"-----BEGIN EC PRIVATE KEY-----",
)
FULL = 3_000


@cache
def _key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=1024)


@cache
def seeds() -> tuple[bytes, ...]:
    key, cert = _key(), making.certificate(_key())
    other = ec.generate_private_key(ec.SECP256R1())
    der = making.pkcs8(key, Encoding.DER)
    return (
        making.pkcs8(key),
        making.pkcs8(key, password=making.PASSWORD),
        making.pkcs1(key),
        der,
        making.pkcs1(key, Encoding.DER),
        base64.b64encode(der),
        making.pkcs8(key, Encoding.DER, making.PASSWORD),
        making.pkcs8(key) + making.pem(cert),
        making.keystore(key, cert),
        making.keystore(key, cert, password=None),
        making.with_rounds(making.pkcs8(key, Encoding.DER, making.PASSWORD), 1 << 33),
        making.with_rounds(making.keystore(key, cert), 1 << 30),
        other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        cert,
    )


def check(data: bytes) -> None:
    for password in (None, making.PASSWORD):
        try:
            found = read_material(data, Lock("the file", password))
        except KeyUnusable as error:
            assert error.code in PROBLEMS
            assert making.PASSWORD.decode() not in str(error) and str(error).isprintable()
            continue
        _usable(found)
    unarmoured(data)


def _usable(found: Material) -> None:
    assert found.keys or found.certificates or found.useless_keys or not found.encrypted
    for key in found.keys:
        assert key.key_size > 0

"""What one RSA signature costs by itself, so that everything above it can be told apart.

Twice, because versions of OpenSSL differ a lot at 3072 bits: with the library that ours calls, and with the system's
that nginx calls. Run as a program with "ours" or "systems" and a key file, it prints CPU microseconds for one signature
of a message as long as a signing string.
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

_MESSAGE = b"(request-target): get /personal/v5/accounts ...".ljust(240, b".")
_SECONDS = 0.5


def ours(key_file: Path, cpus: frozenset[int]) -> float | None:
    return _in_a_process("ours", key_file, cpus)


def systems(key_file: Path, cpus: frozenset[int]) -> float | None:
    """None when the system has no libcrypto of OpenSSL 3."""
    return _in_a_process("systems", key_file, cpus)


def _in_a_process(which: str, key_file: Path, cpus: frozenset[int]) -> float | None:
    from .processes import pinned

    with pinned(cpus):
        answer = subprocess.run([sys.executable, __file__, which, str(key_file)], capture_output=True, text=True,
                                timeout=60, check=False)
    return float(answer.stdout) if answer.returncode == 0 else None


def _our_signer(key_file: str) -> Callable[[], object]:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    key = serialization.load_pem_private_key(Path(key_file).read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    scheme, algorithm = padding.PKCS1v15(), hashes.SHA256()
    return lambda: key.sign(_MESSAGE, scheme, algorithm)


def _systems_signer(key_file: str) -> Callable[[], object]:
    library = ctypes.CDLL("libcrypto.so.3")
    for name in ("BIO_new_file", "PEM_read_bio_PrivateKey", "EVP_sha256", "EVP_MD_CTX_new"):
        getattr(library, name).restype = ctypes.c_void_p
    pointer = ctypes.c_void_p
    bio = pointer(library.BIO_new_file(key_file.encode(), b"r"))
    key = pointer(library.PEM_read_bio_PrivateKey(bio, None, None, None))
    keyed, scratch = pointer(library.EVP_MD_CTX_new()), pointer(library.EVP_MD_CTX_new())
    assert library.EVP_DigestSignInit(keyed, None, pointer(library.EVP_sha256()), None, key) == 1
    signature, size, length = ctypes.create_string_buffer(1024), ctypes.c_size_t(), ctypes.c_size_t(len(_MESSAGE))

    def sign() -> None:
        size.value = 1024
        library.EVP_MD_CTX_copy_ex(scratch, keyed)
        assert library.EVP_DigestSign(scratch, signature, ctypes.byref(size), _MESSAGE, length) == 1

    return sign


def _measure(sign: Callable[[], object]) -> float:
    for _ in range(100):
        sign()
    count, began = 0, time.process_time()
    while time.process_time() - began < _SECONDS:
        for _ in range(20):
            sign()
        count += 20
    return (time.process_time() - began) / count * 1e6


if __name__ == "__main__":
    print(_measure({"ours": _our_signer, "systems": _systems_signer}[sys.argv[1]](sys.argv[2])))

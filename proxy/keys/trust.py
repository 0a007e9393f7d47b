"""What clients are given so that they trust our authority without forgetting all others.

A client that is pointed to our certificate alone would refuse the rest of the Internet, so there is also a bundle of
the system's authorities and ours, and the same as a trust store for Java.
"""

from __future__ import annotations

import os
import re
import ssl
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import PrivateFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import (
    PBES,
    PKCS12Certificate,
    serialize_java_truststore,
)

from proxy.errors import KeyUnusable
from proxy.keys import ca_directory
from proxy.keys.guarded import shown

if TYPE_CHECKING:
    from proxy.keys.authority import Authority

BUNDLE, JAVA_STORE = "bundle.pem", "truststore.p12"
JAVA_PASSWORD = "changeit"  # noqa: S105 - Java wants one to check the file's integrity; nothing in it is secret
_HEAD = b"# The system's certificate authorities and that of signing-proxy, which wrote this.\n"
_MAX_BYTES = 16 << 20
_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]{1,65536}-----END CERTIFICATE-----")
_USUAL = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, RHEL
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # Alpine, BSD, macOS
)


def system_roots(named: str | None = None) -> bytes:
    """PEM of the certificate authorities that this system trusts.

    named: the file that SSL_CERT_FILE names, which is taken before the usual ones unless it is our own bundle.
    Raises KeyUnusable: roots_missing.
    """
    if named is not None:
        found = _roots_in(named)
        if found:
            return found
        if not _is_ours(named):
            raise KeyUnusable("roots_missing", f"SSL_CERT_FILE names {shown(named)}, which holds none")
    for path in (ssl.get_default_verify_paths().openssl_cafile, *_USUAL):
        found = _roots_in(path)
        if found:
            return found
    raise KeyUnusable("roots_missing")


def bundle(authority: Authority) -> bytes:
    """PEM of the system's authorities and ours, each once.  Raises KeyUnusable: roots_missing."""
    blocks = [_HEAD.rstrip(b"\n"), *_others(authority), authority.pem.strip()]
    return b"\n".join(blocks) + b"\n"


def java_store(authority: Authority) -> bytes:
    """PKCS#12 of the same, which Java trusts with the password `changeit`.  Raises KeyUnusable: roots_missing.

    Encrypted as Java before 11.0.12 can read it; newer ones read it too.
    """
    blocks = list(_others(authority))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library comments on old roots, which nobody here can change
        found = [x509.load_pem_x509_certificate(authority.pem), *filter(None, map(_parsed, blocks))]
    entries = [PKCS12Certificate(certificate, b"signing-proxy" if index == 0 else f"root-{index}".encode())
               for index, certificate in enumerate(found)]
    builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(2048)
    how = builder.key_cert_algorithm(PBES.PBESv1SHA1And3KeyTripleDESCBC).hmac_hash(SHA1())  # noqa: S303
    return serialize_java_truststore(entries, how.build(JAVA_PASSWORD.encode()))


def write_exports(authority: Authority, directory: str) -> None:
    """ca.pem, bundle.pem and truststore.p12, where they are missing or out of date.

    Raises KeyUnusable: roots_missing, ca_directory_unusable.
    """
    if ca_directory.content(directory, ca_directory.CERTIFICATE) != authority.pem:
        ca_directory.write(directory, ca_directory.CERTIFICATE, authority.pem, ca_directory.PUBLIC_MODE)
    pem = bundle(authority)
    # The bundle is written last, so that it vouches for the trust store, whose bytes are never the same twice.
    if ca_directory.content(directory, BUNDLE) == pem and ca_directory.content(directory, JAVA_STORE):
        return
    ca_directory.write(directory, JAVA_STORE, java_store(authority), ca_directory.PUBLIC_MODE)
    ca_directory.write(directory, BUNDLE, pem, ca_directory.PUBLIC_MODE)


def _others(authority: Authority) -> Iterator[bytes]:
    """The system's, without ours, in their order, each once."""
    seen = {_body(authority.pem)}
    found = False
    for block in _BLOCK.findall(system_roots(authority.settings.roots_file)):
        if _body(block) not in seen:
            found = True
            seen.add(_body(block))
            yield block
    if not found:
        raise KeyUnusable("roots_missing", "the file holds this CA and no other")


def _body(block: bytes) -> bytes:
    return b"".join(block.split())


def _parsed(block: bytes) -> x509.Certificate | None:
    """None for one that the library refuses: a single odd root is no reason to have none."""
    try:
        return x509.load_pem_x509_certificate(block)
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        return None


def _roots_in(path: str) -> bytes:
    data = _read(path)
    return b"" if data.startswith(_HEAD) else b"\n".join(_BLOCK.findall(data))


def _is_ours(path: str) -> bool:
    return _read(path).startswith(_HEAD)


def _read(path: str) -> bytes:
    try:
        if not os.path.isfile(path):
            return b""
        with open(path, "rb") as file:
            return file.read(_MAX_BYTES)
    except (OSError, ValueError):
        return b""

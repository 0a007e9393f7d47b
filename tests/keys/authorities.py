"""Authorities for tests: a clock that is set by hand, real handshakes, and what openssl says of a chain."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from proxy.keys.authority import AuthoritySettings
from proxy.keys.issuing import key_pem, new_leaf

HOSTS = ("open.nordea.com", "127.0.0.1")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"


class Clock:
    """Stands still until it is moved."""

    def __init__(self, now: datetime | None = None) -> None:
        self.now = now or datetime.now(UTC).replace(microsecond=0)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **duration: float) -> None:
        self.now += timedelta(**duration)


def kept(directory, **more) -> AuthoritySettings:
    return AuthoritySettings(directory=str(directory), **more)


def handshake(context: ssl.SSLContext, client: ssl.SSLContext, host: str | None):
    """-> (what the client sees of the certificate, the server's SSLObject); raises the client's ssl.SSLError."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(to_server, to_client, server_side=True)
    asking = client.wrap_bio(to_client, to_server, server_hostname=host)
    waiting = {asking, server}
    for _ in range(8):
        for side in (asking, server):
            try:
                side.do_handshake()
                waiting.discard(side)
            except ssl.SSLWantReadError:
                pass
    assert not waiting
    return asking, server


def trusting(pem: bytes) -> ssl.SSLContext:
    """A client that trusts this and nothing else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=pem.decode())
    return context


@contextmanager
def served(context: ssl.SSLContext):
    """A server of one short answer on 127.0.0.1; yields its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    with context.wrap_socket(connection, server_side=True) as tls:
                        tls.recv(65536)
                        tls.sendall(ANSWER)
                except OSError:
                    continue

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"needs {name}: install it")
    return path


def openssl_verifies(directory, anchor: bytes, untrusted: bytes, leaf: bytes, *, strict=True) -> tuple[bool, str]:
    """What `openssl verify` says with this anchor alone.  strict: as RFC 5280 has it, not as usual in practice."""
    for name, content in (("anchor", anchor), ("untrusted", untrusted), ("leaf", leaf)):
        (directory / f"{name}.pem").write_bytes(content)
    done = subprocess.run(
        [program("openssl"), "verify", "-no-CAfile", "-no-CApath", *(["-x509_strict"] if strict else []), "-purpose",
         "sslserver", "-CAfile", directory / "anchor.pem",
         *(["-untrusted", directory / "untrusted.pem"] if untrusted else []), directory / "leaf.pem"],
        capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stdout + done.stderr


def leaf_of(directory, host: str, now: datetime):
    """A leaf for any host, signed with the key that an authority's directory holds, and the issuer's PEM."""
    issuer_pem = (directory / "issuer.pem").read_bytes()
    issuer = x509.load_pem_x509_certificate(issuer_pem)
    key = load_pem_private_key((directory / "ca.key").read_bytes(), None)
    return new_leaf(host, issuer, key, now, issuer.not_valid_after_utc), issuer_pem


def certificate(subject: str, key, issuer: str, issuer_key, *extensions, begin: datetime, end: datetime) -> bytes:
    """PEM.  extensions: (value, critical)."""
    def name(text):
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    builder = x509.CertificateBuilder(name(issuer), name(subject), key.public_key(), x509.random_serial_number(), begin,
                                      end)
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    return builder.sign(issuer_key, SHA256()).public_bytes(Encoding.PEM)


class Given:
    """A company's own authority in two files; what is given to write() replaces what would be right."""

    def __init__(self, directory, now: datetime) -> None:
        self.directory, self.now = directory, now
        self.key = ec.generate_private_key(ec.SECP256R1())

    def settings(self, **more) -> AuthoritySettings:
        return AuthoritySettings(certificate_file=str(self.directory / "given.pem"),
                                 key_file=str(self.directory / "given.key"), **more)

    def write(self, *extensions, pem=None, key=None, mode=0o600, begin=-1, end=300, ca=True):
        if pem is None:
            basic = (x509.BasicConstraints(ca=ca, path_length=None), True)
            pem = certificate("given", self.key, "given", self.key, basic, *extensions,
                              begin=self.now + timedelta(days=begin), end=self.now + timedelta(days=end))
        (self.directory / "given.pem").write_bytes(pem)
        file = self.directory / "given.key"
        file.touch(mode=0o600)
        file.write_bytes(key if key is not None else key_pem(self.key))
        file.chmod(mode)
        return self.settings()

"""Gives a TLS server its certificate without leaving the key anywhere: ssl takes keys from files only.

A memory file has no name in any directory, and works where the root file system is read-only.  It also works when the
process is not dumpable (`proxy.app.process`), for the kernel lets a process into its own /proc entry in any case.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


def server_context(certificates: bytes, key: bytes) -> ssl.SSLContext:
    """For the side that accepts: TLS 1.2 or newer, ALPN http/1.1.  certificates: PEM, the leaf first.  key: PEM.

    The name that a client asks for is kept as `asked` on its SSLObject (None when it names none); whether it may have
    it is for others to judge.  Raises ssl.SSLError when the two are no pair, OSError when no file can be made.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.num_tickets = 1
    context.sni_callback = _keep_name
    with _as_file(key + certificates) as path:
        context.load_cert_chain(path)
    return context


def _keep_name(connection: ssl.SSLObject, asked: str | None, context: ssl.SSLContext) -> None:
    connection.asked = asked  # type: ignore[attr-defined]


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    if not hasattr(os, "memfd_create"):
        with _on_disk(content) as path:
            yield path
        return
    descriptor = os.memfd_create("leaf", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, content)
        path = f"/proc/self/fd/{descriptor}"
        if os.path.exists(path):
            yield path
            return
    finally:
        os.close(descriptor)
    with _on_disk(content) as path:
        yield path


@contextmanager
def _on_disk(content: bytes) -> Iterator[str]:
    """Mode 0600 from the first moment, and gone as soon as it has been read."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file.name

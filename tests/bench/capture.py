"""A TLS server that keeps the raw bytes of each request it gets, so that a signature is judged before it is timed."""

from __future__ import annotations

import contextlib
import queue
import socket
import ssl
import threading
from collections.abc import Iterator

from .material import Material

_ANSWER = (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")


@contextlib.contextmanager
def listening(port: int, material: Material) -> Iterator[queue.Queue[bytes]]:
    """Every request that comes in while this is open lands in the queue."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(material.server_certificate, material.server_key)
    captured: queue.Queue[bytes] = queue.Queue()
    server = socket.create_server(("127.0.0.1", port))
    server.settimeout(0.2)
    closing = threading.Event()

    def serve() -> None:
        while not closing.is_set():
            with contextlib.suppress(OSError):
                plain, _ = server.accept()
                plain.settimeout(10)
                with context.wrap_socket(plain, server_side=True) as connection:
                    captured.put(_request(connection))
                    connection.sendall(_ANSWER)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield captured
    finally:
        closing.set()
        thread.join()
        server.close()


def _request(connection: ssl.SSLSocket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n")
                   if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length:
        body += _more(connection)
    return head + b"\r\n\r\n" + body


def _more(connection: ssl.SSLSocket) -> bytes:
    part = connection.recv(65536)
    if not part:
        raise ConnectionResetError("cut before the request was complete")
    return part

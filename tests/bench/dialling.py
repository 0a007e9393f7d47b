"""How a load generator reaches a proxy: straight, through CONNECT, with TLS or without."""

from __future__ import annotations

import socket
import ssl


def plain(port: int, connect: str = "") -> socket.socket:
    """connect: host:port to ask a tunnel to, "" for none.  Raises OSError."""
    line = socket.create_connection(("127.0.0.1", port), 60)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if connect:
        line.sendall(f"CONNECT {connect} HTTP/1.1\r\nHost: {connect}\r\n\r\n".encode())
        _read_200(line)
    return line


def trusting(ca_file: str) -> ssl.SSLContext:
    """TLS 1.3 only: what everybody is measured with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(ca_file)
    return context


def _read_200(line: socket.socket) -> None:
    """Whoever opens a tunnel says nothing after its head until it has heard something."""
    head = b""
    while b"\r\n\r\n" not in head:
        part = line.recv(65536)
        if not part:
            raise ConnectionResetError("closed instead of a tunnel")
        head += part
    if not head.startswith(b"HTTP/1.1 200 ") or not head.endswith(b"\r\n\r\n"):
        raise ConnectionRefusedError(f"no tunnel: {head[:60]!r}")

"""A program: a server that sends each connection as many bytes as it asks for, then half-closes."""

from __future__ import annotations

import json
import socket
import sys
import threading

from .peers.base import SOURCE_HOST
from .programs import serve

_PART = bytes(range(256)) * 1024


def _listen(port: int) -> None:
    server = socket.create_server((SOURCE_HOST, port), backlog=64)
    while True:
        line, _ = server.accept()
        threading.Thread(target=_send, args=(line,), daemon=True).start()


def _send(line: socket.socket) -> None:
    with line:
        wanted = b""
        while not wanted.endswith(b"\n"):
            part = line.recv(64)
            if not part:
                return
            wanted += part
        left = int(wanted)
        while left:
            left -= line.send(_PART[:left] if left < len(_PART) else _PART)
        line.shutdown(socket.SHUT_WR)
        line.recv(1)


if __name__ == "__main__":
    threading.Thread(target=_listen, args=(json.loads(sys.argv[1])["port"],), daemon=True).start()
    serve(lambda: None)

"""A program: signed calls on kept connections in one of the forms that a client may use, every answer checked."""

from __future__ import annotations

import json
import re
import secrets
import selectors
import socket
import sys
import time
from dataclasses import dataclass

from . import dialling
from .conversation import BODIES, Call
from .programs import serve

REVERSE, ABSOLUTE, INTERCEPTED, OVER_TLS = "reverse", "absolute-form", "intercepted", "reverse over TLS"
FORMS = (REVERSE, ABSOLUTE, INTERCEPTED, OVER_TLS)
_LENGTH = re.compile(rb"\r\nContent-Length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Way:
    """port: of the listener.  bank: host of the route.  ca_file: what signed the certificate seen, where TLS is."""

    form: str
    port: int
    bank: str
    ca_file: str

    def open(self) -> socket.socket:
        """Raises OSError, of which ssl.SSLError is one."""
        line = dialling.plain(self.port, f"{self.bank}:443" if self.form == INTERCEPTED else "")
        if self.form not in (INTERCEPTED, OVER_TLS):
            return line
        return dialling.trusting(self.ca_file).wrap_socket(line, server_hostname=self.bank)

    def request(self, method: str, path: str) -> bytes:
        target = f"http://{self.bank}{path}" if self.form == ABSOLUTE else path
        raw = Call(method, target).to_bytes(self.port)
        if self.form in (ABSOLUTE, INTERCEPTED):
            raw = raw.replace(f"Host: 127.0.0.1:{self.port}".encode(), f"Host: {self.bank}".encode(), 1)
        return raw


def read_answer(line: socket.socket) -> None:
    """Raises ValueError for anything but a whole 200."""
    data = line.recv(65536)
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += _more(line, data)
    length = _LENGTH.search(data, 0, end)
    if not data.startswith(b"HTTP/1.1 200 ") or length is None:
        raise ValueError(f"answered {data[:60]!r}")
    whole = end + 4 + int(length[1])
    while len(data) < whole:
        data += _more(line, data)
    if len(data) > whole:
        raise ValueError("more than one answer")


def _more(line: socket.socket, data: bytes) -> bytes:
    part = line.recv(65536)
    if not part:
        raise ValueError(f"cut after {len(data)} bytes")
    return part


class Callers:
    """Each connection has one request under way at any time."""

    def __init__(self, way: Way, method: str, connections: int) -> None:
        assert method in BODIES
        path = f"/personal/v5/accounts/{secrets.token_hex(8)}/transactions?continuation_key=c@"
        self._before, self._after = way.request(method, path).split(b"@", 1)
        self._lines = [way.open() for _ in range(connections)]
        self._count = 0

    def work(self, seconds: float) -> dict[str, float]:
        began = time.perf_counter()
        before, deadline = self._count, began + seconds
        with selectors.DefaultSelector() as selector:
            for line in self._lines:
                selector.register(line, selectors.EVENT_READ)
                self._ask(line)
            while time.perf_counter() < deadline:
                for key, _ in selector.select():
                    assert isinstance(key.fileobj, socket.socket)
                    read_answer(key.fileobj)
                    self._ask(key.fileobj)
            for line in self._lines:
                read_answer(line)
        return {"requests": self._count - before, "seconds": time.perf_counter() - began}

    def _ask(self, line: socket.socket) -> None:
        self._count += 1
        line.sendall(b"%b%d%b" % (self._before, self._count, self._after))


if __name__ == "__main__":
    settings = json.loads(sys.argv[1])
    way = Way(settings["form"], settings["port"], settings["bank"], settings["ca_file"])
    serve(Callers(way, settings["method"], settings["connections"]).work)

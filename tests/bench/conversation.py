"""One plain HTTP/1.1 call over loopback, written out byte by byte."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass

TOKEN = "eyJraWQiOiJiZW5jaCJ9.bench-access-token.c2lnbmF0dXJl"
POST_BODY = json.dumps({"creditor": {"account": {"value": "FI2112345600000785", "_type": "IBAN"}, "message": ""},
                        "amount": "12.50", "currency": "EUR"}, separators=(",", ":")).encode()
POST_BODY = POST_BODY.replace(b'"message":""', b'"message":"' + b"m" * (600 - len(POST_BODY)) + b'"')
CONTENT_TYPE = "application/json; charset=utf-8"
BODIES = {"GET": b"", "POST": POST_BODY}


@dataclass(frozen=True, slots=True)
class Call:
    """What a client of the proxy sends."""

    method: str
    target: str

    @property
    def body(self) -> bytes:
        return BODIES[self.method]

    def to_bytes(self, port: int) -> bytes:
        lines = [f"{self.method} {self.target} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Accept: application/json",
                 f"Authorization: Bearer {TOKEN}"]
        if self.body:
            lines += [f"Content-Type: {CONTENT_TYPE}", f"Content-Length: {len(self.body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


def status_of(call: Call, port: int, seconds: float = 30) -> int:
    """The status of one answer; OSError when nobody answers."""
    with socket.create_connection(("127.0.0.1", port), seconds) as connection:
        connection.settimeout(seconds)
        connection.sendall(call.to_bytes(port))
        head = b""
        while b"\r\n" not in head:
            part = connection.recv(65536)
            if not part:
                raise ConnectionResetError("closed before an answer")
            head += part
    return int(head.split(b" ", 2)[1])


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True

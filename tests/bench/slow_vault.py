"""A program: Vault's Transit as it is over a network, whose every answer takes a while, and which signs at no cost.

It answers what the proxy asks (a token's lookup, a key's versions, signatures) and keeps each signature that it has
made: the same request at the same second is the same message.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from pathlib import Path
from typing import cast

import uvloop
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

_SIGN = b"POST /v1/transit/sign/"


class Signatures:
    """By what was asked for, whole answers."""

    def __init__(self, key_file: str) -> None:
        self._key = cast(rsa.RSAPrivateKey, load_pem_private_key(Path(key_file).read_bytes(), None))
        self._made: dict[bytes, bytes] = {}
        public = self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        self.about_key = _answer({"type": f"rsa-{self._key.key_size}", "latest_version": 1,
                                  "keys": {"1": {"public_key": public}}})

    def of(self, body: bytes) -> bytes:
        found = self._made.get(body)
        if found is None:
            message = base64.b64decode(json.loads(body)["input"])
            signature = base64.b64encode(self._key.sign(message, padding.PKCS1v15(), SHA256())).decode()
            found = self._made[body] = _answer({"signature": f"vault:v1:{signature}"})
        return found


def _answer(data: object) -> bytes:
    body = json.dumps({"data": data}).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


class Speaking(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, signatures: Signatures, latency: float) -> None:
        self._signatures, self._latency = signatures, latency
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._data += data
        end = self._data.find(b"\r\n\r\n") + 4
        if end < 4:
            return
        length = int(self._data[self._data.find(b"Content-Length: ") + 16:end].split(b"\r\n", 1)[0])
        if len(self._data) < end + length:
            return
        head, body, self._data = self._data[:end], self._data[end:], b""
        asyncio.get_running_loop().call_later(self._latency, self._transport.write, self._reply(head, body))

    def _reply(self, head: bytes, body: bytes) -> bytes:
        if head.startswith(_SIGN):
            return self._signatures.of(body)
        return self._signatures.about_key if b"/transit/keys/" in head else _answer({"ttl": 0, "renewable": False})


async def _listen(port: int, key_file: str, latency: float) -> None:
    signatures = Signatures(key_file)
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: Speaking(signatures, latency), "127.0.0.1", port, backlog=256)
    print(json.dumps("ready"), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    settings = json.loads(sys.argv[1])
    uvloop.run(_listen(settings["port"], settings["key_file"], settings["latency"]))

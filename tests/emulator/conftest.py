"""A caller that seals requests with code of its own, and a raw socket to say anything with."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import formatdate

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from proxy.emulator import Authority, Emulator, Options, Validity

NOW = 1691994345.0  # Mon, 14 Aug 2023 06:25:45 GMT
LONG = Validity(datetime(2020, 1, 1, tzinfo=UTC), datetime(2120, 1, 1, tzinfo=UTC))
BARE = "(request-target) x-nordea-originating-host x-nordea-originating-date"
FULL = BARE + " content-type digest"


@pytest.fixture(scope="session")
def authority():
    return Authority()


@pytest.fixture(scope="session")
def seal(authority):
    return authority.seal(validity=LONG)


@pytest.fixture(scope="session")
def other_seal(authority):
    return authority.seal(validity=LONG)


class Line:
    """One connection to the emulator."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def send(self, raw):
        self.writer.write(raw)
        await self.writer.drain()

    async def head(self):
        """Status and headers (lower-case names, in order) of the next answer."""
        lines = (await self.reader.readuntil(b"\r\n\r\n"))[:-4].split(b"\r\n")
        fields = [tuple(line.split(b": ", 1)) for line in lines[1:]]
        return int(lines[0].split(b" ")[1]), [(name.lower().decode(), value) for name, value in fields]

    async def answer(self, *, head_only=False):
        status, fields = await self.head()
        known = dict(fields)
        if head_only or status in (204, 304):
            body = b""
        elif "transfer-encoding" in known:
            body = await self.chunks()
        elif "content-length" in known:
            body = await self.reader.readexactly(int(known["content-length"]))
        else:
            body = await self.reader.read()
        return Answer(status, fields, body)

    async def chunks(self):
        body = b""
        while size := int(await self.reader.readline(), 16):
            body += await self.reader.readexactly(size)
            assert await self.reader.readexactly(2) == b"\r\n"
        assert await self.reader.readexactly(2) == b"\r\n"
        return body

    async def rest(self):
        return await self.reader.read()

    async def ask(self, raw, **how):
        await self.send(raw)
        return await self.answer(**how)


class Answer:
    def __init__(self, status, fields, body):
        self.status, self.fields, self.body = status, fields, body

    def __getitem__(self, name):
        return dict(self.fields)[name].decode("latin-1")

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """The bank's error code, or the gateway's sentence."""
        return self.json.get("moreInformation") or self.json["error"]["failures"][0]["code"]


class Caller:
    """Builds sealed requests for one emulator; every part can be made wrong."""

    def __init__(self, emulator, seal):
        self.emulator = emulator
        self.key = serialization.load_pem_private_key(seal.key_pem, None)

    def parts(self, method, target, body=b"", **fields):
        """Header names and values of a good request; a keyword replaces one (`_` for `-`), None leaves it out."""
        options = self.emulator.options
        parts = {
            "Host": "localhost",
            "X-IBM-Client-Id": options.client_id,
            "X-IBM-Client-Secret": options.client_secret,
            "X-Nordea-Originating-Host": "localhost",
            "X-Nordea-Originating-Date": formatdate(options.clock(), usegmt=True),
            "Authorization": "Bearer some-token",
        }
        if method in ("POST", "PUT", "PATCH") or body:
            parts["Content-Type"] = "application/json"
            parts["Digest"] = "SHA-256=" + base64.b64encode(hashlib.sha256(body).digest()).decode()
            parts["Content-Length"] = str(len(body))
        names = {name.lower().replace("-", "_"): name for name in parts}
        for name, value in fields.items():
            parts[names.get(name, name.replace("_", "-"))] = value
        return {name: value for name, value in parts.items() if value is not None}

    def string(self, method, target, parts, covered):
        lower = {name.lower(): value for name, value in parts.items()}
        lower["(request-target)"] = f"{method.lower()} {target}"
        return "\n".join(f"{name}: {lower[name]}" for name in covered.split())

    def sign(self, string, algorithm=None):
        signed = self.key.sign(string.encode("latin-1"), padding.PKCS1v15(), algorithm or hashes.SHA256())
        return base64.b64encode(signed).decode()

    def seal(self, method, target, parts, covered=None, *, algorithm="rsa-sha256", key_id=None):
        covered = covered or (FULL if "Digest" in parts else BARE)
        value = self.sign(self.string(method, target, parts, covered))
        identity = key_id or parts.get("X-IBM-Client-Id", self.emulator.options.client_id)
        return f'keyId="{identity}",algorithm="{algorithm}",headers="{covered}",signature="{value}"'

    def request(self, method, target, body=b"", *, signature=None, **fields):
        parts = self.parts(method, target, body, **fields)
        parts.setdefault("Signature", signature or self.seal(method, target, parts))
        return self.raw(method, target, parts, body)

    def raw(self, method, target, parts, body=b""):
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in parts.items()), "", ""]
        return "\r\n".join(lines).encode("latin-1") + body

    @asynccontextmanager
    async def connect(self):
        context = None
        if self.emulator.options.tls:
            context = ssl.create_default_context(cafile=self.emulator.ca_pem_path)
            context.set_alpn_protocols(["http/1.1"])
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.emulator.port, ssl=context, server_hostname="localhost" if context else None
        )
        try:
            yield Line(reader, writer)
        finally:
            writer.transport.abort()
            try:
                await writer.wait_closed()
            except OSError:
                pass

    async def ask(self, raw, **how):
        """One request on a connection of its own."""
        async with self.connect() as line:
            return await line.ask(raw, **how)

    async def get(self, target, **fields):
        return await self.ask(self.request("GET", target, **fields))

    async def post(self, target, body=b"{}", **fields):
        return await self.ask(self.request("POST", target, body, **fields))


@pytest.fixture
async def bank(seal):
    """Plain HTTP, the clock stands still."""
    options = Options(certificate=seal.certificate_pem, tls=False, clock=lambda: NOW, control_port=0)
    async with Emulator(options) as emulator:
        yield emulator


@pytest.fixture
def caller(bank, seal):
    return Caller(bank, seal)


@pytest.fixture
def caller_of(seal):
    """For a test that starts an emulator of its own."""
    return lambda emulator, pair=seal: Caller(emulator, pair)

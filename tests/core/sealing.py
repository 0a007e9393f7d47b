"""Sealing in a test, and reading what was sealed with code that shares nothing with the proxy."""

from __future__ import annotations

from base64 import b64decode
from hashlib import sha256
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from proxy.core.message import Request
from proxy.core.profiles import NORDEA
from proxy.core.secret import Secret
from proxy.core.signing import Credentials, Plan, SigningRules, prepare

DATE = b"Mon, 14 Aug 2023 06:25:45 GMT"
ME = Credentials(b"4a2b1c3d5e6f47088192a3b4c5d6e7f8", Secret(b"s3cret/=+"))
BARE = b"(request-target) x-nordea-originating-host x-nordea-originating-date"
FULL = BARE + b" content-type digest"


def request(method: bytes, target: bytes = b"/p", *fields: tuple[bytes, bytes], body: bytes = b"",
            options: frozenset[bytes] = frozenset()) -> Request:
    return Request(method, target, [(name.lower(), name, value) for name, value in fields], body, options=options)


def plan(asked: Request, rules: SigningRules | None = None) -> Plan:
    return prepare(asked, rules or SigningRules(NORDEA)).plan(ME, DATE)


def sign(key: RSAPrivateKey, message: bytes) -> bytes:
    return key.sign(message, PKCS1v15(), SHA256())


class Wire(NamedTuple):
    """What a recipient finds in the bytes; fields: (name as spelled, value)."""

    method: bytes
    target: bytes
    fields: list[tuple[bytes, bytes]]
    body: bytes

    def all(self, name: bytes) -> list[bytes]:
        return [value for known, value in self.fields if known.lower() == name.lower()]

    def one(self, name: bytes) -> bytes:
        (value,) = self.all(name)
        return value


def parse(raw: bytes) -> Wire:
    """A recipient that takes a request apart by hand and allows nothing it need not."""
    top, body = raw.split(b"\r\n\r\n", 1)
    first, *lines = top.split(b"\r\n")
    method, target, version = first.split(b" ")
    assert version == b"HTTP/1.1"
    fields = []
    for line in lines:
        name, value = line.split(b": ", 1)
        assert name.strip() == name != b""
        assert not {0, 10, 13} & set(value)
        fields.append((name, value))
    wire = Wire(method, target, fields, body)
    lengths = wire.all(b"content-length")
    assert not wire.all(b"transfer-encoding")
    assert len(body) == (int(lengths[0]) if lengths else 0)
    assert len(lengths) <= 1
    return wire


def parameters(header: bytes) -> dict[bytes, bytes]:
    """keyId="...",algorithm="...",headers="...",signature="..." in this order and without white space."""
    found = [part.split(b"=", 1) for part in header.split(b",")]
    assert [name for name, _ in found] == [b"keyId", b"algorithm", b"headers", b"signature"]
    assert all(value[:1] == value[-1:] == b'"' for _, value in found)
    return {name: value[1:-1] for name, value in found}


def base_of(wire: Wire, covered: bytes) -> bytes:
    """The signature base, derived from the wire."""
    lines = []
    for name in covered.split(b" "):
        value = wire.method.lower() + b" " + wire.target if name == b"(request-target)" else wire.one(name)
        lines.append(name + b": " + value)
    return b"\n".join(lines)


def verify(wire: Wire, key: RSAPublicKey, *, form_digest_of: bytes | None = None) -> bytes:
    """The bank's judgement; raises when it is bad.  -> the covered list.

    form_digest_of: what the digest is over where that is not the body (the bank's form rule).
    """
    said = parameters(wire.one(b"Signature"))
    assert said[b"algorithm"] == b"rsa-sha256"
    assert said[b"headers"] in (BARE, FULL)
    key.verify(b64decode(said[b"signature"], validate=True), base_of(wire, said[b"headers"]), PKCS1v15(), SHA256())
    digests = wire.all(b"Digest")
    if said[b"headers"] == FULL:
        (digest,) = digests
        assert digest[:8] == b"SHA-256="
        hashed = wire.body if form_digest_of is None else form_digest_of
        assert b64decode(digest[8:], validate=True) == sha256(hashed).digest()
    else:
        assert (digests, wire.body) == ([], b"")
    return said[b"headers"]

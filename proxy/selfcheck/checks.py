"""Judges one outgoing request from its raw bytes: everything the signature promises is derived again.

What no check sees, because no signature covers it and the bank reads it as the caller meant it: the letter case of
header names, and the values of headers that are neither covered nor in `_ONCE`, the client secret's among them.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Callable
from hashlib import sha256
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from proxy.selfcheck.demands import NORDEA, Demands
from proxy.selfcheck.form import is_form, normalised
from proxy.selfcheck.message import Message, Unreadable

CHECKS: Final = ("message", "single", "framing", "identity", "host", "date", "digest", "header", "coverage", "key_id",
                 "signature")
"""Every value of Fault.check, in the order in which they are made."""

_SIGNATURE = re.compile(
    rb'keyId="([^"\\]+)",algorithm="([^"\\]+)",headers="([^"\\]+)",signature="([A-Za-z0-9+/]+={0,2})"')
_DATE = re.compile(
    rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-3]\d (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} "
    rb"[0-2]\d:[0-5]\d:[0-6]\d GMT")
_HOST_AND_PORT = re.compile(rb"(\[[0-9a-f:.]+\]|[^:\[\]]+)(?::\d{1,5})?")
_ONCE: Final = (b"host", b"content-length", b"content-type", b"digest", b"signature")
_NEVER: Final = frozenset((b"transfer-encoding", b"connection", b"keep-alive", b"te", b"trailer", b"upgrade",
                           b"expect", b"proxy-authorization", b"proxy-connection"))
_PADDING: Final = PKCS1v15()
_HASH: Final = SHA256()


class Fault(NamedTuple):
    """check: one of CHECKS.  sentence: what is wrong, without any value of the message."""

    check: str
    sentence: str


class _Failed(Exception):
    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


def verify_outgoing(head: bytes, body: bytes | memoryview, public_key: RSAPublicKey | None,
                    demands: Demands = NORDEA) -> str | None:
    """None when the request is what the bank must accept; else a sentence that names the failed check.

    head: from the request line up to and with the empty line, exactly as written.  public_key: the certificate's.
    """
    fault = find_fault(head, body, public_key, demands)
    return f"{fault.check}: {fault.sentence}" if fault is not None else None


def find_fault(head: bytes, body: bytes | memoryview, public_key: RSAPublicKey | None, demands: Demands,
               ) -> Fault | None:
    """As verify_outgoing."""
    try:
        message = Message(head)
    except Unreadable as error:
        return Fault("message", f"{error}.")
    job = _Judge(message, body, public_key, demands)
    for name, check in job.checks():
        try:
            check()
        except _Failed as failed:
            return Fault(name, failed.sentence)
    return None


class _Judge:
    """One request.  Each check raises _Failed and may rely on those before it."""

    __slots__ = ("_body", "_covers_content", "_demands", "_header", "_key", "_message")

    def __init__(self, message: Message, body: bytes | memoryview, key: RSAPublicKey | None, demands: Demands) -> None:
        self._message = message
        self._body = body
        self._key = key
        self._demands = demands
        self._header: tuple[bytes, bytes, bytes, bytes] = (b"", b"", b"", b"")
        self._covers_content = len(body) > 0 or (message.method in demands.content_methods and not demands.omit_empty)

    def checks(self) -> tuple[tuple[str, Callable[[], None]], ...]:
        always = (("single", self._single), ("framing", self._framing), ("identity", self._identity),
                  ("host", self._host), ("date", self._date), ("digest", self._digest))
        if self._demands.literal:
            return (*always, ("header", self._literal))
        return (*always, ("header", self._read_header), ("coverage", self._coverage), ("key_id", self._key_id),
                ("signature", self._signature))

    def _single(self) -> None:
        demands = self._demands
        protected = {*_ONCE, demands.host_header, demands.date_header, *demands.identity}
        for name, values in self._message.fields.items():
            if name in _NEVER:
                raise _Failed("a header that concerns one connection only would be sent.")
            if name in protected:
                if len(values) > 1:
                    raise _Failed(f"{name.decode()} would be sent more than once.")
            elif (b"_" in name or b"." in name) and name.replace(b"_", b"-").replace(b".", b"-") in protected:
                raise _Failed("another spelling of a protected header would be sent.")

    def _framing(self) -> None:
        length = self._message.one(b"content-length")
        framed = len(self._body) > 0 or self._message.method in self._demands.content_methods
        if length is None:
            if framed:
                raise _Failed("Content-Length is missing.")
        elif length != b"%d" % len(self._body):
            raise _Failed("Content-Length is not the length of the body.")

    def _identity(self) -> None:
        for name in self._demands.identity:
            if not self._message.one(name):
                raise _Failed(f"{name.decode()} is missing or empty.")

    def _host(self) -> None:
        demands = self._demands
        authority, host = self._message.one(b"host"), self._message.one(demands.host_header)
        if not authority or not host:
            raise _Failed("a header that names the host is missing.")
        if demands.host and host != demands.host:
            raise _Failed("the host that is signed is not the route's.")
        if demands.authority:
            if authority != demands.authority:
                raise _Failed("Host is not the route's.")
            return
        parts = _HOST_AND_PORT.fullmatch(authority)
        if parts is None or parts[1] != host:
            raise _Failed("Host and the host that is signed differ.")

    def _date(self) -> None:
        if _DATE.fullmatch(self._message.one(self._demands.date_header) or b"") is None:
            raise _Failed("the date is missing, or is no IMF-fixdate in GMT.")

    def _digest(self) -> None:
        message, demands = self._message, self._demands
        sent, content_type = message.one(b"digest"), message.one(b"content-type")
        if not self._covers_content:
            if sent is not None:
                raise _Failed("a Digest would be sent that no signature covers.")
            return
        if sent is None or not content_type:
            raise _Failed("Digest or Content-Type is missing.")
        hashed = self._body
        if demands.canonical_forms and is_form(content_type):
            hashed = normalised(bytes(hashed))
        if sent != demands.digest_prefix + b64encode(sha256(hashed).digest()):
            raise _Failed("Digest is not that of the body.")

    def _literal(self) -> None:
        if self._message.one(b"signature") != self._demands.literal:
            raise _Failed("Signature is not the sandbox's literal.")

    def _read_header(self) -> None:
        found = _SIGNATURE.fullmatch(self._message.one(b"signature") or b"")
        if found is None:
            raise _Failed("Signature is missing, or is not keyId, algorithm, headers and signature in this form.")
        key_id, algorithm, names, value = found.groups()
        if algorithm != self._demands.algorithm:
            raise _Failed("algorithm is not the profile's.")
        self._header = key_id, algorithm, names, value

    def _coverage(self) -> None:
        demands = self._demands
        wanted = demands.covered_with_content if self._covers_content else demands.covered
        if self._header[2] != b" ".join(wanted):
            raise _Failed("the covered headers are not those that the profile demands.")

    def _key_id(self) -> None:
        client_id = self._message.one(self._demands.identity[0]) if self._demands.identity else b""
        if self._header[0] != self._demands.key_id.replace(b"{client_id}", client_id or b""):
            raise _Failed("keyId does not name the client id that would be sent.")

    def _signature(self) -> None:
        if self._key is None:
            raise _Failed("there is no public key to check the signature with.")
        try:
            seal = b64decode(self._header[3], validate=True)
        except NotBase64:
            raise _Failed("the signature is not padded base64.") from None
        if b64encode(seal) != self._header[3]:
            raise _Failed("the signature is not canonical base64.")
        try:
            self._key.verify(seal, self._signing_string(), _PADDING, _HASH)
        except InvalidSignature:
            raise _Failed("the certificate's public key does not verify the signature of these bytes.") from None

    def _signing_string(self) -> bytes:
        lines = []
        for name in self._header[2].split(b" "):
            if name == b"(request-target)":
                value: bytes | None = self._message.method.lower() + b" " + self._message.target
            else:
                value = self._message.one(name)
            if value is None:
                raise _Failed("a covered header is missing.")
            lines.append(name + b": " + value)
        return b"\n".join(lines)

"""The values that travel between the wire and the rules."""

from __future__ import annotations

from typing import TypeAlias

Field: TypeAlias = tuple[bytes, bytes, bytes]
"""A header field: lower-case name, name as spelled, value without surrounding white space."""

CHUNKED = -1
"""Length of a body in chunked framing."""
UNTIL_CLOSE = -2
"""Length of an answer's body that ends with the connection (RFC 9112 section 6.3, rule 8)."""


class Request:
    """One request as it was received; the body is filled in once it is complete.

    target: origin-form, byte for byte.  asked: the same as it came, whatever a route has made of it.
    authority: the Host field's value, or the authority of an absolute-form target.  scheme: of an absolute-form
    target, lower case; else b"".
    options: lower-case names listed in Connection.  length: as framed; CHUNKED, or bytes.
    token: which of the listener's client tokens it came with, counted from 1; 0 for none.
    """

    __slots__ = ("asked", "authority", "body", "close", "expect", "fields", "length", "method", "minor", "options",
                 "scheme", "target", "token")

    def __init__(self, method: bytes, target: bytes, fields: list[Field], body: bytes = b"", *, authority: bytes = b"",
                 minor: int = 1, length: int = 0, options: frozenset[bytes] = frozenset(), close: bool = False,
                 expect: bool = False, scheme: bytes = b"") -> None:
        self.method = method
        self.target = self.asked = target
        self.fields = fields
        self.body = body
        self.authority = authority
        self.minor = minor
        self.length = length
        self.options = options
        self.close = close
        self.expect = expect
        self.scheme = scheme
        self.token = 0

    def first(self, name: bytes) -> bytes | None:
        """Value of the first field with this lower-case name."""
        for lower, _, value in self.fields:
            if lower == name:
                return value
        return None


class Response:
    """The head of an answer.  line: status code and reason phrase as received."""

    __slots__ = ("close", "fields", "length", "line", "minor", "options", "status")

    def __init__(self, status: int, line: bytes, fields: list[Field], *, minor: int, length: int,
                 options: frozenset[bytes], close: bool) -> None:
        self.status = status
        self.line = line
        self.fields = fields
        self.minor = minor
        self.length = length
        self.options = options
        self.close = close

    def first(self, name: bytes) -> bytes | None:
        for lower, _, value in self.fields:
            if lower == name:
                return value
        return None

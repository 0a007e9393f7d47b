"""Which header fields reach the bank: hop-by-hop ones stop here, and nobody but the proxy writes the sealed ones."""

from __future__ import annotations

from collections.abc import Iterable

from proxy.core.message import Field
from proxy.errors import Refused

HOP_BY_HOP = frozenset((
    b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authentication-info",
    b"proxy-authorization", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"http2-settings"))
"""RFC 9110 section 7.6.1, with the proxy credentials and the names that only old clients send."""

FRAMING = frozenset((b"host", b"content-length", b"expect"))
"""Written again from parsed parts."""

FORWARDING = frozenset((b"forwarded", b"x-real-ip", b"true-client-ip", b"x-client-ip", b"via"))
"""What other proxies add (also every x-forwarded-*): the bank must not learn the inside of our network."""

OVERRIDES = frozenset((
    b"x-http-method-override", b"x-http-method", b"x-method-override", b"x-original-url", b"x-rewrite-url"))
"""Headers by which some servers act on another method or path than the one that was judged and signed."""

OURS = b"signing-proxy-"
"""Nobody else's word on what this proxy did reaches anybody."""

_ALWAYS = HOP_BY_HOP | FRAMING | FORWARDING
_UNLISTABLE = FRAMING | {b"content-type", b"authorization", b"content-encoding"}

SECRET_NAMES = frozenset((
    b"authorization", b"proxy-authorization", b"cookie", b"set-cookie", b"x-ibm-client-secret"))
"""Values that never appear in anything a person reads."""


def canonical(name: bytes) -> bytes:
    """The name that servers which turn '_' and '.' into '-' would see."""
    return name.lower().replace(b"_", b"-").replace(b".", b"-")


class HeaderRules:
    """What one profile removes from a request before it is signed.

    reserved: lower-case names the proxy writes itself.  reserved_prefixes: such as b"x-ibm-client-".
    """

    __slots__ = ("_aliased", "_drop", "_prefixes", "_unlistable", "reserved")

    def __init__(self, reserved: frozenset[bytes], reserved_prefixes: tuple[bytes, ...]) -> None:
        self.reserved = reserved
        self._prefixes = (*reserved_prefixes, b"x-forwarded-", OURS)
        self._drop = _ALWAYS | reserved
        self._aliased = self._drop | {b"content-type"}
        self._unlistable = _UNLISTABLE | reserved

    def clean(self, fields: Iterable[Field], options: frozenset[bytes]) -> list[Field]:
        """The fields that go on.  options: names listed in Connection.

        Raises Refused: protected_header_in_connection when one of them must reach the bank, override_not_allowed.
        """
        drop = self._drop
        if options:
            drop = drop | self._listed(options)
        prefixes = self._prefixes
        kept = []
        for field in fields:
            name = field[0]
            if name in drop or name.startswith(prefixes):
                continue
            if name in OVERRIDES or ((b"_" in name or b"." in name) and canonical(name) in OVERRIDES):
                raise Refused("override_not_allowed")
            if (b"_" in name or b"." in name) and self._is_alias(name):
                continue
            kept.append(field)
        return kept

    def replaced(self, fields: Iterable[Field]) -> list[str]:
        """Names of sealed headers that the caller wrote itself and that were replaced."""
        reserved = self.reserved
        return [name.decode() for name, _, _ in fields if name in reserved]

    def _listed(self, options: frozenset[bytes]) -> frozenset[bytes]:
        for option in options:
            name = canonical(option)
            if name in self._unlistable or name.startswith(self._prefixes[:-2]):
                raise Refused("protected_header_in_connection")
        return options

    def _is_alias(self, name: bytes) -> bool:
        plain = canonical(name)
        return plain in self._aliased or plain.startswith(self._prefixes)


def answer_fields(fields: Iterable[Field], options: frozenset[bytes], *, keep_length: bool) -> bytes:
    """The serialised fields of an answer that go back to the caller, in order, duplicates kept."""
    skip = HOP_BY_HOP if keep_length else HOP_BY_HOP | {b"content-length"}
    if options:
        skip = skip | options
    return b"".join([b"%b: %b\r\n" % (name, value) for lower, name, value in fields
                     if lower not in skip and not lower.startswith(OURS)])


def redacted(name: bytes, value: bytes) -> str:
    """The value for a person to read: secrets are masked."""
    if canonical(name) in SECRET_NAMES or b"secret" in name.lower() or b"token" in name.lower():
        return "***"
    return value.decode("latin-1")

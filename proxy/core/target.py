"""Request targets are sent and signed exactly as they came, or refused with the reason; never rewritten.

The one exception is a lone trailing "?", which is dropped from what is sent and from what is signed.
"""

from __future__ import annotations

import re

from proxy.errors import Refused

# What nearly every call to a bank looks like; anything else takes the slow path, which names the fault.
_PLAIN = re.compile(
    rb"/(?:[A-Za-z0-9_~\-=:@,+][A-Za-z0-9_~\-=:@,+.]*/)*(?:[A-Za-z0-9_~\-=:@,+][A-Za-z0-9_~\-=:@,+.]*)?"
    rb"(?:\?[A-Za-z0-9_~\-=:@,+./&]+)?")
_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_FORBIDDEN_ESCAPE = re.compile(rb"%(?:00|0a|0d|5c)", re.IGNORECASE)
_DOT = re.compile(rb"%(?:25)*2e", re.IGNORECASE)
_PARAMETERS = re.compile(rb";|%(?:25)*3b", re.IGNORECASE)
_ANY_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_ROUNDS = 4
_SLASH = re.compile(rb"%2f", re.IGNORECASE)
_SEPARATOR = re.compile(rb"/|%(?:25)*(?:2f|5c)", re.IGNORECASE)


def origin_form(target: bytes) -> bytes:
    """The target to sign and send.  Raises Refused("bad_target") with the reason.

    target: origin-form as received (RFC 9112 section 3.2.1), or "*".
    """
    if _PLAIN.fullmatch(target) is not None:
        return target
    if target == b"*":
        raise Refused("bad_target", "the asterisk form has no path to sign")
    _refuse_bytes(target)
    path, mark, query = target.partition(b"?")
    _refuse_path(path)
    return path if mark and not query else target


def _refuse_bytes(target: bytes) -> None:
    if target[:1] != b"/":
        raise Refused("bad_target", "the path does not start with '/'")
    if not target.isascii():
        raise Refused("bad_target", "raw non-ASCII bytes; percent-encode them as UTF-8")
    if any(byte <= 0x20 or byte == 0x7F for byte in target):
        raise Refused("bad_target", "a space or control character")
    if b"#" in target:
        raise Refused("bad_target", "a fragment ('#') is never sent")
    if b"\\" in target:
        raise Refused("bad_target", "a backslash")
    if _ESCAPE.search(target) is not None:
        raise Refused("bad_target", "'%' not followed by two hexadecimal digits")
    if _FORBIDDEN_ESCAPE.search(target) is not None:
        raise Refused("bad_target", "an encoded NUL, line break or backslash")


def _refuse_path(path: bytes) -> None:
    if b"//" in path:
        raise Refused("bad_target", "a double slash ('//') in the path, which the bank refuses to verify")
    for segment in _SEPARATOR.split(path):      # "x%2f..": a server that decodes slashes would climb
        # "..;x" and "%252e." are dot segments to servers that strip path parameters, or decode twice.
        if _DOT.sub(b".", _PARAMETERS.split(segment, maxsplit=1)[0]) in (b".", b".."):
            raise Refused("bad_target", "a '.' or '..' path segment")


def path_of(target: bytes) -> bytes:
    """The target without its query."""
    return target.partition(b"?")[0]


def has_encoded_slash(path: bytes) -> bool:
    """Whether "%2f" could make the bank see other segments than an allow list did."""
    return b"%" in path and _SLASH.search(path) is not None


def other_reading(path: bytes) -> bytes:
    """The path as the laxest server sees it: escapes decoded, however often they were made, parameters stripped, then
    empty and dot segments resolved.  b"" when four rounds of decoding are not enough: nobody means that."""
    for _ in range(_ROUNDS):
        decoded = _ANY_ESCAPE.sub(lambda match: bytes((int(match[1], 16),)), path)
        if decoded == path:
            break
        path = decoded
    else:
        return b""
    resolved: list[bytes] = []
    for segment in path.split(b"/"):
        name = segment.partition(b";")[0]
        if name == b"..":
            del resolved[-1:]
        elif name not in (b"", b"."):
            resolved.append(name)
    return b"/" + b"/".join(resolved)


def join_base(base: bytes, target: bytes) -> bytes:
    """The upstream's base path before the target, without making "//".  base: "" or a path such as "/eidas/1.0"."""
    return base.rstrip(b"/") + target if base else target

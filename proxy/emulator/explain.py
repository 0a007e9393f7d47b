"""`Signature is invalid.` helps nobody, so the control port says which known mistake makes the seal fit."""

from __future__ import annotations

import re
from collections.abc import Callable

from proxy.emulator.wire import Head

_METHOD = re.compile(rb"(\(request-target\): )([a-z]+)")


def why_not(head: Head, derived: bytes, verifies: Callable[[bytes], bool]) -> str:
    """Tries each known mistake on the signing string; the first that verifies is the cause."""
    for cause, mistake in _MISTAKES.items():
        string = mistake(head, derived)
        if string != derived and verifies(string):
            return f"the seal is over another string: {cause}"
    return "no known mistake makes the seal fit: the key is not the registered certificate's, or the strings differ"


def bad_header(value: str) -> str:
    """Why a Signature header is not in the one accepted form."""
    if not value:
        return "there is no Signature header"
    for sign, reason in _FORM.items():
        if re.search(sign, value):
            return reason
    return 'Signature is not keyId="…",algorithm="…",headers="…",signature="<base64>" in this order'


_FORM = {
    r"^Signature ": "Signature carries the scheme name as a prefix",
    r"\\": "Signature holds a backslash",
    r'", ': "Signature has a space after a comma",
    r'signature=""|""$': "Signature has too many quotation marks, or an empty value",
    r"^SKIP_SIGNATURE": "only the sandbox may skip the signature",
}


def _upper_method(_: Head, derived: bytes) -> bytes:
    return _METHOD.sub(lambda found: found[1] + found[2].upper(), derived, count=1)


def _without_query(head: Head, derived: bytes) -> bytes:
    return derived.replace(head.target.encode("latin-1"), head.path.encode("latin-1"), 1)


def _other_host(head: Head, derived: bytes) -> bytes:
    sent, host = (head.one(name).encode("latin-1") for name in ("x-nordea-originating-host", "host"))
    return derived.replace(b"originating-host: " + sent, b"originating-host: " + host)


def _bare_content_type(_: Head, derived: bytes) -> bytes:
    return re.sub(rb"(\ncontent-type: [^;\n]+)[^\n]*", rb"\1", derived)


def _digest_case(_: Head, derived: bytes) -> bytes:
    return re.sub(rb"\ndigest: (SHA|sha)", lambda found: found[0][:-3] + found[1].swapcase(), derived)


_MISTAKES: dict[str, Callable[[Head, bytes], bytes]] = {
    "the method is in upper case": _upper_method,
    "it ends with a line feed": lambda _, derived: derived + b"\n",
    "the colon after (request-target) is missing": lambda _, derived: derived.replace(b"): ", b") ", 1),
    "the space after the colons is missing": lambda _, derived: re.sub(rb"(?m)^(\S+): ", rb"\1:", derived),
    "the query is missing": _without_query,
    "the leading / is missing": lambda _, derived: re.sub(rb"^(\S+ \S+) /", rb"\1 ", derived),
    "the host is the Host header's": _other_host,
    "the content type lacks its parameters": _bare_content_type,
    "the digest's prefix is in the other case": _digest_case,
    "the lines end with CR LF": lambda _, derived: derived.replace(b"\n", b"\r\n"),
}

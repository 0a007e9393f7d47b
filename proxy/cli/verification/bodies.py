"""A digest is computed before the last change to the body more often than not, so here is what bodies were before.

Two kinds of changes are tried, alone and one on top of the other: another writing of the same content, and what
editors, shells and runtimes do to any text.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote, unquote_plus, urlencode

from proxy.cli.verification.captured import Captured

Change = Callable[[bytes], bytes]

LARGEST = 1 << 16
"""Bytes up to which a body is written anew; a megabyte of JSON would take seconds."""

_BUDGET = 1 << 24
"""Bytes of all of them together."""

_DEEPEST = 64
"""Levels of JSON that are written anew; indentation makes deep ones very long."""

FORM = "application/x-www-form-urlencoded"

_TOKEN = re.compile(r'("[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+)', re.DOTALL)
_LAYOUTS: tuple[tuple[str, str, str, str], ...] = (
    # what, indentation, between items, behind a name
    ("without white space", "", ",", ":"),
    ("with spaces", "", ", ", ": "),
    ("indented by two", "  ", ",", ": "),
    ("indented by four", "    ", ",", ": "),
    ("indented by tabs", "\t", ",", ": "),
    ("with a space behind each colon", "", ",", ": "),
)
_EDGES: tuple[tuple[str, str, Change], ...] = (
    ("digest_white_space", "without white space at its ends", lambda body: body.strip()),
    ("digest_white_space", "with a line break at its end", lambda body: body + b"\n"),
    ("digest_white_space", "with CR LF at its end", lambda body: body + b"\r\n"),
    ("digest_line_ends", "with CR LF line ends", lambda body: _with_crlf(body)),
    ("digest_line_ends", "with CR LF line ends, also at its end", lambda body: _with_crlf(body) + b"\r\n"),
    ("digest_line_ends", "with LF line ends", lambda body: body.replace(b"\r\n", b"\n")),
    ("digest_charset", "with a byte order mark", lambda body: b"\xef\xbb\xbf" + body),
    ("digest_charset", "without its byte order mark", lambda body: body.removeprefix(b"\xef\xbb\xbf")),
    ("digest_charset", "in Latin-1", lambda body: body.decode("utf-8", "replace").encode("latin-1", "replace")),
    ("digest_charset", "in UTF-8", lambda body: body.decode("latin-1").encode()),
    ("digest_charset", "in UTF-16", lambda body: body.decode("utf-8", "replace").encode("utf-16-le")),
    ("digest_charset", "in UTF-16", lambda body: body.decode("utf-8", "replace").encode("utf-16-be")),
    ("digest_charset", "in UTF-16 with a byte order mark",
     lambda body: b"\xff\xfe" + body.decode("utf-8", "replace").encode("utf-16-le")),
    ("digest_charset", "in ASCII, other characters as '?'",
     lambda body: body.decode("utf-8", "replace").encode("ascii", "replace")),
    ("digest_white_space", "with a zero byte at its end", lambda body: body + b"\0"),
    ("digest_white_space", "without line breaks", lambda body: re.sub(rb"[\r\n]", b"", body)),
    ("digest_white_space", "without any white space", lambda body: re.sub(rb"\s", b"", body)),
)
_INSIDE = 2
"""The last of them also change JSON, where another writing is the likelier cause."""


def _with_crlf(body: bytes) -> bytes:
    return body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def other_bodies(message: Captured) -> Iterator[tuple[str, str, bytes]]:
    """(cause, what it is, bytes) of what people hash by accident, single changes first.  The body itself is not.

    As many as fit into _BUDGET.
    """
    budget = _BUDGET
    for cause, what, data in _every(message):
        budget -= len(data) + 256
        if budget < 0:
            return
        yield cause, what, data


def _every(message: Captured) -> Iterator[tuple[str, str, bytes]]:
    body = ("", "the body", message.body)
    yield from _edged(body, _EDGES[:-_INSIDE])
    rewritten = []
    for one in _rewritten(message):
        rewritten.append(one)
        yield one
    yield from _edged(body, _EDGES[-_INSIDE:])
    for one in rewritten:
        if one[0] not in ("digest_empty", "digest_twice"):
            yield from _edged(one, _EDGES)


def _edged(one: tuple[str, str, bytes], edges: tuple[tuple[str, str, Change], ...]) -> Iterator[tuple[str, str, bytes]]:
    cause, what, data = one
    for edge, how, change in edges:
        changed = change(data)
        if changed != data:
            yield cause or edge, f"{what}, {how}" if cause else f"{what} {how}", changed


def normalised_form(message: Captured) -> bytes:
    """Fields sorted by name, values decoded: what the bank hashes of a form.  Other bodies stay as they are."""
    kind = (message.one("content-type") or "").partition(";")[0].strip().lower()
    pairs = _fields(message.body) if kind == FORM else None
    if pairs is None:
        return message.body
    return "&".join(f"{name}={value}" for name, value in sorted(pairs, key=lambda pair: pair[0])).encode("latin-1")


def _fields(body: bytes) -> list[tuple[str, str]] | None:
    try:
        return parse_qsl(body.decode("latin-1"), keep_blank_values=True, strict_parsing=True, encoding="latin-1",
                         max_num_fields=1000)
    except ValueError:
        return None


def _rewritten(message: Captured) -> Iterator[tuple[str, str, bytes]]:
    body = message.body
    for nothing in (b"", b"{}", b"null", b'""', b"undefined", b"[object Object]"):
        yield "digest_empty", "nothing (an empty body)" if not nothing else f"{nothing.decode()!r}", nothing
    yield from _hashes(body)
    if len(body) > LARGEST:
        return
    yield "digest_quoted", "the body in quotes", b'"' + body + b'"'
    yield "digest_quoted", "the body as a text in JSON", json.dumps(body.decode("utf-8", "replace")).encode()
    yield "digest_quoted", "the body as Python shows bytes", repr(body).encode()
    yield from _forms(body)
    yield "digest_encoded", "the body's base64", base64.b64encode(body)
    yield "digest_encoded", "the body in hexadecimal", body.hex().encode()
    yield "digest_encoded", "the body with URL encoding", quote(body, safe="").encode()
    yield "digest_encoded", "the body without its URL encoding", unquote(body.decode("latin-1"), "latin-1").encode(
        "latin-1", "replace")
    yield from _json(body)


def _hashes(body: bytes) -> Iterator[tuple[str, str, bytes]]:
    raw = hashlib.sha256(body).digest()
    yield "digest_twice", "the body's hash", raw
    yield "digest_twice", "the body's hexadecimal hash", raw.hex().encode()
    yield "digest_twice", "the body's hexadecimal hash", raw.hex().upper().encode()
    yield "digest_twice", "the body's hash in base64", base64.b64encode(raw)
    yield "digest_twice", "the Digest header's own value", b"SHA-256=" + base64.b64encode(raw)


def _forms(body: bytes) -> Iterator[tuple[str, str, bytes]]:
    pairs = _fields(body) if b"=" in body and body.lstrip()[:1] not in (b"{", b"[") else None
    if pairs is None:
        return
    ordered = sorted(pairs, key=lambda pair: pair[0])
    raw = body.split(b"&")
    yield "digest_form_fields", "the form's fields sorted by name", b"&".join(sorted(raw))
    yield "digest_form_fields", "the form's decoded fields", unquote_plus(body.decode("latin-1"), "latin-1").encode(
        "latin-1", "replace")
    for what, fields in (("the form's decoded fields, sorted", ordered), ("the form's decoded fields", pairs)):
        yield "digest_form_fields", what, "&".join(f"{name}={value}" for name, value in fields).encode("latin-1")
    for how in (quote, quote_plus):
        for what, fields in (("the form encoded in another way", pairs),
                             ("the form encoded in another way and sorted", ordered)):
            yield "digest_form_fields", what, urlencode(fields, encoding="latin-1", quote_via=how).encode()
    for separators in ((",", ":"), (", ", ": ")):
        text = json.dumps(dict(pairs), separators=separators)
        yield "digest_form_fields", "the form's fields as JSON", text.encode("latin-1")


def _json(body: bytes) -> Iterator[tuple[str, str, bytes]]:
    try:
        text = body.decode("utf-8").removeprefix("\ufeff")
        value = json.loads(text)
    except (ValueError, RecursionError):
        return
    if not isinstance(value, dict | list):
        return
    deep = _depth(text) > _DEEPEST
    for what, indent, item, name in _LAYOUTS[:2] if deep else _LAYOUTS:
        yield "digest_json", f"the same JSON written {what}", _laid_out(text, indent, item, name).encode()
    try:
        for what, written in _dumped(value) if not deep else ():
            yield "digest_json", f"the same JSON written {what}", written.encode("utf-8", "surrogatepass")
    except (ValueError, TypeError, RecursionError, OverflowError):
        return      # it cannot be written again


def _depth(text: str) -> int:
    """Of brackets in valid JSON."""
    depth = deepest = 0
    for match in _TOKEN.finditer(text):
        depth += (match[1] in ("{", "[")) - (match[1] in ("}", "]"))
        deepest = max(deepest, depth)
    return deepest


def _dumped(value: Any) -> Iterator[tuple[str, str]]:
    """As languages write what they have read: numbers and characters may change."""
    for ascii_only in (False, True):
        how = ", other characters as \\u" if ascii_only else ""
        for what, layout in (("without white space", {"separators": (",", ":")}), ("with spaces", {}),
                             ("indented by two", {"indent": 2}), ("indented by four", {"indent": 4})):
            yield what + how, json.dumps(value, ensure_ascii=ascii_only, **layout)
            ordered = json.dumps(value, ensure_ascii=ascii_only, sort_keys=True, **layout)
            yield f"with sorted names, {what}{how}", ordered
    compact = json.dumps(value, separators=(",", ":"))
    yield "as PHP does, with \\/", compact.replace("/", "\\/")
    rounded = _without_zeros(value)
    yield "as JavaScript does, with 2 for 2.0", json.dumps(rounded, separators=(",", ":"), ensure_ascii=False)
    yield "as JavaScript does, with 2 for 2.0, indented", json.dumps(rounded, indent=2, ensure_ascii=False)
    yield "as Python shows an object", repr(value)


def _without_zeros(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_zeros(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without_zeros(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else value


def _laid_out(text: str, indent: str, item: str, name: str) -> str:
    """The same tokens with other white space, so that numbers and escapes stay as they are.  text: valid JSON."""
    parts: list[str] = []
    depth = 0
    previous = ""
    for match in _TOKEN.finditer(text):
        token = match[1]
        closes = token in ("}", "]")
        depth -= closes
        if indent and ((previous in ("{", "[") and not closes) or previous == ","
                       or (closes and previous not in ("{", "["))):
            parts.append("\n" + indent * depth)
        parts.append({",": item, ":": name}.get(token, token))
        depth += token in ("{", "[")
        previous = token
    return "".join(parts)

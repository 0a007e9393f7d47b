"""A second reading of RFC 9112, by regular expressions of its own: which requests at the start of some bytes are valid.

It shares nothing with the proxy.  Where the RFC lets a recipient choose, it is strict: no bare CR or LF, no folding, no
Content-Length list, no Transfer-Encoding but "chunked", one Host, at most one empty line before a request.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_LINE = re.compile(rb"(%b) ([!-~\x80-\xff]+) HTTP/1\.([01])" % _TOKEN)  # 3, 2.3
_FIELD = re.compile(rb"(%b):[ \t]*((?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?)[ \t]*" % _TOKEN)  # 5, 5.5
_LENGTH = re.compile(rb"[0-9]+")  # 6.2
_QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
_CHUNK = re.compile(rb"([0-9A-Fa-f]+)((?:[ \t]*;[ \t]*%b(?:[ \t]*=[ \t]*(?:%b|%b))?)*)" % (_TOKEN, _TOKEN, _QUOTED))
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.vV%%-]+\]|(?:[A-Za-z0-9._~!$&'()*+;=-]|%[0-9A-Fa-f]{2})*)(?::[0-9]*)?")


class Valid(NamedTuple):
    method: bytes
    target: bytes
    body: bytes


def valid_prefix(raw: bytes) -> list[Valid]:
    """The complete, strictly valid requests before the first byte that belongs to none."""
    found: list[Valid] = []
    while (one := _request(raw)) is not None:
        request, raw = one
        found.append(request)
        if _closes(request):
            break
    return found


def _closes(request: Valid) -> bool:
    return request.method == b"CONNECT"  # what follows is the tunnel's


def _request(raw: bytes) -> tuple[Valid, bytes] | None:
    if raw.startswith(b"\r\n"):
        raw = raw[2:]
    end = raw.find(b"\r\n\r\n")
    if end < 0:
        return None
    line, *lines = raw[:end].split(b"\r\n")
    first = _LINE.fullmatch(line)
    fields = [_FIELD.fullmatch(one) for one in lines]
    if first is None or not all(fields):
        return None
    method, target, minor = first.groups()
    named: dict[bytes, list[bytes]] = {}
    for field in fields:
        assert field is not None
        named.setdefault(field[1].lower(), []).append(field[2])
    if not _host(named, minor) or not _target(method, target):
        return None
    body = _body(named, raw[end + 4 :], minor)
    return None if body is None else (Valid(method, target, body[0]), body[1])


def _host(named: dict[bytes, list[bytes]], minor: bytes) -> bool:
    hosts = named.get(b"host", [])
    return len(hosts) == 1 and _HOST.fullmatch(hosts[0]) is not None if hosts else minor == b"0"


def _target(method: bytes, target: bytes) -> bool:
    if method == b"CONNECT":
        return b"/" not in target
    return target.lower().startswith((b"/", b"http://", b"https://")) or (method == b"OPTIONS" and target == b"*")


def _body(named: dict[bytes, list[bytes]], rest: bytes, minor: bytes) -> tuple[bytes, bytes] | None:
    lengths, codings = named.get(b"content-length", []), named.get(b"transfer-encoding", [])
    if codings:
        if lengths or minor == b"0" or [coding.lower() for coding in codings] != [b"chunked"]:
            return None
        return _chunks(rest)
    if not lengths:
        return b"", rest
    if len(lengths) != 1 or _LENGTH.fullmatch(lengths[0]) is None or len(rest) < int(lengths[0]):
        return None
    return rest[: int(lengths[0])], rest[int(lengths[0]) :]


def _chunks(rest: bytes) -> tuple[bytes, bytes] | None:
    body = b""
    while True:
        line, found, rest = rest.partition(b"\r\n")
        chunk = _CHUNK.fullmatch(line)
        if not found or chunk is None:
            return None
        size = int(chunk[1], 16)
        if size == 0:
            return (body, rest[2:]) if rest.startswith(b"\r\n") else None  # no trailers
        if rest[size : size + 2] != b"\r\n":
            return None
        body, rest = body + rest[:size], rest[size + 2 :]

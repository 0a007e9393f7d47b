"""Strict RFC 9112 message heads, on bytes: a head has one reading, or is refused.

Rules that go beyond what most parsers hold (each is a published way to desynchronise two of them):
    exactly one SP between the parts of a request line, HTTP/1.0 or HTTP/1.1 only            RFC 9112 section 3
    no white space before a colon, no obs-fold, no bare CR or LF, no control bytes in values  sections 2.2, 5
    one Host with HTTP/1.1, at most one with 1.0, no userinfo, path or comma                  section 3.2
    one Content-Length of digits only, never beside Transfer-Encoding                         section 6.2
    Transfer-Encoding is exactly one "chunked", and not in HTTP/1.0                           section 6.1
    a Connection option may not name Host, Content-Length or Transfer-Encoding
    no more than 256 fields: each takes forty times its bytes in memory once it is read

Pure: no input or output, no clock, no configuration.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from proxy.core.message import CHUNKED, UNTIL_CLOSE, Field, Request, Response
from proxy.errors import Refused

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_VALUE = rb"[\t -~\x80-\xff]*"
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") ([!-~\x80-\xff]+) HTTP/1\.([01])\r\n")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])( " + _VALUE + rb")?\r\n")
_FIELDS = re.compile(rb"(?:" + _TOKEN + rb":" + _VALUE + rb"\r\n)*\r\n")
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9\-._~!$&'()*+;=]|%[0-9A-Fa-f]{2})+)(?::[0-9]{1,5})?")
_AUTHORITY = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~]+):([0-9]{1,5})")
_ABSOLUTE = re.compile(rb"([Hh][Tt][Tt][Pp][Ss]?)://([^/?]*)(.*)")
_MOST_FIELDS = 256
_LENGTH = re.compile(rb"[0-9]{1,18}")
_FRAMING = frozenset((b"host", b"content-length", b"transfer-encoding", b"connection", b"expect"))
_UNFRAMING = frozenset((b"host", b"content-length", b"transfer-encoding"))
_NO_OPTIONS: frozenset[bytes] = frozenset()

_Framing = Mapping[bytes, list[bytes]]


def _malformed(part: str) -> Refused:
    return Refused("malformed_request", part)


def _fields(raw: bytes, start: int) -> tuple[list[Field], _Framing]:
    if _FIELDS.fullmatch(raw, start) is None:
        raise _malformed(_field_fault(raw, start))
    fields: list[Field] = []
    framing: dict[bytes, list[bytes]] = {}
    if len(raw) - start > 2:
        lines = raw[start:-4].split(b"\r\n")
        if len(lines) > _MOST_FIELDS:
            raise Refused("headers_too_large", f"there are more than {_MOST_FIELDS} header fields")
        for line in lines:
            name, _, value = line.partition(b":")
            lower = name.lower()
            value = value.strip(b" \t")
            fields.append((lower, name, value))
            if lower in _FRAMING:
                framing.setdefault(lower, []).append(value)
    return fields, framing


def _field_fault(raw: bytes, start: int) -> str:
    for line in raw[start:-4].split(b"\r\n"):
        name, colon, _ = line.partition(b":")
        if line[:1] in (b" ", b"\t"):
            return "a header line begins with white space (obsolete line folding)"
        if not colon:
            return "a header line has no colon"
        if name != name.strip(b" \t"):
            return "white space before a header's colon"
        if re.fullmatch(_TOKEN, name) is None:
            return "a header name holds a character that is not allowed"
    return "a header value holds a control character or a bare line break"


def _options(framing: _Framing) -> frozenset[bytes]:
    values = framing.get(b"connection")
    if not values:
        return _NO_OPTIONS
    options = frozenset(option.strip(b" \t").lower() for value in values for option in value.split(b","))
    if options & _UNFRAMING:
        raise _malformed("Connection names a header that frames the message")
    return options


def _length(framing: _Framing, minor: int, default: int) -> int:
    lengths = framing.get(b"content-length")
    codings = framing.get(b"transfer-encoding")
    if codings:
        if lengths:
            raise _malformed("both Content-Length and Transfer-Encoding")
        if minor == 0 or len(codings) > 1 or codings[0].lower() != b"chunked":
            raise _malformed("Transfer-Encoding is not exactly one 'chunked'")
        return CHUNKED
    if lengths:
        if len(lengths) > 1 or _LENGTH.fullmatch(lengths[0]) is None:
            raise _malformed("Content-Length is not exactly one number")
        return int(lengths[0])
    return default


def parse_request(raw: bytes) -> Request:
    """raw: one whole head, up to and with the empty line.

    Raises Refused: malformed_request, headers_too_large, expectation_failed.
    """
    match = _REQUEST_LINE.match(raw)
    if match is None:
        raise _malformed("the request line is not 'METHOD target HTTP/1.1'")
    method, target, version = match.groups()
    minor = int(version)
    fields, framing = _fields(raw, match.end())
    authority = _host(framing, minor)
    length = _length(framing, minor, 0)
    options = _options(framing)
    scheme = b""
    if target[0] != 0x2F or method == b"CONNECT":
        target, authority, scheme = _other_form(method, target, authority, length, minor)
    return Request(method, target, fields, authority=authority, minor=minor, length=length, options=options,
                   close=b"close" in options or minor == 0, expect=_expect(framing, minor), scheme=scheme)


def _host(framing: _Framing, minor: int) -> bytes:
    hosts = framing.get(b"host")
    if hosts is None:
        if minor:
            raise _malformed("no Host header")
        return b""
    if len(hosts) > 1:
        raise _malformed("more than one Host header")
    if hosts[0] and _HOST.fullmatch(hosts[0]) is None:
        raise _malformed("the Host header is not 'name' or 'name:port'")
    return hosts[0]


def _expect(framing: _Framing, minor: int) -> bool:
    expect = framing.get(b"expect")
    if expect is None or minor == 0:
        return False
    if len(expect) > 1 or expect[0].lower() != b"100-continue":
        raise Refused("expectation_failed")
    return True


def _other_form(method: bytes, target: bytes, host: bytes, length: int, minor: int) -> tuple[bytes, bytes, bytes]:
    """Authority, asterisk and absolute form (RFC 9112 section 3.2) -> target, authority, scheme of an absolute one."""
    if method == b"CONNECT":
        authority = _AUTHORITY.fullmatch(target)
        if authority is None or not 0 < int(authority[2]) < 65536:
            raise _malformed("CONNECT needs 'host:port'")
        if length:
            raise _malformed("CONNECT carries a body")
        # Clients differ in whether they repeat the port, and HTTP/1.0 has no Host.
        if (host or minor) and host.lower() not in (authority[1].lower(), target.lower()):
            raise _malformed("the Host header differs from CONNECT's host")
        return target, target, b""
    if target == b"*":
        if method == b"OPTIONS":
            return target, host, b""
        raise _malformed("the asterisk form is for OPTIONS only")
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or _HOST.fullmatch(absolute[2]) is None:
        raise _malformed("the target is neither a path nor 'http://host/path'")
    if host.lower() != absolute[2].lower():
        raise _malformed("the Host header differs from the target's host")
    rest = absolute[3]
    return (rest if rest[:1] == b"/" else b"/" + rest), absolute[2], absolute[1].lower()


def parse_response(raw: bytes, method: bytes) -> Response:
    """raw: one whole head.  method: the request's, because it decides whether a body follows (section 6.3).

    Raises Refused with the fault; the caller makes it upstream_malformed.
    """
    match = _STATUS_LINE.match(raw)
    if match is None:
        raise _malformed("the status line is not 'HTTP/1.1 code reason'")
    minor, status = int(match[1]), int(match[2])
    fields, framing = _fields(raw, match.end())
    length = _length(framing, minor, UNTIL_CLOSE)
    if status == 101:
        raise _malformed("a switch of protocols nobody asked for")
    if status < 200 or status == 204:
        if length > 0 or length == CHUNKED:
            raise _malformed("a body where none may be")
        length = 0
    elif status == 304 or method == b"HEAD":
        length = 0
    options = _options(framing)
    close = b"close" in options or (minor == 0 and b"keep-alive" not in options)
    return Response(status, match[2] + (match[3] or b" "), fields, minor=minor, length=length, options=options,
                    close=close)

"""Of a caller's bytes no request comes out that a second reading of RFC 9112 does not find in them; the same bytes
in other segments give the same, and a refusal is one of four documented codes.
"""

from __future__ import annotations

from proxy.wire.head import parse_request
from tests.torture.strict import valid_prefix
from tests.wire.corpus_valid import FIELDS
from tests.wire.mutation import _LINES, _MARKS
from tests.wire.reading import Read, read

TOKENS = (*_MARKS, *_LINES)
FULL = 30_000
_CODES = ("", "malformed_request", "headers_too_large", "body_too_large", "expectation_failed")
_HEAD, _BODY = 1024, 2048


def seeds() -> tuple[bytes, ...]:
    return tuple(
        b"POST /v HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n" + line + b"\r\n\r\n"
        for line in FIELDS.values()
        if len(line) < 400
    )


def check(data: bytes) -> None:
    whole = read([data], _HEAD, _BODY)
    assert whole.code in _CODES
    assert read([data[at : at + 1] for at in range(len(data))], _HEAD, _BODY) == whole
    half = len(data) // 2
    assert read([data[:half], data[half:]], _HEAD, _BODY) == whole
    expected = iter(valid_prefix(data))
    for one in whole.requests:
        assert one.body == b"" or len(one.body) <= _BODY
        assert any(_same(one, other) for other in expected), "nothing beyond the valid prefix"
        _again(one)
        if one.method == b"CONNECT":
            break  # what follows is the tunnel's


def _same(one: Read, other: tuple[bytes, bytes, bytes]) -> bool:
    method, target, body = other
    absolute = target.lower().startswith((b"http://", b"https://")) and method != b"CONNECT"
    return (method, body) == (one.method, one.body) and (
        one.target == target or (absolute and target.endswith(one.target.removeprefix(b"/")))
    )


def _again(one: Read) -> None:
    """Written anew and read again, the fields are the same."""
    if one.rest[4] or one.method == b"CONNECT":
        return  # an absolute form was taken apart
    head = (
        b"%b %b HTTP/1.%d\r\n" % (one.method, one.target, one.rest[1])
        + b"".join(b"%b: %b\r\n" % (name, value) for _, name, value in one.fields)
        + b"\r\n"
    )
    parsed = parse_request(head)
    assert (tuple(parsed.fields), parsed.target, parsed.authority) == (one.fields, one.target, one.rest[0])

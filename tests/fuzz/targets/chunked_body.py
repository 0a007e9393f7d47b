"""A chunked body means the same however it is cut into segments, is never larger than its limit, and is what a
second reading of RFC 9112 section 7.1 makes of it, or is refused as malformed_request or body_too_large.
"""

from __future__ import annotations

from proxy.errors import Refused
from proxy.wire.chunked import Chunks
from tests.torture.strict import _chunks

TOKENS = (
    b"0\r\n\r\n",
    b"5\r\nhello\r\n",
    b";a=b",
    b';a="b c"',
    b"\r\n",
    b"\n",
    b"ffffffffffffffff",
    b"0x5",
    b"+5",
    b"X: y\r\n",
    b"Content-Length: 5\r\n",
    b"000000000000000000005",
    b" ;",
    b'"',
    b"\\",
)
_LIMIT = 512


def check(data: bytes) -> None:
    for trailers in (False, True):
        whole = _fed([data], trailers=trailers)
        assert _fed([data[at : at + 1] for at in range(len(data))], trailers=trailers) == whole
        assert _fed([data[: len(data) // 3], data[len(data) // 3 :]], trailers=trailers) == whole
    payload, after, code = _fed([data], trailers=False)
    assert code in ("", "malformed_request", "body_too_large") and len(payload) <= _LIMIT
    if after is not None:
        assert _chunks(data) == (payload, after)


def _fed(segments: list[bytes], *, trailers: bool) -> tuple[bytes, bytes | None, str]:
    """-> payload, what follows the message once it is whole, the refusal's code; a refusal leaves no payload."""
    reader, payload, after = Chunks(trailers=trailers, limit=_LIMIT), b"", None
    try:
        for segment in segments:
            if after is None:
                piece, after = reader.feed(segment)
                payload += piece
            else:
                after += segment
    except Refused as refused:
        return b"", None, refused.code
    return payload, after, ""

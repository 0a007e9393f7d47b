"""Our own error answers: RFC 9457 problem details, RFC 9209 Proxy-Status, and whether the bank may have acted."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from proxy.errors import ProxyError, Sent
from proxy.wire.application import Answer

_EXTRA = {
    401: b'WWW-Authenticate: Bearer realm="signing-proxy"\r\n',
    407: (b'Proxy-Authenticate: Basic realm="signing-proxy"\r\n'
          b'Proxy-Authenticate: Bearer realm="signing-proxy"\r\n'),
    503: b"Retry-After: 1\r\n",
}
_ALLOW = {"method_not_supported": b"Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n"}
_RESENDABLE = "Nothing was sent, so the request may be sent again."


def problem(error: ProxyError, request_id: str, sent: Sent, **more: object) -> Answer:
    """The answer for an error with an HTTP status.  sent: whether the bank may have received the request.

    more: further members of the document.
    """
    row = error.problem
    status = row.status or 500
    body = msgspec.json.encode({
        "type": f"urn:psd2-signing-proxy:problem:{row.code}",
        "title": row.title,
        "status": status,
        "detail": error.detail or row.title,
        "code": row.code,
        "hint": row.hint if sent == "maybe" or not row.uncertain else _RESENDABLE,
        "request_id": request_id,
        "upstream_sent": sent,
        **more,
    })
    fields = (
        b"Content-Type: application/problem+json\r\n"
        b"Content-Length: %d\r\n"
        b"Cache-Control: no-store\r\n"
        b"Signing-Proxy-Upstream-Sent: %b\r\n"
        b"Signing-Proxy-Request-Id: %b\r\n"
        b'Proxy-Status: signing-proxy; error=%b; details="%b"\r\n'
        b"%b" % (len(body), sent.encode(), request_id.encode(), row.proxy_status.encode() or b"proxy_internal_error",
                 row.code.encode(), _extra(error, status)))
    return Answer(line(status), fields, body)


def _extra(error: ProxyError, status: int) -> bytes:
    if error.retry_after:
        return b"Retry-After: %d\r\n" % error.retry_after
    return _EXTRA.get(status, b"") or _ALLOW.get(error.code, b"")


def in_clear(error: ProxyError) -> bytes:
    """A whole answer for a peer that speaks no TLS where TLS is spoken; nothing after it is read."""
    return b"HTTP/1.1 %b\r\n%bConnection: close\r\n\r\n%b" % problem(error, "handshake", "no")


def line(status: int) -> bytes:
    """Status code and reason phrase."""
    return f"{status} {HTTPStatus(status).phrase}".encode()

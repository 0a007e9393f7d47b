"""A request to the admin port says what is wanted, in names that are known, or is refused as admin_request_invalid;
and headers that are given again for a replay are headers.
"""

from __future__ import annotations

from proxy.app.actions import requested
from proxy.core.message import Request
from proxy.errors import Refused
from proxy.serve.inspection.replays import _checked

TOKENS = (
    b"application=a",
    b"&to=next",
    b"{",
    b'{"application":"a"}',
    b'"to":1',
    b"%ff",
    b"%00",
    b"[" * 1200,
    b"&&",
    b"=",
    b'{"a":"b","a":"c"}',
    b"\\ud800",
    b"level=debug",
    b"\r\n",
)


def check(data: bytes) -> None:
    for request in (
        Request(b"POST", b"/rotate?" + data.replace(b"?", b""), []),
        Request(b"POST", b"/rotate", [], data),
    ):
        try:
            found = requested(request, ("application", "to"))
        except Refused as refused:
            assert refused.code == "admin_request_invalid" and refused.detail.isprintable(), refused.detail
            continue
        assert found.keys() <= {"application", "to"} and all(isinstance(value, str) for value in found.values())
    name, _, value = data.decode("latin-1").partition(":")
    try:
        _checked({name: value})
    except Refused as refused:
        assert refused.code == "malformed_request"
        return
    assert value and "\n" not in value and "\r" not in value and value == value.strip(" \t") and ":" not in name

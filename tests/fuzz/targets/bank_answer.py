"""A bank's answer has one reading or is refused as malformed_request or headers_too_large: h11 reads the same status
and body in what is accepted, segments do not matter, and what goes on to the caller is one head.
"""

from __future__ import annotations

from proxy.core.headers import answer_fields
from proxy.serve.shaping import Shaper, ShapingSettings
from proxy.serve.telemetry import Telemetry
from tests.wire.corpus_answers import MALFORMED, VALID
from tests.wire.mutation import _LINES, _MARKS
from tests.wire.reading import read_answer
from tests.wire.second_opinions import answer_by_h11

TOKENS = (
    *_MARKS,
    *_LINES,
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 101 No\r\n",
    b"HTTP/1.1 204 No\r\n",
    b"X-BurstLimit-Limit: name=a,1;\r\n",
    b"X-BurstLimit-Remaining: name=a,0;\r\n",
    b"Retry-After: 5\r\n",
    b"Date: Sat, 21 Nov 2026 12:00:00 GMT\r\n",
    b"Set-Cookie: a=b\r\n",
)
FULL = 30_000


def seeds() -> tuple[bytes, ...]:
    return (
        *(row for row in MALFORMED.values() if len(row) < 600),
        *(row[0] for row in VALID.values() if len(row[0]) < 600),
    )


def check(data: bytes) -> None:
    for method in (b"GET", b"HEAD"):
        whole = read_answer([data], method)
        assert whole.code in ("", "malformed_request", "headers_too_large"), whole.code
        assert read_answer([data[at : at + 1] for at in range(len(data))], method) == whole
        if whole.complete:
            theirs, _ = answer_by_h11(data, method, closed=whole.complete == "close")
            if theirs is not None:  # it refuses more than the RFC does
                assert (theirs.first, theirs.body) == (b"%d" % whole.status, whole.body)
            _passed_on(whole.fields)


def _passed_on(fields: tuple[tuple[bytes, bytes, bytes], ...]) -> None:
    written = answer_fields(fields, frozenset(), keep_length=True)
    assert written.count(b"\r\n") == written.count(b"\n") == written.count(b"\r")
    shaper = Shaper(ShapingSettings(), lambda _: None)
    shaper.learn(b"/personal/v5/accounts", fields, 1.0)
    telemetry = Telemetry()
    for name, _, value in fields:
        telemetry.seen("bank", name, value)
    assert isinstance(telemetry.last_heard(), dict)

"""A Date header is a moment or nothing, the limits of a bank are numbers within bounds or nothing, and a
traceparent is the caller's or nothing; what is read is what was written.
"""

from __future__ import annotations

from datetime import UTC, datetime

from proxy.cli.verification import rules
from proxy.core.trace_context import parse, traceparent
from proxy.serve.clock import imf_fixdate, parse_imf_fixdate
from proxy.serve.shaping import LIMIT, REMAINING, Shaper, ShapingSettings
from proxy.serve.telemetry import RATE_LIMIT, Telemetry

TOKENS = (
    b"Sat, 21 Nov 2026 12:00:00 GMT",
    b"Sun, 31 Feb 2026 12:00:00 GMT",
    b"Fri, 31 Dec 9999 23:59:60 GMT",
    b"GMT",
    b"Sat, 01 Jan 0000 00:00:00 GMT",
    b"Saturday, 21-Nov-26 12:00:00 GMT",
    b"name=a,130;",
    b"name=a,0;",
    b",",
    b";",
    b"name=a,999999999999999;",
    b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    b"-00",
    b"ff-",
)
FULL = 30_000


def check(data: bytes) -> None:
    seconds = parse_imf_fixdate(data)
    if seconds is not None and data[23:25] != b"60":  # a leap second is the second after it
        assert imf_fixdate(seconds)[5:] == data[5:], "a date that there is"
    other = rules.seconds(data.decode("latin-1"))
    if other is not None and other.year > 0:
        assert seconds == other.timestamp() and other == datetime.fromtimestamp(other.timestamp(), UTC)
    shaper, telemetry = Shaper(ShapingSettings(share=0.5), lambda _: None), Telemetry()
    shaper.learn(b"/a", ((LIMIT, b"", data), (REMAINING, b"", data)), 1.0)
    assert 0 <= shaper.turn(b"/a", 1.0) <= 2.0
    for name in (b"date", b"x-ratelimit-remaining", b"x-burstlimit-remaining"):
        telemetry.seen("bank", name, data)
    heard = telemetry.last_heard()
    assert len(heard["rate_limits"]) <= min(16, len(RATE_LIMIT.findall(data)))
    parent = parse(data.decode("latin-1"))
    if parent is not None:
        assert data.decode("latin-1")[3:].startswith(traceparent(*parent)[3:])

"""What counts as a trace context, by the examples of W3C Trace Context."""

from __future__ import annotations

import pytest

from proxy.core.trace_context import Parent, parse, traceparent

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_it_is_read_and_written():
    text = f"00-{TRACE}-{SPAN}-03"
    assert parse(text) == Parent(TRACE, SPAN, 3)
    assert traceparent(TRACE, SPAN, 3) == text


def test_a_later_version_may_say_more():
    assert parse(f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be") == Parent(TRACE, SPAN, 1)


@pytest.mark.parametrize("text", [
    "", f"ff-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01-more", f"00-{TRACE.upper()}-{SPAN}-01",
    f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE}-{SPAN}", f"00-{TRACE}-{SPAN}-1",
    f"cc-{TRACE}-{SPAN}-01.more", f" 00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01\n"])
def test_anything_else_is_none(text):
    assert parse(text) is None

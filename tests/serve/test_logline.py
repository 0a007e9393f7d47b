"""A line is made from the record alone, in a fixed order, in one line, whatever stands in it."""

from __future__ import annotations

import asyncio
import io
import json
import logging

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.exchange import Exchange, Timings, path_template
from proxy.serve import logline
from proxy.serve.logline import FIELDS, LineFormatter, LogLines, as_text, describe, timestamp

FULL = Exchange(
    request_id="id", client="127.0.0.1", client_name="n", listener="main", form="absolute", destination="h:80",
    policy="tunnel", route="nordea", application="shop", method="POST",
    path="/x", status=502, outcome="failed", refused_by="proxy", code="upstream_closed", detail="d", sent="maybe",
    attempts=1, request_bytes=2, response_bytes=3, key="k", notes=("form_sorted", "content_type_added"),
    traceparent="t", trace_id="a", span_id="s", bank_id="b", bank_message_id="m",
    timings=Timings(.001, .002, .003, .0061))


def test_every_field_in_its_order():
    assert ["time", *describe(FULL)] == list(FIELDS)


def test_the_values():
    line = describe(FULL)
    assert (line["level"], line["notes"], line["sent"]) == ("warning", "form_sorted,content_type_added", "maybe")
    assert (line["queue_ms"], line["sign_ms"], line["upstream_ms"], line["total_ms"]) == (1.0, 2.0, 3.0, 6.1)
    assert "do not resend" in str(line["hint"])


def test_what_is_empty_is_left_out_but_the_status():
    bare = Exchange(request_id="id", client="c", listener="l", route="none", application="", method="none", path="",
                    status=0, outcome="client_gone")
    assert set(describe(bare)) == {"level", "event", "request_id", "client", "listener", "route", "method", "status",
                                   "outcome", "sent"}
    assert describe(bare)["status"] == 0


@pytest.mark.parametrize(("outcome", "status", "level"), [
    ("answered", 200, "info"), ("answered", 404, "info"), ("answered", 500, "warning"), ("refused", 400, "warning"),
    ("cut", 200, "warning"), ("client_gone", 200, "warning")])
def test_levels(outcome, status, level):
    assert describe(msgspec.structs.replace(FULL, outcome=outcome, status=status))["level"] == level


def test_a_callers_trace_is_named_where_we_have_none():
    caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    line = describe(msgspec.structs.replace(FULL, traceparent=caller, trace_id="", span_id=""))
    assert (line["trace_id"], line["span_id"]) == ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
    assert "trace_id" not in describe(msgspec.structs.replace(FULL, trace_id="", span_id=""))


def test_a_hint_is_ours_and_not_the_banks():
    assert "hint" not in describe(msgspec.structs.replace(FULL, refused_by="bank", code="body_too_large"))


@given(st.dictionaries(st.sampled_from(FIELDS), st.text() | st.integers() | st.floats(allow_nan=False)))
def test_text_is_one_line_whatever_stands_in_it(fields):
    text = as_text(fields)
    assert text.isprintable()
    for name in fields:
        assert f"{name}=" in text


@pytest.mark.parametrize(("value", "written"), [
    ("plain", "a=plain"), ("two words", 'a="two words"'), ('quo"te', 'a="quo\\"te"'), ("a=b", 'a="a=b"'), ("", 'a=""'),
    ("line\nbreak", 'a="line\\nbreak"'), (1.5, "a=1.5"), ("\x9b31m", 'a="\\u009b31m"'), ("\x7f", 'a="\\u007f"'),
    ("Å b", 'a="Å b"')])
def test_quoting(value, written):
    assert as_text({"a": value}) == written


@pytest.mark.parametrize(("path", "shown"), [
    (b"/personal/v5/accounts", "/personal/v5/accounts"), (b"/accounts/FI6593857450293470-EUR/x", "/accounts/*/x"),
    (b"/a/x@y.example", "/a/*"), (b"/a/%41bc", "/a/*"), (b"/v5/a1b/abcd", "/v5/a1b/abcd"), (b"/", "/")])
def test_paths_hide_accounts(path, shown):
    assert path_template(path) == shown


def test_timestamp():
    assert timestamp(1691994345.0625) == "2023-08-14T06:25:45.062Z"


@pytest.mark.parametrize("form", ["json", "text"])
async def test_lines_are_written_when_it_closes_at_the_latest(form):
    stream = io.BytesIO()
    lines = LogLines(stream.write, form=form)
    for number in range(3):
        lines.record(msgspec.structs.replace(FULL, request_id=f"id-{number}"))
    await lines.close()
    written = stream.getvalue().splitlines()
    assert len(written) == 3
    assert all(f"id-{number}".encode() in line for number, line in enumerate(written))
    assert form == "text" or json.loads(written[0])["event"] == "request"


async def test_a_log_that_takes_nothing_drops_and_counts_and_never_waits(monkeypatch):
    monkeypatch.setattr(logline, "_WAITING", 100)      # 10 000 lines may take longer than the end waits for the thread

    class Broken(io.BytesIO):
        def write(self, data):
            raise OSError("disk full")

    lines = LogLines(Broken().write, form="json")
    for _ in range(101):
        lines.record(FULL)
    assert lines.dropped == 1
    await lines.close()
    assert lines.dropped == 101
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_an_exceptions_text_is_never_written():
    error = ValueError("secret-text")
    record = logging.LogRecord("proxy", logging.ERROR, __file__, 1, "went %s", ("wrong",), (ValueError, error, None))
    for form in ("json", "text", "ecs", "otel"):
        text = LineFormatter(form).format(record)
        assert "ValueError" in text
        assert "went wrong" in text
        assert "secret-text" not in text

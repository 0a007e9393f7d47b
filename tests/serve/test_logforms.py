"""What other programs look for in a log line stands there under the name that they look for."""

from __future__ import annotations

import json
import logging

import msgspec
import pytest

from proxy.serve.logforms import NAMES, ecs_name, otel_name
from proxy.serve.logline import FIELDS, LineFormatter, describe, written
from tests.serve.test_logline import FULL

FIELDS_OF_A_LINE = {"time": "2026-11-21T10:00:00.000Z", **describe(FULL)}


def line(form, fields):
    return json.loads(written(fields, form))


def test_ecs_holds_every_field_under_one_name():
    got = line("ecs", FIELDS_OF_A_LINE)
    for field in FIELDS:
        if field != "total_ms":
            assert got[ecs_name(field)] == FIELDS_OF_A_LINE[field], field
    assert got["event.duration"] == 6_100_000
    assert (got["event.outcome"], got["message"]) == ("failure", "POST /x 502 failed upstream_closed")
    assert len(got) == len(FIELDS) + len(("message", "event.outcome", "ecs.version", "service.name"))


def test_otel_is_a_log_record():
    got = line("otel", FIELDS_OF_A_LINE)
    assert list(got) == ["timestamp", "severity_text", "event_name", "trace_id", "span_id", "severity_number", "body",
                         "attributes", "resource"]
    assert (got["severity_text"], got["severity_number"], got["trace_id"], got["span_id"]) == ("WARNING", 13, "a", "s")
    beside = {"time", "level", "event", "trace_id", "span_id"}
    assert got["attributes"] == {otel_name(field): FIELDS_OF_A_LINE[field] for field in FIELDS if field not in beside}


def test_a_call_that_went_well_is_a_success():
    well = msgspec.structs.replace(FULL, outcome="answered", status=200, refused_by="", code="")
    assert line("ecs", describe(well))["event.outcome"] == "success"
    refused = msgspec.structs.replace(well, status=403, refused_by="bank")
    assert line("ecs", describe(refused))["event.outcome"] == "failure"


def test_names_are_not_given_twice():
    for number in (0, 1):
        assert len({names[number] for names in NAMES.values()}) == len(NAMES)


@pytest.mark.parametrize(("form", "name", "level"), [
    ("ecs", "message", "log.level"), ("otel", "body", "severity_text")])
def test_the_programs_own_messages(form, name, level):
    record = logging.LogRecord("proxy", logging.INFO, __file__, 1, "it is %s", ("ready",), None)
    got = json.loads(LineFormatter(form).format(record))
    assert (got[name], got[level].lower()) == ("it is ready", "info")


def test_a_diagnosis_is_told_in_its_own_words():
    fields = {"time": "t", "level": "warning", "event": "diagnosis", "what": "The token has expired.", "cause": "x"}
    assert line("ecs", fields)["message"] == line("otel", fields)["body"] == "The token has expired."
    assert line("ecs", fields)["signing_proxy.cause"] == "x"

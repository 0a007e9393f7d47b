"""A bank's refusal is read for its code and id, in each of its dialects; anything else is read as nothing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.emulator import answers
from proxy.serve.rulings import KNOWN_CODES, LIMIT, Ruling, read_ruling


def body(answer: answers.Answer) -> bytes:
    return b"".join(answer.pieces)


@pytest.mark.parametrize("code", sorted(code for code in KNOWN_CODES if code.startswith("error.")))
def test_the_banks_own_envelope(code):
    ruling = read_ruling(body(answers.failure(code, "/personal/v5/accounts", 1691994345.0, description="So.")))
    assert (ruling.code, ruling.label, ruling.text) == (code, code, "So.")
    assert len(ruling.message_id) == 32
    assert ruling.created == "2023-08-14T06:25:45.000000000Z"


@pytest.mark.parametrize(("raw", "ruling"), [
    (b'{"tppMessages":[{"category":"ERROR","code":"SIGNATURE_INVALID","text":"Bad."},{"code":"X"}]}',
     Ruling("SIGNATURE_INVALID", text="Bad.")),
    (b'{"type":"https://example/e","title":"T","status":401,"code":"TOKEN_EXPIRED","detail":"Old."}',
     Ruling("TOKEN_EXPIRED", text="Old.")),
    (b'{"error":"invalid_grant","error_description":"Used twice."}', Ruling("invalid_grant", text="Used twice.")),
    (b'{"groupHeader":{"messageIdentification":"ab-1","creationDateTime":"2024-01-31T07:22:46.04Z","httpCode":401},'
     b'"error":{"failures":[{"code":"error.date.invalid"}]}}',
     Ruling("error.date.invalid", "ab-1", "2024-01-31T07:22:46.04Z")),
    (b'\xef\xbb\xbf {"moreInformation":"Rate limit of 12345 calls exceeded"}',
     Ruling("gateway.rate_limit", text="Rate limit of * calls exceeded")),
    (b'<a:errorResponse xmlns:a="urn:x"><a:moreInformation>Invalid client id &amp; secret</a:moreInformation>'
     b"</a:errorResponse>", Ruling("gateway.credentials", text="Invalid client id & secret"))])
def test_other_dialects(raw, ruling):
    assert read_ruling(raw) == ruling


@pytest.mark.parametrize(("more", "code"), [
    ("Invalid client id or secret.", "gateway.credentials"), ("Assembly Rate Limit exceeded", "gateway.rate_limit"),
    ("Service Unavailable", "gateway.other"), ("Application is not subscribed to this API.", "gateway.subscription"),
    ("The application is not registered with the plan that is used.", "gateway.subscription"),
    ("No resources match requested URI", "gateway.path")])
@pytest.mark.parametrize("accept", ["application/json", "application/xml"])
def test_the_gateways_two_dialects(more, code, accept):
    assert read_ruling(body(answers.gateway(401, more, accept))) == Ruling(code, text=more)


def test_an_unknown_code_is_told_but_makes_no_label():
    ruling = read_ruling(body(answers.failure("error.resource.notfound", "/x", 0.0)))
    assert (ruling.code, ruling.label) == ("error.resource.notfound", "other")
    assert Ruling().label == "other"


@pytest.mark.parametrize("raw", [
    b"", b" ", b"<", b"<html>no</html>", b"{", b"[]", b"null", b"12", b'"text"', b"{}", b'{"error":1}',
    b'{"error":{"failures":[]}}', b'{"error":{"failures":[{"code":7}]}}', b'{"moreInformation":7}', b"\xff\xfe",
    b"[" * 20_000, json.dumps({"error": {"failures": [{"code": "x" * 65}]}}).encode(),
    json.dumps({"error": {"failures": [{"code": "a\nb"}]}}).encode()])
def test_what_cannot_be_read_is_nothing(raw):
    assert read_ruling(raw) == Ruling()


def test_an_id_that_is_none_is_left_out():
    refusal = {"error": {"failures": [{"code": "error.x"}]},
               "group_header": {"message_identification": "<script>"}}
    assert read_ruling(json.dumps(refusal).encode()) == Ruling("error.x")
    assert read_ruling(b'{"error":{"failures":[{"code":"error.x","description":"a\\nb"}]}}') == Ruling("error.x")


@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["error", "failures", "code", "group_header", "message_identification", "moreInformation",
                         "tppMessages", "text", "type", "detail", "groupHeader", "creationDateTime"]),
        inner)).map(lambda value: json.dumps(value).encode()))
def test_no_answer_is_too_strange(raw):
    ruling = read_ruling(raw[:LIMIT])
    assert len(ruling.code) <= 64
    assert ruling.code.isprintable()

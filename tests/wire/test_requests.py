"""Every request of the corpus is read as it says, or refused with the code it says."""

from __future__ import annotations

import pytest

from tests.wire.corpus_malformed import MALFORMED, chunked, get, post
from tests.wire.corpus_valid import FIELDS, VALID
from tests.wire.reading import Outcome, read


def test_the_corpus_is_large_enough():
    assert len(MALFORMED) >= 120
    assert len(VALID) >= 60


@pytest.mark.parametrize("name", MALFORMED)
def test_it_is_refused(name):
    raw, code = MALFORMED[name]
    assert read([raw]) == Outcome((), code)


@pytest.mark.parametrize("name", VALID)
def test_it_is_read(name):
    raw, method, target, body = VALID[name]
    outcome = read([raw])
    assert (outcome.code, outcome.pending, len(outcome.requests)) == ("", False, 1)
    request = outcome.requests[0]
    assert (request.method, request.target, request.body) == (method, target, body)


@pytest.mark.parametrize(("line", "fields"), [
    (b"X:b", [(b"x", b"X", b"b")]),
    (b"X: \t  b \t ", [(b"x", b"X", b"b")]),
    (b"X:", [(b"x", b"X", b"")]),
    (b"X: a\tb", [(b"x", b"X", b"a\tb")]),
    (b"X: \xa0b\xa0", [(b"x", b"X", b"\xa0b\xa0")]),
    (b"X-A: a\r\nx-a: b", [(b"x-a", b"X-A", b"a"), (b"x-a", b"x-a", b"b")]),
    (b"B: 1\r\nA: 2\r\nB: 3", [(b"b", b"B", b"1"), (b"a", b"A", b"2"), (b"b", b"B", b"3")]),
])
def test_fields_keep_order_spelling_and_duplicates(line, fields):
    (request,) = read([get(line)]).requests
    assert list(request.fields) == [(b"host", b"Host", b"a"), *fields]


@pytest.mark.parametrize(("raw", "authority"), [
    (b"GET / HTTP/1.1\r\nHost: Bank.example:8080\r\n\r\n", b"Bank.example:8080"),
    (b"GET http://BANK/ HTTP/1.1\r\nHost: bank\r\n\r\n", b"BANK"),
    (b"CONNECT bank:443 HTTP/1.1\r\nHost: BANK\r\n\r\n", b"bank:443"),
    (b"GET / HTTP/1.0\r\n\r\n", b""),
])
def test_the_authority_is_the_targets_or_hosts(raw, authority):
    (request,) = read([raw]).requests
    assert request.rest[0] == authority


@pytest.mark.parametrize(("name", "close"), [
    ("field: Connection: close", True), ("field: Connection with empty members", True),
    ("field: Connection: keep-alive", False), ("form: HTTP/1.0", True), ("form: HTTP/1.0 with keep-alive", True),
    ("target: a path", False),
])
def test_what_closes_a_connection(name, close):
    (request,) = read([VALID[name][0]]).requests
    assert request.rest[2] is close


def test_options_are_lower_case_names():
    (request,) = read([get(b"Connection: Close, X-Hop", b"connection: \tFoo")]).requests
    assert request.rest[5] == {b"close", b"x-hop", b"foo"}


@pytest.mark.parametrize(("raw", "code"), [
    (get(b"X: " + b"b" * 200), "headers_too_large"),
    (b"GET /" + b"a" * 200, "headers_too_large"),
    (post(b"Content-Length: 65"), "body_too_large"),
    (post(b"Content-Length: 999999999999999999"), "body_too_large"),
    (chunked(b"41\r\n" + b"x" * 65), "body_too_large"),
    (chunked(b"20\r\n" + b"x" * 32 + b"\r\n21\r\n" + b"x" * 33), "body_too_large"),
    (chunked(b"ffffffffffffffff\r\n" + b"x" * 65), "body_too_large"),
], ids=["head", "line without end", "length", "huge length", "chunk", "second chunk", "huge chunk"])
def test_limits(raw, code):
    assert read([raw], head=180, body=64) == Outcome((), code)


def test_exactly_at_the_limits():
    raw = get(b"X: " + b"b" * 61)
    assert read([raw], head=len(raw)).code == ""
    assert read([raw], head=len(raw) - 1).code == "headers_too_large"
    assert read([chunked(b"40\r\n" + b"x" * 64 + b"\r\n0\r\n\r\n")], body=64).requests[0].body == b"x" * 64
    assert read([post(b"Content-Length: 64", body=b"x" * 64)], body=64).requests[0].body == b"x" * 64


@pytest.mark.parametrize("raw", [b"", b"\r", b"\r\n", b"GET", get()[:-1], post(b"Content-Length: 5", body=b"hell"),
                                 chunked(b"5\r\nhello\r\n0\r\n"), chunked(b"5\r\nhel")])
def test_what_is_not_complete_is_waited_for(raw):
    outcome = read([raw])
    assert outcome == Outcome((), "", raw not in (b"", b"\r\n"))


def test_every_field_of_the_corpus_is_there():
    for line in FIELDS.values():
        (request,) = read([get(line)]).requests
        assert len(request.fields) == 1 + len(line.split(b"\r\n"))

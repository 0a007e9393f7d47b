"""A bank's answer has one reading, or is refused; in every split, and as h11's client reads it."""

from __future__ import annotations

import pytest

from tests.wire.corpus_answers import MALFORMED, VALID, ok
from tests.wire.corpus_malformed import head
from tests.wire.mutation import mutants
from tests.wire.reading import AnswerOutcome, read_answer, splits
from tests.wire.second_opinions import answer_by_h11

REFUSED = AnswerOutcome(code="malformed_request")
_METHODS = (b"GET", b"HEAD", b"POST")


def test_the_corpus_is_large_enough():
    assert len(MALFORMED) >= 60
    assert len(VALID) >= 25


@pytest.mark.parametrize("name", MALFORMED)
def test_it_is_refused(name):
    raw = MALFORMED[name]
    for segments in ([raw], *splits(raw, seed=1)):
        assert read_answer(segments) == REFUSED


@pytest.mark.parametrize("name", VALID)
def test_it_is_read(name):
    raw, method, status, body, end = VALID[name]
    outcome = read_answer([raw], method)
    assert (outcome.code, outcome.status, outcome.body, outcome.complete) == ("", status, body, end)
    assert outcome.after == b""
    for segments in splits(raw, seed=2):
        assert read_answer(segments, method) == outcome


@pytest.mark.parametrize("name", [name for name, row in VALID.items() if row[4] == "length"])
def test_what_follows_it_is_handed_back(name):
    raw, method, _, body, _ = VALID[name]
    for segments in ([raw + b"more"], *splits(raw + b"more", seed=3)):
        outcome = read_answer(segments, method)
        assert (outcome.body, outcome.after) == (body, b"more")


@pytest.mark.parametrize("name", VALID)
def test_h11_reads_the_same(name):
    raw, method, status, body, end = VALID[name]
    message, fault = answer_by_h11(raw, method, closed=end == "close")
    assert fault == ""
    outcome = read_answer([raw], method)
    assert (message.first, message.body) == (b"%d" % status, body)
    assert message.fields == tuple((name, value) for name, _, value in outcome.fields)


@pytest.mark.parametrize(("raw", "close"), [
    (ok(b"Content-Length: 0"), False),
    (ok(b"Content-Length: 0", b"Connection: keep-alive"), False),
    (ok(b"Content-Length: 0", b"Connection: Close"), True),
    (ok(b"Content-Length: 0", b"Connection: x", b"Connection: close"), True),
    (head(b"HTTP/1.0 200 OK", b"Content-Length: 0"), True),
    (head(b"HTTP/1.0 200 OK", b"Content-Length: 0", b"Connection: keep-alive"), False),
])
def test_what_closes_the_connection(raw, close):
    assert read_answer([raw]).close is close


def test_the_line_goes_on_as_it_came():
    assert read_answer([head(b"HTTP/1.1 200 Fine \xe4", b"Content-Length: 0")]).line == b"200 Fine \xe4"
    assert read_answer([head(b"HTTP/1.1 200", b"Content-Length: 0")]).line == b"200 "


def test_a_head_that_is_too_large():
    raw = ok(b"X: " + b"y" * 300, b"Content-Length: 0")
    for segments in ([raw], *splits(raw, seed=4)):
        assert read_answer(segments, head=200) == REFUSED
    assert read_answer([raw], head=len(raw)).status == 200


@pytest.mark.parametrize("raw", [b"", b"HTTP", ok(b"Content-Length: 5", body=b"hell"), head(b"HTTP/1.1 100 Continue"),
                                 ok(b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n")])
def test_what_is_not_complete_is_waited_for(raw):
    outcome = read_answer([raw])
    assert (outcome.code, outcome.complete) == ("", "")


def _disagreement(raw: bytes, method: bytes) -> str:
    """Exception: h11 refuses what follows an answer that closes, or is HTTP/1.0; only the answer is compared."""
    ours = read_answer([raw], method)
    if ours.complete != "length":
        return ""
    whole = raw[:len(raw) - len(ours.after)]
    theirs, fault = answer_by_h11(whole, method, closed=False)
    if theirs is None:
        return f"h11 does not read it: {fault}"
    fields = tuple((name, value.lower() if name == b"transfer-encoding" else value) for name, _, value in ours.fields)
    same = (theirs.first, theirs.fields, theirs.body) == (b"%d" % ours.status, fields, ours.body)
    return "" if same else f"h11 reads {theirs}"


@pytest.mark.parametrize("seed", range(6))
def test_mutants(seed):
    whole, accepted = [row[0] for row in VALID.values()] * 3 + list(MALFORMED.values()), 0
    for at, raw in enumerate(mutants([raw for raw in whole if len(raw) < 400], seed, 2000)):
        method = _METHODS[at % 3]
        assert _disagreement(raw, method) == "", (raw, method)
        accepted += read_answer([raw], method).complete == "length"
        if at % 20 == 0:
            assert read_answer([raw[at:at + 1] for at in range(len(raw))], method) == read_answer([raw], method), raw
    assert accepted > 300, "too few mutants are still accepted to prove anything"

"""Every well-formed request that hypothesis can think of comes out as it went in."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.drawing import bytes_of
from tests.wire.reading import read, read_answer

TOKEN = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
FRAMING = {b"host", b"content-length", b"transfer-encoding", b"connection", b"expect"}

quick = settings(max_examples=300, deadline=None, database=None, derandomize=True)


tokens = bytes_of(TOKEN, min_size=1, max_size=12)
names = tokens.filter(lambda name: name.lower() not in FRAMING)
values = bytes_of(b"\t" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100)), max_size=20)
paddings = bytes_of(b" \t", max_size=3)
targets = bytes_of(bytes(range(0x21, 0x7F)) + bytes(range(0x80, 0x100)), max_size=20).map(lambda rest: b"/" + rest)
fields = st.lists(st.tuples(names, paddings, values, paddings), max_size=6)
bodies = st.binary(max_size=80)


@st.composite
def framed(draw, body: bytes) -> tuple[bytes, bytes]:
    """-> (framing field, body on the wire)."""
    if draw(st.booleans()):
        return b"Content-Length: %b%d\r\n" % (b"0" * draw(st.integers(0, 3)), len(body)), body
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(body))), max_size=4)) | {0, len(body)})
    pieces = [body[a:b] for a, b in pairwise(cuts) if body[a:b]]
    ending = draw(st.sampled_from((b"", b";a", b";a=b", b';a="\xff \\" ";b')))
    wire = b"".join(b"%x%b\r\n%b\r\n" % (len(piece), ending, piece) for piece in pieces)
    return b"transfer-encoding: Chunked\r\n", wire + b"0%b\r\n\r\n" % ending


@st.composite
def requests(draw):
    """-> (bytes on the wire, method, target, fields as read, body)."""
    method, target = draw(tokens.filter(lambda method: method != b"CONNECT")), draw(targets)
    sent, body = draw(fields), draw(bodies)
    lines = b"".join(b"%b:%b%b%b\r\n" % field for field in sent)
    framing, wire = draw(framed(body))
    raw = b"%b %b HTTP/1.1\r\nHost: a\r\n%b%b\r\n%b" % (method, target, lines, framing, wire)
    seen = [(name.lower(), name, value.strip(b" \t")) for name, _, value, _ in sent]
    return raw, method, target, seen, body


@quick
@given(st.lists(requests(), min_size=1, max_size=3), st.data())
def test_requests_round_trip(sent, data):
    raw = b"".join(request[0] for request in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=5)))
    outcome = read([raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)])
    assert (outcome.code, outcome.pending) == ("", False)
    for (_, method, target, seen, body), request in zip(sent, outcome.requests, strict=True):
        assert (request.method, request.target, request.body) == (method, target, body)
        assert list(request.fields[1:-1]) == seen


@st.composite
def answers(draw):
    status = draw(st.integers(200, 599).filter(lambda status: status not in (204, 304)))
    reason, sent, body = draw(values), draw(fields), draw(bodies)
    lines = b"".join(b"%b:%b%b%b\r\n" % field for field in sent)
    framing, wire = draw(framed(body))
    interim = draw(st.sampled_from((b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n")))
    raw = interim + b"HTTP/1.1 %d %b\r\n%b%b\r\n%b" % (status, reason, lines, framing, wire)
    seen = [(name.lower(), name, value.strip(b" \t")) for name, _, value, _ in sent]
    return raw, status, b"%d %b" % (status, reason), seen, body


@quick
@given(answers(), st.binary(max_size=5), st.data())
def test_answers_round_trip(sent, after, data):
    raw, status, line, seen, body = sent
    raw += after
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=5)))
    outcome = read_answer([raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)])
    assert (outcome.code, outcome.complete, outcome.after) == ("", "length", after)
    assert (outcome.status, outcome.line, outcome.body) == (status, line, body)
    assert list(outcome.fields[:-1]) == seen


@quick
@given(st.binary(max_size=60), st.data())
def test_bytes_at_random_have_one_outcome(raw, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=5)))
    segments = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    assert read(segments) == read([raw])
    assert read_answer(segments) == read_answer([raw])

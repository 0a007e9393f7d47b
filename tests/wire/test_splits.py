"""The network cuts where it likes: every split of every message gives the same requests and the same refusal."""

from __future__ import annotations

import random

import pytest

from proxy.errors import Refused
from proxy.wire.chunked import Chunks
from proxy.wire.reader import RequestReader, Step
from tests.wire.corpus_malformed import CHUNKS, MALFORMED, chunked, get, post
from tests.wire.corpus_valid import BODIES, VALID
from tests.wire.reading import Outcome, read, splits

CORPUS = {name: row[0] for table in (MALFORMED, VALID) for name, row in table.items()}


@pytest.mark.parametrize("name", CORPUS)
def test_every_split_has_one_outcome(name):
    raw = CORPUS[name]
    whole = read([raw])
    for segments in splits(raw, seed=len(raw)):
        assert read(segments) == whole, segments


SMALL = {
    "a head too large": get(b"X: " + b"b" * 200),
    "a head too large with LF alone early": b"GET / HTTP/1.1\nHost: a\r\nX: " + b"b" * 200 + b"\r\n\r\n",
    "a head too large with LF alone at its limit": b"GET / HTTP/1.1\r\nX: " + b"b" * 101 + b"\n" + b"c" * 90,
    "a head too large with LF alone behind its limit": b"GET / HTTP/1.1\r\nX: " + b"b" * 102 + b"\n" + b"c" * 90,
    "a head too large and malformed behind its limit": b"GET / HTTP/1.1\r\nX: " + b"b" * 150 + b"\n\r\n\r\n",
    "a length too large": post(b"Content-Length: 65", body=b"x" * 65),
    "a chunk too large": chunked(b"41\r\n" + b"x" * 65 + b"\r\n0\r\n\r\n"),
    "a chunk too large, then nonsense": chunked(b"41\r\n" + b"x" * 65 + b"nonsense"),
    "chunks too large together": chunked((b"10\r\n" + b"x" * 16 + b"\r\n") * 5 + b"0\r\n\r\n"),
    "chunks too large together, then nonsense": chunked((b"10\r\n" + b"x" * 16 + b"\r\n") * 5 + b"z\r\n"),
    "nonsense before chunks too large": chunked(b"10\r\n" + b"x" * 16 + b"\r\nz\r\n" + b"x" * 100),
    "just small enough": chunked((b"10\r\n" + b"x" * 16 + b"\r\n") * 4 + b"0\r\n\r\n"),
}


@pytest.mark.parametrize("name", SMALL)
def test_limits_do_not_depend_on_the_split(name):
    raw = SMALL[name]
    whole = read([raw], head=120, body=64)
    for segments in splits(raw, seed=1):
        assert read(segments, head=120, body=64) == whole, segments


def test_every_split_of_a_pipeline():
    names = [name for name in VALID if not name.startswith(("form: CONNECT", "target: a long", "field: a long"))]
    chance = random.Random(5)
    for _ in range(8):
        chosen = chance.sample(names, 5)
        raw = b"".join(VALID[name][0] for name in chosen)
        whole = read([raw])
        assert [(*request[:2], request.body) for request in whole.requests] == [VALID[name][1:] for name in chosen]
        for segments in splits(raw, seed=6):
            assert read(segments) == whole


@pytest.mark.parametrize("last", ["length: two different lengths", "chunk: data longer than its size", "host: no Host"])
def test_a_refusal_ends_a_pipeline_where_it_stands(last):
    raw = get() + MALFORMED[last][0] + get(b"X: never read")
    whole = read([raw])
    assert (len(whole.requests), whole.code) == (1, "malformed_request")
    for segments in splits(raw, seed=7):
        assert read(segments) == whole


def _decode(segments, **how) -> tuple[bytes, bytes | None, str]:
    chunks, payload, after = Chunks(**how), b"", None
    try:
        for segment in segments:
            if after is None:
                piece, after = chunks.feed(segment)
                payload += piece
            else:
                after += segment
    except Refused as refusal:
        return b"", None, refusal.code
    return payload, after, ""


_WITH_TRAILERS = {
    "a trailer": b"0\r\nX: y\r\n\r\nafter",
    "two trailers": b"1\r\na\r\n0\r\nX: y\r\nZ:\r\n\r\nafter",
    "thirty-two trailers": b"0\r\n" + b"X: y\r\n" * 32 + b"\r\n",
    "thirty-three trailers": b"0\r\n" + b"X: y\r\n" * 33 + b"\r\n",
    "a framing trailer": b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a folded trailer": b"0\r\nX: y\r\n z\r\n\r\n",
    "a trailer without a colon": b"0\r\nX\r\n\r\n",
    "a trailer with a control byte": b"0\r\nX: \x00\r\n\r\n",
    "a line of 1024 bytes": b"0\r\nX:" + b"y" * 1020 + b"\r\n\r\n",
    "a line of 1025 bytes": b"0\r\nX:" + b"y" * 1021 + b"\r\n\r\n",
}
_ACCEPTED = {"a trailer", "two trailers", "thirty-two trailers", "a line of 1024 bytes"}


@pytest.mark.parametrize("name", _WITH_TRAILERS)
def test_trailers_of_answers(name):
    raw = _WITH_TRAILERS[name]
    whole = _decode([raw], trailers=True)
    assert whole[2] == ("" if name in _ACCEPTED else "malformed_request")
    for segments in splits(raw, seed=8):
        assert _decode(segments, trailers=True) == whole
    assert _decode([raw])[2] == "malformed_request"


def test_chunks_hand_back_what_follows_them():
    for raw, body in BODIES.values():
        if b"chunked" in raw.lower():
            payload = raw.partition(b"\r\n\r\n")[2]
            for segments in splits(payload + get(), seed=9):
                assert _decode(segments) == (body, get(), "")
    assert all(_decode([raw.partition(b"\r\n\r\n")[2]])[2] for name, raw in CHUNKS.items())


def test_a_drip_of_a_large_head_is_read_once():
    """Every byte is looked at a bounded number of times, whatever the number of segments."""
    reader, looked = RequestReader(32768, 1), 0

    class Watched(bytearray):
        def find(self, sub, start=0, *end):
            nonlocal looked
            looked += len(self) - start
            return super().find(sub, start, *end)

    reader._buffer = Watched()
    raw = get(b"X: " + b"b" * 32600)
    for at in range(len(raw) - 1):
        reader.feed(raw[at:at + 1])
        assert reader.advance() is Step.MORE
    assert looked < 8 * len(raw)
    reader.feed(raw[-1:])
    assert reader.advance() is Step.HEAD


def test_a_drip_of_a_chunk_line_holds_little():
    chunks = Chunks()
    assert all(chunks.feed(b"a" if at else b"5;") == (b"", None) for at in range(900))
    assert len(chunks._held) < 1024


def test_pending_tells_an_idle_connection_from_a_started_request():
    assert read([get()]) == Outcome(read([get()]).requests, "", False)
    assert read([get(), b"G"]).pending
    assert read([get(), b"\r\n"]).pending is False
    assert read([post(b"Content-Length: 1")]).pending

"""Runs the pure readers over segments and tells what came out, in values that compare."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from proxy.errors import Refused
from proxy.wire.answer import AnswerReader
from proxy.wire.reader import RequestReader, Step

HEAD_LIMIT, BODY_LIMIT = 32768, 1 << 20


class Read(NamedTuple):
    method: bytes
    target: bytes
    fields: tuple
    body: bytes
    rest: tuple     # authority, minor, close, expect, scheme, options


class Outcome(NamedTuple):
    """requests: in order.  code: of the refusal that ended the reading, or "".  pending: an unfinished request."""

    requests: tuple[Read, ...]
    code: str = ""
    pending: bool = False


def _value(request) -> Read:
    rest = (request.authority, request.minor, request.close, request.expect, request.scheme, request.options)
    return Read(request.method, request.target, tuple(request.fields), request.body, rest)


def read(segments: Iterable[bytes], head: int = HEAD_LIMIT, body: int = BODY_LIMIT) -> Outcome:
    reader, requests = RequestReader(head, body), []
    try:
        for segment in segments:
            reader.feed(segment)
            while (step := reader.advance()) is not Step.MORE:
                if step is Step.DONE:
                    requests.append(_value(reader.request))
    except Refused as refusal:
        return Outcome(tuple(requests), refusal.code)
    return Outcome(tuple(requests), "", reader.pending)


class Heard:
    """A sink that writes down what it is told."""

    def __init__(self) -> None:
        self.response, self.payload = None, b""

    def head(self, response) -> None:
        assert self.response is None, "two heads for one answer"
        self.response = response

    def body(self, data: bytes) -> None:
        assert self.response is not None, "a body before its head"
        assert data, "an empty piece would end a chunked answer"
        self.payload += data


class AnswerOutcome(NamedTuple):
    """complete: "length", "close" or "" (more is to come).  after: bytes behind the answer."""

    status: int = 0
    line: bytes = b""
    fields: tuple = ()
    body: bytes = b""
    close: bool = False
    complete: str = ""
    after: bytes = b""
    code: str = ""


def read_answer(segments: Iterable[bytes], method: bytes = b"GET", head: int = HEAD_LIMIT) -> AnswerOutcome:
    reader, heard, after = AnswerReader(method, head), Heard(), None
    try:
        for segment in segments:
            if after is None:
                after = reader.feed(segment, heard)
            else:
                after += segment
    except Refused as refusal:
        return AnswerOutcome(code=refusal.code)
    response = heard.response
    if response is None:
        return AnswerOutcome()
    complete = "length" if after is not None else "close" if reader.ended_by_close() else ""
    return AnswerOutcome(response.status, response.line, tuple(response.fields), heard.payload, response.close,
                         complete, after or b"")


def splits(raw: bytes, *, seed: int, ways: int = 12, every: bool = True) -> Iterator[list[bytes]]:
    """Byte by byte; all splits in two (a hundred of them when long); some random ones."""
    yield [raw[at:at + 1] for at in range(len(raw))]
    cuts = range(len(raw) + 1)
    chance = random.Random(seed)
    if len(raw) > 600 or not every:
        cuts = sorted(chance.sample(cuts, min(100, len(cuts))))
    for cut in cuts:
        yield [raw[:cut], raw[cut:]]
    for _ in range(ways):
        places = sorted(chance.sample(range(len(raw) + 1), min(len(raw), chance.randint(2, 9))))
        yield [raw[start:end] for start, end in zip([0, *places], [*places, len(raw)], strict=True)]

"""What we accept, h11 reads the same way, and llhttp never reads with another framing.

Exceptions, each on purpose:
    one empty line before a request line     we skip it (RFC 9112 section 2.2), h11 0.14 refuses
    raw non-ASCII in a target                the grammar lets it through so that proxy.core.target can name the fault
    absolute form                            both others hand it over unparsed; compared after cutting the authority
    HTTP/1.0 with keep-alive                 we close, h11 goes on: nothing is compared behind a request that closes
    a switch of protocols                    llhttp stops at Upgrade and CONNECT and takes the body out of the framing
h11 writes Transfer-Encoding in lower case, and llhttp keeps white space behind values.
"""

from __future__ import annotations

import re

import pytest

from tests.wire.corpus_malformed import MALFORMED
from tests.wire.corpus_valid import VALID
from tests.wire.mutation import mutants
from tests.wire.reading import Outcome, Read, read
from tests.wire.second_opinions import Message, by_h11, by_llhttp

_SHORT = [row[0] for table in (VALID, VALID, VALID, MALFORMED) for row in table.values() if len(row[0]) < 400]
_ABSOLUTE = re.compile(rb"(?i)https?://[^/?]*")


def _fields(fields) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name, value.lower() if name == b"transfer-encoding" else value) for name, value in fields)


def _ours(request: Read) -> Message:
    return Message(request.method, request.target, _fields((name, value) for name, _, value in request.fields),
                   request.body)


def _theirs(message: Message) -> Message:
    target = message.second
    if _ABSOLUTE.match(target):
        target = _ABSOLUTE.sub(b"", target, count=1)
        target = target if target.startswith(b"/") else b"/" + target
    fields = _fields((name, value.rstrip(b" \t")) for name, value in message.fields)
    return Message(message.first, target, fields, message.body)


def _until_close(outcome: Outcome) -> tuple[list[Message], bool]:
    """Our requests up to the first that ends the connection, and whether one does."""
    messages = []
    for request in outcome.requests:
        messages.append(_ours(request))
        if request.rest[2] or request.method == b"CONNECT":
            return messages, True
    return messages, False


def disagreement_with_h11(raw: bytes, outcome: Outcome) -> str:
    ours, ended = _until_close(outcome)
    if not ours or any(not message.second.isascii() for message in ours):
        return ""
    lines = raw[2:] if raw.startswith(b"\r\n") else raw
    theirs, fault = by_h11(lines)
    if len(theirs) < len(ours):
        if fault == "no request line received":
            return ""
        return f"h11 reads {len(theirs)} of our {len(ours)}: {fault}"
    if not ended and not outcome.code and len(theirs) > len(ours):
        return f"h11 reads {len(theirs)}, we {len(ours)}"
    wrong = [pair for pair in zip(ours, map(_theirs, theirs), strict=False) if pair[0] != pair[1]]
    return f"h11 reads it otherwise: {wrong[0]}" if wrong else ""


def disagreement_with_llhttp(raw: bytes, outcome: Outcome) -> str:
    ours, ended = _until_close(outcome)
    theirs, fault = by_llhttp(raw)
    if fault == "HttpParserUpgrade":
        theirs = theirs[:-1]
    if not ended and not outcome.code and len(theirs) > len(ours):
        return f"llhttp reads {len(theirs)}, we {len(ours)}"
    wrong = [pair for pair in zip(ours, map(_theirs, theirs), strict=False) if pair[0] != pair[1]]
    return f"llhttp reads it otherwise: {wrong[0]}" if wrong else ""


@pytest.mark.parametrize("name", [*VALID, *MALFORMED])
def test_the_corpus(name):
    raw = (VALID.get(name) or MALFORMED[name])[0]
    outcome = read([raw])
    assert disagreement_with_h11(raw, outcome) == "" or len(raw) > 8000
    assert disagreement_with_llhttp(raw, outcome) == ""


@pytest.mark.parametrize("seed", range(10))
def test_mutants(seed):
    accepted = 0
    for raw in mutants(_SHORT, seed, 3000):
        outcome = read([raw])
        assert disagreement_with_h11(raw, outcome) == "", raw
        assert disagreement_with_llhttp(raw, outcome) == "", raw
        accepted += bool(outcome.requests)
    assert accepted > 600, "too few mutants are still accepted to prove anything"


@pytest.mark.parametrize("seed", range(10, 14))
def test_mutants_have_one_outcome_in_every_split(seed):
    for raw in mutants(_SHORT, seed, 150):
        whole = read([raw])
        assert read([raw[at:at + 1] for at in range(len(raw))]) == whole, raw
        for cut in range(0, len(raw), 3):
            assert read([raw[:cut], raw[cut:]]) == whole, (raw, cut)


def test_what_llhttp_accepts_and_we_refuse():
    """The reasons why the grammar is ours; if llhttp mends one, this list gets shorter."""
    accepted = {name for name, (raw, _) in MALFORMED.items() if by_llhttp(raw)[0] and not by_llhttp(raw)[1]}
    assert {"host: no Host", "host: two different Hosts", "host: userinfo", "chunk: a trailer"} <= accepted

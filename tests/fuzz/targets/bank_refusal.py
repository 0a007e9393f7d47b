"""Whatever a bank answers when it refuses, the diagnosis has a cause from its table and printable sentences, and
reading it raises nothing: JSON, XML, compressed, cut, nested or none of them.
"""

from __future__ import annotations

import gzip
import json
import zlib

from proxy.cli.refusal import saved
from proxy.cli.refusal.answers import Answered, read_answer
from proxy.cli.refusal.cases import Keys, case_of
from proxy.cli.refusal.entries import refused_entry
from proxy.cli.verification import Captured
from proxy.core.diagnosis import diagnose
from proxy.core.diagnosis.causes import CAUSES
from proxy.core.message import Response
from proxy.core.personal import impersonal_json, impersonal_text
from proxy.errors import Refused
from proxy.serve.decoding import LARGEST as LARGEST_DECODED
from proxy.serve.rulings import read_ruling, ruling_of

TOKENS = (
    b'{"error":{"failures":[{"code":"',
    b'"group_header":{"message_identification":"',
    b'"tppMessages":[{"code":"',
    b"HTTP/1.1 401 Unauthorized\r\n",
    b"< HTTP/1.1 403\r\n",
    b'"moreInformation":"',
    b"<errorResponse>",
    b"<moreInformation>",
    b"</errorResponse>",
    b"&amp;",
    b"&#0;",
    b"&#x110000;",
    b'"httpCode":401',
    b"\\ud800",
    b'"log":{"entries":[',
    b'"status":401',
    b'{"format":"signing-proxy-exchange/1",',
    b"[" * 1200,
    b'{"a":' * 1200,
    b"Content-Encoding: gzip\r\n",
    b"Retry-After: 99999999999999999999\r\n",
    b"X-RateLimit-Remaining: name=a,0;\r\n",
    b"Date: Sat, 21 Nov 2026 12:00:00 GMT\r\n",
    b'"access_token":"',
    b'"exp":1e400',
)
_MESSAGE = Captured("GET", "/personal/v5/accounts", (("Host", "open.nordea.com"),), b"")


def check(data: bytes) -> None:
    found = read_answer(data)
    if found is not None:
        _diagnosed(found)
    for coding in (b"", b"gzip", b"deflate", b"br"):
        _ruled(data, coding)
    _ruled(gzip.compress(data, 1, mtime=0), b"gzip")
    _ruled(zlib.compress(data, 1), b"deflate")
    impersonal_text(impersonal_json(data))
    _document(data)


def _ruled(body: bytes, coding: bytes) -> None:
    fields = [(b"content-encoding", b"Content-Encoding", coding)] if coding else []
    ruling = ruling_of(
        Response(401, b"401", fields, minor=1, length=len(body), options=frozenset(), close=False), body
    )
    assert ruling.code.isprintable() and ruling.text.isprintable() and len(ruling.code) <= 64
    assert len(read_ruling(body[:LARGEST_DECODED]).text) <= 200


def _diagnosed(answer: Answered) -> None:
    for message in (None, _MESSAGE):
        diagnosis = diagnose(case_of(message, answer, Keys(), 1.8e9))
        if diagnosis is not None:
            document = diagnosis.document()
            assert json.dumps(document).isprintable()
            assert all(cause["cause"] in CAUSES for cause in document["causes"])


def _document(data: bytes) -> None:
    """As `explain` takes a HAR file or an exchange that the inspector saved."""
    try:
        document = json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return
    if saved.is_saved(document):
        assert isinstance(saved.without_refusal(document), str)
        saved.diagnosis_of(document)
        answer = saved.answer_of(document)
        if answer is not None:
            diagnose(case_of(saved.message_of(document), answer, Keys(), 1.8e9))
        return
    try:
        entry = refused_entry(document, None)
    except Refused as refused:
        assert refused.code == "message_unreadable"
        return
    if entry is not None:
        diagnose(case_of(entry[0], entry[1], Keys(), 1.8e9))

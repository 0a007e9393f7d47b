"""The bank's answer, wherever it stands in what was pasted: raw HTTP, `curl -v` or `-i`, a HAR entry, a body alone."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any, NamedTuple

from proxy.core.message import Response
from proxy.serve.rulings import LIMIT, Ruling, ruling_of

_STATUS = re.compile(rb"(?m)^(?:< )?HTTP/[0-9.]+[ \t]+([2-5][0-9]{2})\b[^\r\n]*\r?$")
_MARK = re.compile(rb'"(?:group_header|groupHeader|httpCode|tppMessages|moreInformation|failures|error)"\s*:')
_XML = re.compile(rb"<(?:\w{1,32}:)?errorResponse\b")
_XML_END = re.compile(rb"</(?:\w{1,32}:)?errorResponse>")
_FIELD = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):(.*)")
_NESTED = 6


class Answered(NamedTuple):
    """response: its head.  ruling: what its body says.  body: without content coding.  start: where it began."""

    response: Response
    ruling: Ruling
    body: bytes
    start: int


def read_answer(raw: bytes) -> Answered | None:
    """The last answer in a text; None when there is none."""
    found = list(_STATUS.finditer(raw))
    if found:
        return _with_head(raw, found[-1])
    start, body = _refusal(raw)
    return _of_body(start, body) if body else None


def from_entry(response: object) -> Answered | None:
    """The response of a HAR entry (HAR 1.2)."""
    match response:
        case {"status": int(status)} if 200 <= status <= 599:
            assert isinstance(response, dict)
        case _:
            return None
    headers = response.get("headers")
    pairs = [(str(one.get("name", "")), str(one.get("value", ""))) for one in headers
             if isinstance(one, dict)] if isinstance(headers, list) else []
    return answered(status, pairs, _content(response.get("content")), decoded=True)


def answered(status: int, fields: list[tuple[str, str]], body: bytes, *, decoded: bool, start: int = 0) -> Answered:
    """decoded: the body has no content coding any more, whatever the headers say."""
    kept = [(name.lower().encode("latin-1", "replace"), name.encode("latin-1", "replace"),
             value.encode("latin-1", "replace")) for name, value in fields
            if not (decoded and name.lower() == "content-encoding")]
    response = Response(status, b"%d" % status, kept, minor=1, length=len(body), options=frozenset(), close=False)
    return Answered(response, ruling_of(response, body[:LIMIT]), body, start)


def _with_head(raw: bytes, status: re.Match[bytes]) -> Answered:
    verbose = status[0].startswith(b"< ")
    fields, end = [], status.end()
    for line in raw[status.end():].splitlines(keepends=True)[1:]:
        end += len(line)
        text = line.rstrip(b"\r\n").decode("latin-1").removeprefix("< " if verbose else "")
        if text in ("", "<"):
            break
        field = _FIELD.fullmatch(text)
        if field is not None:
            fields.append((field[1], field[2].strip(" \t")))
    _, refusal = _refusal(raw[status.start():])
    body = refusal or (b"" if verbose else raw[end:].strip())
    return answered(int(status[1]), fields, body, decoded=bool(refusal), start=status.start())


def _of_body(start: int, body: bytes) -> Answered:
    """A body alone: the bank's envelopes tell the status."""
    told = re.search(rb'"?http_?[cC]ode"?\s*[:>]\s*"?([45][0-9]{2})', body)
    return answered(int(told[1]) if told else 401, [], body, decoded=True, start=start)


def _refusal(raw: bytes) -> tuple[int, bytes]:
    """Where a refusal's body stands in a text, and it; (0, b"") when there is none."""
    xml = _XML.search(raw)
    end = _XML_END.search(raw, xml.end()) if xml is not None else None
    if xml is not None and end is not None:
        return xml.start(), raw[xml.start():end.end()]
    marks = list(_MARK.finditer(raw))
    for mark in reversed(marks[-_NESTED:]):
        begin = mark.start()
        for _ in range(_NESTED):
            begin = raw.rfind(b"{", 0, begin)
            if begin < 0:
                break
            text = raw[begin:].decode("utf-8", "replace")
            value, length = _object(text)
            if _is_refusal(value):
                return begin, text[:length].encode()
    return 0, b""


def _object(text: str) -> tuple[Any, int]:
    try:
        return json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return None, 0


def _is_refusal(value: object) -> bool:
    match value:
        case {"group_header": _, **_rest} | {"groupHeader": _, **_rest} | {"moreInformation": _, **_rest}:
            return "response" not in _rest
        case {"tppMessages": _} | {"error": str()} | {"error": {"failures": _}}:
            return True
    return False


def _content(content: object) -> bytes:
    match content:
        case {"text": str(text), "encoding": "base64"}:
            try:
                return base64.b64decode(text, validate=True)
            except (binascii.Error, ValueError):
                return b""
        case {"text": str(text)}:
            return text.encode("utf-8", "surrogatepass")
    return b""

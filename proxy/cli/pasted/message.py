"""Raw HTTP, also with what tools print around it: `curl -v`, a trace, Postman's raw log with its answer."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import islice

from proxy.cli.pasted.request import refuse_blanks
from proxy.cli.verification.captured import Captured, Unreadable, parse

METHODS = b"(?i:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)"
VERBOSE = re.compile(rb"(?m)^> [A-Z]{3,10} \S+ HTTP/[0-9.]+\r?$")
REQUEST = re.compile(rb"(?m)^" + METHODS + rb"[ \t]+(?:https?://|/)\S*(?:[ \t]+HTTP/[0-9.]+)?[ \t]*\r?$")
_ANSWER = re.compile(rb"(?<![\r\n])(?:\r?\n)+HTTP/[0-9.]+ [1-5][0-9]{2}\b")
_NEXT = re.compile(rb"(?<![\r\n])(?:\r?\n)+(?=" + METHODS + rb" (?:https?://|/)\S* HTTP/[0-9.]+\r?\n)")


def read_messages(raw: bytes) -> list[Captured]:
    """Raises Unreadable."""
    if VERBOSE.search(raw):
        return [_checked(parse(part)) for part in _verbose(raw)]
    start = REQUEST.search(raw)
    if start is None or raw[:start.start()].strip():
        return [_checked(parse(raw))]
    return [_checked(parse(part)) for part in _apart(raw[start.start():])]


def _verbose(raw: bytes) -> list[bytes]:
    """The requests' heads; curl -v does not print their bodies."""
    lines = [line[2:] if line[:2] == b"> " else line[1:] for line in raw.splitlines() if line[:1] == b">"]
    parts: list[list[bytes]] = []
    for line in lines:
        if re.fullmatch(rb"[A-Z]{3,10} \S+ HTTP/[0-9.]+", line):
            parts.append([])
        if parts and line.strip():
            parts[-1].append(line)
    return [b"\r\n".join([*part, b"", b""]) for part in parts]


def _apart(raw: bytes) -> list[bytes]:
    """A console's log holds requests and answers by turns."""
    parts = []
    while raw:
        answer = _answer(raw)
        parts.append(raw[:answer.start()] if answer else raw)
        following = _NEXT.search(raw, answer.end()) if answer else None
        raw = raw[following.end():] if following else b""
    return parts


def _answer(raw: bytes) -> re.Match[bytes] | None:
    """Where an answer begins; what looks like one inside a body does not count where Content-Length tells."""
    first = None
    for answer in islice(_ANSWER.finditer(raw), 100):
        first = first or answer
        head = parse(raw[:answer.start()])
        length = head.one("content-length") or "0"
        if not (length.isascii() and length.isdigit()) or len(head.body) >= int(length[:12]):
            return answer
    return first


def _checked(message: Captured) -> Captured:
    refuse_blanks(message)
    length = message.one("content-length")
    covered = message.one("digest") is not None and message.method not in ("GET", "HEAD")
    if covered and not message.body and length is None and message.all("transfer-encoding"):
        return replace(message, whole=False)
    return message


def first_line(raw: bytes) -> bytes:
    """For deciding what kind of text this is."""
    stripped = raw.lstrip()
    return stripped[:4096].splitlines()[0] if stripped else b""


def refuse_binary(raw: bytes) -> None:
    """Raises Unreadable when the beginning is no text."""
    head = raw[:2048]
    strange = sum(byte < 9 or (13 < byte < 32 and byte != 27) for byte in head)
    if strange * 10 > len(head):
        raise Unreadable("it is binary, not text")

"""What a bank's refusal says: its own code and the ids its support asks for, read from the body without changing it."""

from __future__ import annotations

import re
from html import unescape
from typing import Any, Final

import msgspec

from proxy.core.diagnosis.kinds import KIND_OF
from proxy.core.message import Response
from proxy.serve.decoding import decoded

KNOWN_CODES: Final = frozenset(KIND_OF)
"""The codes that become metric labels; any other is "other", so that a bank cannot grow our memory."""

LIMIT: Final = 16384
"""Bytes of a refusal that are looked at, as it comes."""

_MESSAGE_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_CREATED = re.compile(r"[0-9TZ:.+-]{1,40}")
_XML_MESSAGE = re.compile(rb"<(?:\w+:)?moreInformation>([^<]{0,400})</(?:\w+:)?moreInformation>")
_VALUES = re.compile(r"(?<!\S)\S*\d{4,}\S*")
_TEXT = 200

_GATEWAY: Final = (
    ("gateway.rate_limit", ("rate limit", "quota", "too many")),
    ("gateway.subscription", ("subscri", "not registered", " plan", "suspended", "not active", "inactive")),
    ("gateway.credentials", ("client id", "secret")),
    ("gateway.path", ("no resources match", "requested uri", "url was not found")),
)
"""Our code for the gateway's sentences, by what stands in them; the first that fits."""


class Ruling(msgspec.Struct, frozen=True):
    """code: the bank's, or one of ours for its gateway.  message_id: message_identification, "" when absent.

    created: creation_date_time.  text: the bank's sentence, without what could be an account or an id.  unread: why the
    body could not be read.
    """

    code: str = ""
    message_id: str = ""
    created: str = ""
    text: str = ""
    unread: str = ""

    @property
    def label(self) -> str:
        return self.code if self.code in KNOWN_CODES else "other"


def ruling_of(response: Response, body: bytes) -> Ruling:
    """body: the beginning of the answer as it came, compressed or not."""
    plain, unread = decoded(body[:LIMIT], response.first(b"content-encoding"))
    return Ruling(unread=unread) if unread else read_ruling(plain)


def read_ruling(body: bytes) -> Ruling:
    """body: the beginning of a 4xx or 5xx answer, not content-encoded.  Anything unreadable is an empty ruling."""
    body = body.removeprefix(b"\xef\xbb\xbf").lstrip()
    if body[:1] == b"<":
        match = _XML_MESSAGE.search(body)
        return _of_gateway(unescape(match[1].decode("latin-1"))) if match else Ruling()
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):     # ValueError: not UTF-8
        return Ruling()
    if not isinstance(answer, dict):
        return Ruling()
    if isinstance(answer.get("moreInformation"), str):
        return _of_gateway(answer["moreInformation"])
    code, text = _failure(answer)
    return Ruling(code, *_ids(answer), _plain(text))


def _of_gateway(text: str) -> Ruling:
    lowered = text.lower()
    code = next((code for code, words in _GATEWAY if any(word in lowered for word in words)), "gateway.other")
    return Ruling(code, text=_plain(text))


def _failure(answer: dict[str, Any]) -> tuple[str, object]:
    """The bank's code and its sentence, in its own envelope, the Berlin Group's, or OAuth's."""
    code: object = ""
    text: object = ""
    match answer:
        case {"error": {"failures": [{"code": code, **rest}, *_]}}:
            text = rest.get("description")
        case {"tppMessages": [{"code": code, **rest}, *_]}:
            text = rest.get("text")
        case {"error": str(code)}:
            text = answer.get("error_description")
        case {"code": str(code), "type": _}:      # RFC 9457, as the Berlin Group also allows
            text = answer.get("detail")
    if isinstance(code, str) and len(code) <= 64 and code.isprintable():
        return code, text
    return "", ""


def _ids(answer: dict[str, Any]) -> tuple[str, str]:
    """message_identification and creation_date_time; the older APIs spell them in camel case."""
    header = answer.get("group_header") or answer.get("groupHeader")
    if not isinstance(header, dict):
        return "", ""
    found = header.get("message_identification") or header.get("messageIdentification")
    created = header.get("creation_date_time") or header.get("creationDateTime")
    return (found if isinstance(found, str) and _MESSAGE_ID.fullmatch(found) else "",
            created if isinstance(created, str) and _CREATED.fullmatch(created) else "")


def _plain(text: object) -> str:
    if not isinstance(text, str) or not text.isprintable():
        return ""
    return _VALUES.sub("*", text[:_TEXT])

"""What a bank's refusal says: its own code and the ids its support asks for, read from the body without changing it."""

from __future__ import annotations

import re
from typing import Any

import msgspec

KNOWN_CODES = frozenset((
    "error.signature.invalid", "error.certificate.invalid", "error.security.invalid", "error.digest.invalid",
    "error.date.invalid", "error.token.missing", "error.token.invalid", "error.token.expired",
    "gateway.credentials", "gateway.rate_limit", "gateway.other"))
"""The codes that become metric labels; any other is "other", so that a bank cannot grow our memory."""

LIMIT = 16384
"""Bytes of a refusal that are looked at."""

_MESSAGE_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_XML_MESSAGE = re.compile(rb"<moreInformation>([^<]{0,200})</moreInformation>")


class Ruling(msgspec.Struct, frozen=True):
    """code: the bank's, or one of ours for its gateway.  message_id: message_identification, "" when absent."""

    code: str = ""
    message_id: str = ""

    @property
    def label(self) -> str:
        return self.code if self.code in KNOWN_CODES else "other"


def read_ruling(body: bytes) -> Ruling:
    """body: the beginning of a 4xx or 5xx answer, not content-encoded.  Anything unreadable is an empty ruling."""
    if body.lstrip()[:1] == b"<":
        match = _XML_MESSAGE.search(body)
        return Ruling(_gateway(match[1].decode("latin-1"))) if match else Ruling()
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):     # ValueError: not UTF-8
        return Ruling()
    if not isinstance(answer, dict):
        return Ruling()
    if isinstance(answer.get("moreInformation"), str):
        return Ruling(_gateway(answer["moreInformation"]))
    return Ruling(_failure_code(answer), _message_id(answer))


def _gateway(text: str) -> str:
    lowered = text.lower()
    if "client id" in lowered or "secret" in lowered:
        return "gateway.credentials"
    return "gateway.rate_limit" if "rate limit" in lowered else "gateway.other"


def _failure_code(answer: dict[str, Any]) -> str:
    match answer:
        case {"error": {"failures": [{"code": str(code)}, *_]}} if len(code) <= 64 and code.isprintable():
            return code
    return ""


def _message_id(answer: dict[str, Any]) -> str:
    match answer:
        case {"group_header": {"message_identification": str(found)}} if _MESSAGE_ID.fullmatch(found):
            return found
    return ""

"""An exchange that the inspector has saved (docs/inspector.md): it carries its diagnosis, or what one is made of."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Final

import msgspec

from proxy.cli.refusal.answers import Answered, answered
from proxy.cli.verification import Captured

FORMAT: Final = "signing-proxy-exchange/1"


def is_saved(document: object) -> bool:
    return isinstance(document, dict) and document.get("format") == FORMAT


class _Cause(msgspec.Struct):
    cause: str
    certainty: str
    side: str
    what: str
    todo: str
    evidence: list[str] = []


class _Diagnosis(msgspec.Struct):
    status: int
    causes: Annotated[list[_Cause], msgspec.Meta(min_length=1)]
    code: str = ""
    scope: str = ""


def diagnosis_of(document: dict[str, Any]) -> dict[str, Any] | None:
    """The diagnosis it carries; None when it has none, or one that no proxy has made."""
    try:
        msgspec.convert(document.get("diagnosis"), _Diagnosis)
    except msgspec.ValidationError:
        return None
    found: dict[str, Any] = document["diagnosis"]
    return found


def without_refusal(document: dict[str, Any]) -> str:
    """A sentence about a call that the bank has not refused."""
    words = {name: str(document.get(name) or "") for name in ("outcome", "code", "detail", "hint", "status")}
    if words["outcome"] == "answered":
        return f"The bank has not refused this call: it answered {words['status']}."
    if not words["code"]:
        return f"The bank has not refused this call: its outcome is {words['outcome'] or 'unknown'}."
    why = f"{words['code']}, {words['detail']}" if words["detail"] else words["code"]
    return f"The bank has not refused this call, the proxy has: {why}. {words['hint']}".rstrip()


def message_of(document: dict[str, Any]) -> Captured | None:
    """What was sent to the bank; None when nothing was."""
    fields = _pairs(document.get("sent_headers"))
    target, host = document.get("sent_target"), document.get("sent_host")
    if not fields or not isinstance(target, str) or not target:
        return None
    body, whole = _body(document.get("sent_body"))
    return Captured(_latin(document.get("method", "")), _latin(target), (("Host", _latin(host)), *fields), body, (),
                    "https", whole)


def answer_of(document: dict[str, Any]) -> Answered | None:
    status = document.get("status")
    if not isinstance(status, int) or document.get("refused_by") != "bank":
        return None
    body, _ = _body(document.get("answer_body"))
    return answered(status, _pairs(document.get("answer_headers")), body, decoded=True)


def _pairs(value: object) -> list[tuple[str, str]]:
    rows = value if isinstance(value, list) else []
    return [(_latin(row[0]), _latin(row[1])) for row in rows if isinstance(row, list) and len(row) >= 2]


def _latin(value: object) -> str:
    """As Captured holds text; the inspector writes no other characters, and who edits a file may."""
    return str(value).encode("latin-1", "replace").decode("latin-1")


def _body(value: object) -> tuple[bytes, bool]:
    """The bytes, and whether they are those that were sent, to the last one."""
    if not isinstance(value, dict) or not isinstance(value.get("text"), str):
        return b"", False
    whole = value.get("bytes") == value.get("kept") and not value.get("note") and not value.get("decoded_from")
    if value.get("encoding") == "base64":
        try:
            return base64.b64decode(value["text"], validate=True), whole
        except (binascii.Error, ValueError):
            return b"", False
    return value["text"].encode("utf-8", "surrogatepass"), whole

"""A curl command, an archive and a console say the same thing in three ways: URL, headers and a body."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from proxy.cli.verification.captured import REFITTED, Captured, Unreadable, refit

BLANK = "\ue000"
"""Stands where a shell would have put a variable's value, which a pasted command does not hold."""

_URL = re.compile(r"(?i:(?P<scheme>[a-z][a-z0-9+.\-]*)://)?(?P<authority>[^/?#]*)(?P<rest>[^#]*)(?:#.*)?", re.DOTALL)
_VARIABLE = re.compile(rf"{BLANK}|\{{\{{[^{{}}]{{1,100}}\}}\}}")
_COVERED = ("signature", "digest", "content-type", "x-nordea-originating-host", "x-nordea-originating-date")


@dataclass(frozen=True, slots=True)
class Pasted:
    """One request.  kind: of the text, as in FORMATS.  number: its place among the requests there, from 1."""

    message: Captured
    kind: str
    number: int = 1


@dataclass(frozen=True, slots=True)
class Url:
    """scheme: lower case.  authority: without user.  target: path and query, nothing decoded or encoded."""

    scheme: str
    authority: str
    target: str
    user: str = ""


def parse_url(text: str) -> Url:
    """Raises Unreadable."""
    match = _URL.fullmatch(text.strip())
    if match is None or not match["authority"]:
        raise Unreadable("it names no URL with a host")
    scheme = (match["scheme"] or "http").lower()
    if scheme not in ("http", "https"):
        raise Unreadable("its URL is neither http:// nor https://")
    user, _, authority = match["authority"].rpartition("@")
    rest = match["rest"]
    return Url(scheme, authority, rest if rest.startswith("/") else "/" + rest, user)


def capture(method: str, url: Url, fields: Iterable[tuple[str, str]], body: bytes | None,
            notes: Sequence[str] = ()) -> Captured:
    """fields: text of any kind; Captured holds Latin-1.  body: None when it is not known.  Raises Unreadable."""
    if re.fullmatch(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}", method) is None:
        raise Unreadable("its method is no HTTP method")
    given = [(bytewise(name), bytewise(value).strip(" \t")) for name, value in fields if not name.startswith(":")]
    if not any(name.lower() == "host" for name, _ in given):
        given.insert(0, ("Host", bytewise(url.authority)))
    message = Captured(method, bytewise(url.target), tuple(given), body or b"", tuple(notes), url.scheme,
                       body is not None)
    message = _fitted(message)
    refuse_blanks(message)
    return _plain(message)


def bytewise(text: str) -> str:
    """The text's UTF-8 bytes as Latin-1, one character per byte; the mark for blanks stays."""
    return "".join(part if part == BLANK else _utf8(part).decode("latin-1")
                   for part in re.split(f"({BLANK})", text)) if not text.isascii() else text


def _utf8(text: str) -> bytes:
    """JSON can hold halves of a surrogate pair, which stand for no byte."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _fitted(message: Captured) -> Captured:
    """With the line ends that were sent, where Content-Length tells them."""
    announced = message.one("content-length") or ""
    if not message.whole or not (announced.isascii() and announced.isdigit() and len(announced) < 12):
        return message
    length = int(announced)
    if not message.body and length:
        return replace(message, whole=False)
    body = refit(message.body, length)
    if body is None:
        note = f"the body has {len(message.body)} bytes here, and Content-Length says {length}"
        return replace(message, notes=(*message.notes, note))
    notes = message.notes if body == message.body else (*message.notes, REFITTED)
    return replace(message, body=body, notes=notes)


def refuse_blanks(message: Captured) -> None:
    """What a signature covers has to be there; elsewhere a variable does not matter."""
    for name in _COVERED:
        if any(_VARIABLE.search(value) for value in message.all(name)):
            raise Unreadable(f"the value of {name} is a variable, which only your program knows; paste the request as "
                             "it was sent, such as the output of curl -v or a HAR file")
    host = message.one("host") or ""
    if _VARIABLE.search(message.target) or _VARIABLE.search(host) or BLANK.encode() in message.body:
        raise Unreadable("its URL or body holds a variable, which only your program knows; paste the request as it was "
                         "sent, such as the output of curl -v or a HAR file")


def _plain(message: Captured) -> Captured:
    fields = tuple((name.replace(BLANK, "$"), value.replace(BLANK, "$")) for name, value in message.fields)
    return replace(message, fields=fields)

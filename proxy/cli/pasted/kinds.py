"""Which kind of text was pasted, and which of its requests the person means."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence

from proxy.cli.pasted import har, postman
from proxy.cli.pasted.curl import START, read_commands
from proxy.cli.pasted.message import REQUEST, VERBOSE, first_line, read_messages, refuse_binary
from proxy.cli.pasted.powershell import COMMAND, read_invocation
from proxy.cli.pasted.request import Pasted
from proxy.cli.verification.captured import Captured, Unreadable

LARGEST = {"curl": 1, "postman": 4, "http": 16, "har": 64}
"""MiB; an archive and a console also hold answers."""

BANKS = ("open.nordea.com", "api.nordeaopenbanking.com")

_FENCE = re.compile(rb"\A\s*```[^\n]*\n(.*?)\n?```\s*\Z", re.DOTALL)
_KINDS = {"curl": "a curl command", "http": "an HTTP message", "har": "a HAR file", "postman": "Postman's console"}
FORMATS = ("auto", *_KINDS)


def read(raw: bytes, kind: str = "auto") -> list[Pasted]:
    """The requests that are meant: the signed ones, else those to a bank, else all.  Raises Unreadable.

    kind: one of FORMATS.
    """
    raw = _plain(raw)
    if not raw.strip():
        raise Unreadable("the input is empty")
    refuse_binary(raw)
    if kind == "auto":
        kind = _guess(raw)
    if len(raw) > LARGEST[kind] << 20:
        raise Unreadable(f"{_KINDS[kind]} of more than {LARGEST[kind]} MiB is not read")
    try:
        messages = _READERS[kind](raw)
    except RecursionError:
        raise Unreadable("the input is nested too deeply") from None
    return _meant([Pasted(message, kind, number) for number, message in enumerate(messages, 1) if message is not None])


def _plain(raw: bytes) -> bytes:
    """Without a byte order mark, in UTF-8, and without the fence of a chat or a ticket around it."""
    for mark, codec in ((b"\xef\xbb\xbf", ""), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if raw.startswith(mark):
            raw = raw[len(mark):]
            raw = raw.decode(codec, "replace").encode() if codec else raw
            break
    fenced = _FENCE.match(raw) if raw[:16].lstrip().startswith(b"```") else None
    return fenced[1] if fenced else raw


def _guess(raw: bytes) -> str:
    start = raw.lstrip()[:1]
    if start in (b"{", b"["):
        return "har"
    head = raw[:65536].decode("utf-8", "surrogateescape")
    first = first_line(raw)
    if postman.HEADERS.search(head) and not re.match(rb"[A-Z]+ \S+ HTTP/", first):
        return "postman"
    if REQUEST.fullmatch(first) or VERBOSE.search(raw[:65536]):
        return "http"
    if START.search(head) or COMMAND.search(head):
        return "curl"
    if re.match(rb"[A-Za-z]+[ \t]+\S+[ \t]+HTTP/", first):
        return "http"
    *others, last = _KINDS.values()
    raise Unreadable(f"the input is neither {', '.join(others)} nor {last}")


def _archive(raw: bytes) -> Sequence[Captured | None]:
    try:
        document = json.loads(raw.decode("utf-8", "replace"))
    except ValueError:
        raise Unreadable("the input looks like JSON, and is not well-formed") from None
    if isinstance(document, dict) and "Request Headers" in document:
        return [postman.from_object(document)]
    requests = har.requests_of(document)
    if not requests:
        raise Unreadable("the JSON is no HAR file, no entry of one and no request")
    return _readable(requests)


def _readable(requests: list[object]) -> list[Captured | None]:
    """None for what is no HTTP request: an archive of a browser also holds blob: and data: URLs."""
    found: list[Captured | None] = []
    fault = Unreadable("the archive is empty")
    for request in requests:
        try:
            found.append(har.read_request(request))
        except Unreadable as error:
            fault = error
            found.append(None)
    if not any(found):
        raise fault
    return found


def _is_alias(line: str) -> bool:
    """In PowerShell, "curl" may be another name of Invoke-WebRequest."""
    curl = re.search(r"(?i)\bcurl\b", line)
    return curl is not None and re.compile(r"(?i) -(?:Uri|Headers)\b").search(line, curl.end()) is not None


def _commands(raw: bytes) -> list[Captured]:
    text = raw.decode("utf-8", "surrogateescape")
    invoked = COMMAND.search(text) is not None or any(map(_is_alias, text.splitlines()))
    return read_invocation(text) if invoked else read_commands(text)


_READERS: dict[str, Callable[[bytes], Sequence[Captured | None]]] = {
    "curl": _commands,
    "http": read_messages,
    "har": _archive,
    "postman": lambda raw: _console(raw),
}


def _console(raw: bytes) -> list[Captured]:
    if re.match(rb"[A-Z]+ \S+ HTTP/", first_line(raw)):
        return read_messages(raw)       # its raw log
    return postman.read_console(raw.decode("utf-8", "surrogateescape"))


def _meant(found: list[Pasted]) -> list[Pasted]:
    signed = [one for one in found if _is_signed(one.message)]
    return signed or [one for one in found if _is_for_a_bank(one.message)] or found


def _is_signed(message: Captured) -> bool:
    return bool(message.all("signature")) or any(value.lower().startswith("signature ")
                                                 for value in message.all("authorization"))


def _is_for_a_bank(message: Captured) -> bool:
    host = (message.one("host") or "").partition(":")[0].lower()
    return host in BANKS or any(name.lower().startswith(("x-nordea-", "x-ibm-")) for name, _ in message.fields)

"""What curl would send for a command, without running it (curl's manual; compared with the real one by a test)."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote

from proxy.cli.pasted.curl_options import REFUSED, SHORT, SWITCHES, VALUED
from proxy.cli.pasted.files import read_named
from proxy.cli.pasted.posix import words
from proxy.cli.pasted.request import capture, parse_url
from proxy.cli.pasted.windows import cmd_words, powershell_words, unescaped
from proxy.cli.verification.captured import Captured, Unreadable

START = re.compile(r"""
    ^[ \t]*(?:[^\n'"]{0,80}[$#%>+][ \t]+|[A-Za-z]:\\[^\n>"]{0,200}>[ \t]*)?    # a prompt, or the + of set -x
    (?:[A-Za-z_]\w{0,60}=\S{0,60}[ \t]+|(?:sudo|time|exec|env)[ \t]+)*
    (?:[&][ \t]+)?["']?(?:[^\s'"]{0,200}[/\\])?curl(?P<exe>\.exe)?["']?(?=[ \t\\^`])
    """, re.MULTILINE | re.VERBOSE)
_TYPOGRAPHIC = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "„": '"', "\u00a0": " "})
_FORM = "application/x-www-form-urlencoded"


@dataclass
class _Call:
    """What the options have said so far."""

    urls: list[str] = field(default_factory=list)
    method: str | None = None
    fields: list[tuple[str, str | None]] = field(default_factory=list)
    data: list[bytes] = field(default_factory=list)
    query: list[str] = field(default_factory=list)
    kind: str | None = None
    accept: str | None = None
    target: str | None = None
    user: str = ""
    get: bool = False
    head: bool = False
    as_is: bool = False
    upload: bool = False


def read_commands(text: str) -> list[Captured]:
    """The requests of every curl command in the text.  Raises Unreadable."""
    notes = []
    if text.translate(_TYPOGRAPHIC) != text and re.search(r"[-\w] ?[‘’“”„]|[‘’“”„][\s\\]|\u00a0", text):
        text = text.translate(_TYPOGRAPHIC)
        notes.append("typographic quotes or spaces are read as plain ones; no shell would do that")
    split = _splitter(text)
    found: list[Captured] = []
    position = 0
    while (start := START.search(text, position)) is not None:
        arguments, position = split(text, start.end())
        position = max(position, start.end())
        found += _requests(arguments, notes)
    if not found:
        raise Unreadable("it holds no curl command")
    return found


def _splitter(text: str) -> Callable[[str, int], tuple[list[str], int]]:
    """Whose quoting rules the command follows."""
    if re.search(r'\^\r?\n|\^"', text):
        return cmd_words
    if re.search(r"`\r?\n", text) or re.search(r"(?m)^PS [^\n>]*>", text):
        return lambda source, start: _native(powershell_words(source, start))
    return words


def _native(split: tuple[list[str], int]) -> tuple[list[str], int]:
    return [unescaped(word) for word in split[0]], split[1]


def _requests(arguments: list[str], notes: list[str]) -> list[Captured]:
    found, call = [], _Call()
    for name, value in _options(arguments):
        if name == "next":
            found.append(_request(call, notes))
            call = _Call()
        else:
            _take(call, name, value)
    return [*found, _request(call, notes)]


def _options(arguments: list[str]) -> list[tuple[str, str]]:
    """(long name or "url", value) in the order given.  Raises Unreadable."""
    found: list[tuple[str, str]] = []
    rest = list(reversed(arguments))
    only_urls = False
    while rest:
        word = rest.pop()
        if only_urls or not word.startswith("-") or word == "-":
            found.append(("url", word))
        elif word == "--":
            only_urls = True
        elif word.startswith("--"):
            name = word[2:]
            found.append((name, _value(rest) if name in VALUED else ""))
        else:
            found += _shorts(word[1:], rest)
    return found


def _shorts(letters: str, rest: list[str]) -> list[tuple[str, str]]:
    found = []
    while letters:
        letter, letters = letters[0], letters[1:]
        if letter in SWITCHES:
            found.append((SHORT.get(letter, letter), ""))
            continue
        if letter not in SHORT:
            raise Unreadable("it has an option that curl does not know; check the dashes")
        found.append((SHORT[letter], letters or _value(rest)))
        letters = ""
    return found


def _value(rest: list[str]) -> str:
    if not rest:
        raise Unreadable("its last option lacks its value, so it is not pasted completely")
    return rest.pop()


def _take(call: _Call, name: str, value: str) -> None:
    if name in REFUSED:
        raise Unreadable(REFUSED[name])
    if name in ("data", "data-ascii", "data-raw", "data-binary", "data-urlencode", "json"):
        _take_data(call, name, value)
    elif name == "header":
        lines = read_named(value[1:]).decode("utf-8", "surrogateescape") if value.startswith("@") else value
        call.fields += [_field(line) for line in (lines.splitlines() if value.startswith("@") else [value]) if line]
    elif name == "request":
        call.method = value
    elif name == "url":
        call.urls.append(value)
    elif name == "url-query":
        call.query.append(value[1:] if value.startswith("+") else _urlencoded(value).decode())
    elif name == "upload-file":
        call.upload = True
        call.data.append(read_named(value))
    elif name in _NAMED_HEADERS:
        call.fields.append((_NAMED_HEADERS[name][0], _NAMED_HEADERS[name][1] + value))
    else:
        _take_switch(call, name, value)


_NAMED_HEADERS = {"user-agent": ("User-Agent", ""), "referer": ("Referer", ""), "cookie": ("Cookie", ""),
                  "oauth2-bearer": ("Authorization", "Bearer ")}


def _take_switch(call: _Call, name: str, value: str) -> None:
    match name:
        case "get":
            call.get = True
        case "head":
            call.head = True
        case "path-as-is":
            call.as_is = True
        case "user":
            call.user = value
        case "request-target":
            call.target = value


def _field(line: str) -> tuple[str, str | None]:
    """None: curl leaves the header out.  "Name;" sends it empty."""
    name, colon, value = line.partition(":")
    if colon:
        return name.strip(), value.strip(" \t") or None
    if line.rstrip().endswith(";"):
        return line.rstrip()[:-1], ""
    return line.strip(), None


def _take_data(call: _Call, name: str, value: str) -> None:
    if name == "json":
        call.kind, call.accept = "application/json", "application/json"
    elif call.kind is None:
        call.kind = _FORM
    data = _data(name, value)
    if call.data and name == "json":
        call.data[-1] += data
    else:
        call.data.append(data)


def _data(name: str, value: str) -> bytes:
    if name == "data-urlencode":
        return _urlencoded(value)
    if not value.startswith("@") or name == "data-raw":
        return value.encode("utf-8", "surrogateescape")
    data = read_named(value[1:])
    # Line ends and NUL go away only with --data @file.
    return re.sub(rb"[\r\n\0]", b"", data) if name in ("data", "data-ascii") else data


def _urlencoded(value: str) -> bytes:
    """content, =content, name=content, @file or name@file; curl leaves alone what RFC 3986 calls unreserved."""
    match = re.match(r"([^=@]*)([=@]?)", value)
    assert match is not None
    name, sign = match[1], match[2]
    if not sign:
        name, content = "", value.encode("utf-8", "surrogateescape")
    else:
        rest = value[match.end():]
        content = read_named(rest) if sign == "@" else rest.encode("utf-8", "surrogateescape")
    encoded = quote(content, safe="").replace("%20", "+").encode()
    return name.encode("utf-8", "surrogateescape") + b"=" + encoded if name else encoded


def _request(call: _Call, notes: list[str]) -> Captured:
    if not call.urls:
        raise Unreadable("it names no URL")
    url = parse_url(next((url for url in call.urls if "://" in url), call.urls[0]))
    target = url.target if call.as_is else _without_dots(url.target)
    body = b"&".join(call.data)
    extra = [*call.query, *([body.decode("utf-8", "surrogateescape")] if call.get and call.data else [])]
    if extra:
        target += ("&" if "?" in target else "?") + "&".join(extra)
    sends = bool(call.data) and not call.get
    method = call.method or ("HEAD" if call.head else "PUT" if call.upload else "POST" if sends else "GET")
    fields = [(name, value) for name, value in call.fields if value is not None]
    named = {name.lower() for name, _ in call.fields}
    if sends and call.kind is not None and "content-type" not in named:
        fields.append(("Content-Type", call.kind))
    user = call.user or url.user
    if user and "authorization" not in named:
        fields.append(("Authorization", "Basic " + base64.b64encode(user.encode("utf-8", "replace")).decode()))
    if len(call.urls) > 1:
        notes = [*notes, "of several URLs the first one is judged"]
    elsewhere = type(url)(url.scheme, url.authority, call.target or target)
    return capture(method, elsewhere, fields, body if sends else b"", notes)


def _without_dots(target: str) -> str:
    """curl takes '.' and '..' segments out of the path unless --path-as-is is given."""
    path, mark, query = target.partition("?")
    if "/." not in path:
        return target
    kept: list[str] = []
    segments = path.split("/")[1:]
    for index, segment in enumerate(segments):
        last = index == len(segments) - 1
        if segment == ".." and kept:
            kept.pop()
        if segment in (".", ".."):
            kept += [""] if last else []
        else:
            kept.append(segment)
    return "/" + "/".join(kept) + mark + query

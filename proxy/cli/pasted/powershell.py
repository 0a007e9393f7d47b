"""Invoke-WebRequest and Invoke-RestMethod, as browsers copy them and Postman generates them."""

from __future__ import annotations

import re

from proxy.cli.pasted.request import BLANK, capture, parse_url
from proxy.cli.pasted.windows import here_string, powershell_meaning
from proxy.cli.verification.captured import Captured, Unreadable

COMMAND = re.compile(r"(?im)^[^\n'\"#]{0,200}?\b(?:Invoke-WebRequest|Invoke-RestMethod|iwr|irm)\b(?=[ \t`])")

_STRING = r"""'[^']*(?:''[^']*)*'|"[^"`]*(?:(?:`.|"")[^"`]*)*\""""
_TOKEN = re.compile(rf"""
    (?P<space>(?:[ \t]|`\r?\n)+)
  | (?P<end>\r?\n|[;|)])
  | (?P<table>@\{{)
  | (?P<string>{_STRING})
  | (?P<option>-[A-Za-z]+:?)
  | (?P<variable>\$[A-Za-z_]\w*)
  | (?P<bare>[^\s'"`;|$@(){{}}]+)
  | (?P<other>.)
""", re.DOTALL | re.VERBOSE)
_PAIR = re.compile(rf"""[\s;]*(?P<name>{_STRING}|[\w\-]+)[ \t]*=[ \t]*(?P<value>{_STRING}|[^\s;}}'"]+)""", re.DOTALL)
_ASSIGNED = re.compile(rf"""(?m)^[ \t]*\$(?P<name>[A-Za-z_]\w*)[ \t]*=[ \t]*(?:(?P<table>@\{{)|(?P<string>{_STRING})
    |(?P<here>@['"]\r?\n))""", re.VERBOSE | re.DOTALL)
_ADDED = re.compile(rf"""(?m)^[ \t]*\$(?P<name>[A-Za-z_]\w*)(?:\.Add\([ \t]*(?P<key>{_STRING})[ \t]*,[ \t]*
    (?P<value>{_STRING})[ \t]*\)|\[(?P<key2>{_STRING})\][ \t]*=[ \t]*(?P<value2>{_STRING}))""", re.VERBOSE | re.DOTALL)

Table = dict[str, str]


def read_invocation(text: str) -> list[Captured]:
    """Raises Unreadable."""
    variables = _variables(text)
    start = COMMAND.search(text)
    if start is None:
        raise Unreadable("it holds no Invoke-WebRequest")
    return [_request(_parameters(text, start.end(), variables))]


def _variables(text: str) -> dict[str, str | Table]:
    """What the lines before have put into variables; names in lower case."""
    found: dict[str, str | Table] = {}
    for match in _ASSIGNED.finditer(text):
        name = match["name"].lower()
        if match["table"]:
            found[name] = _table(text, match.end())[0]
        elif match["here"]:
            here = here_string(text, match.start("here"))
            found[name] = here[0] if here else ""
        else:
            found[name] = _text(match["string"])
    for match in _ADDED.finditer(text):
        table = found.setdefault(match["name"].lower(), {})
        if isinstance(table, dict):
            table[_text(match["key"] or match["key2"])] = _text(match["value"] or match["value2"])
    return found


def _text(string: str) -> str:
    return powershell_meaning("single" if string[0] == "'" else "double", string[1:-1])


def _table(text: str, start: int) -> tuple[Table, int]:
    """The pairs of @{…}, from behind the brace, and where it ends."""
    pairs: Table = {}
    position = start
    while (match := _PAIR.match(text, position)) is not None:
        name, value = match["name"], match["value"]
        plain = value if not value.startswith("$") else BLANK
        pairs[_text(name) if name[0] in "'\"" else name] = _text(value) if value[0] in "'\"" else plain
        position = match.end()
    end = text.find("}", position)
    if end < 0 or text[position:end].strip(" \t\r\n;"):
        raise Unreadable("its table of headers cannot be taken apart")
    return pairs, end + 1


def _parameters(text: str, start: int, variables: dict[str, str | Table]) -> dict[str, str | Table]:
    found: dict[str, str | Table] = {}
    option, position = "uri", start
    while position < len(text):
        here = here_string(text, position)
        token = None if here else _TOKEN.match(text, position)
        if here is not None:
            found.setdefault(option, here[0])
            position = here[1]
            continue
        if token is None or token.lastgroup == "end":
            break
        position = token.end()
        kind, word = token.lastgroup or "", token[0]
        if kind == "option":
            option = word[1:].rstrip(":").lower()
        elif kind == "table":
            found[option], position = _table(text, position)
        elif kind == "variable":
            found.setdefault(option, variables.get(word[1:].lower(), BLANK))
        elif kind in ("string", "bare"):
            found.setdefault(option, _text(word) if kind == "string" else word)
    return found


def _request(found: dict[str, str | Table]) -> Captured:
    url, headers, body = found.get("uri", ""), found.get("headers", {}), found.get("body", "")
    if not isinstance(url, str) or BLANK in url:
        raise Unreadable("its URL is a variable; paste the value instead")
    if not isinstance(headers, dict) or not isinstance(body, str):
        raise Unreadable("its headers or its body are in variables that are not pasted with it; paste those lines too")
    fields = list(headers.items())
    kind = found.get("contenttype")
    if isinstance(kind, str):
        fields = [*(pair for pair in fields if pair[0].lower() != "content-type"), ("Content-Type", kind)]
    method = found.get("method", "GET")
    if body and not any(name.lower() == "content-type" for name, _ in fields):
        fields.append(("Content-Type", "application/x-www-form-urlencoded"))
    return capture(str(method).upper(), parse_url(url), fields, body.encode("utf-8", "surrogateescape"))

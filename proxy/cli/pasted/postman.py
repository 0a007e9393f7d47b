"""Postman's console: the copy button gives a kind of JSON, selecting gives the lines as they stand on the screen."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from proxy.cli.pasted.request import capture, parse_url
from proxy.cli.verification.captured import Captured, Unreadable

_MARKS = r"[ \t▶▼▸▾►◀⯆⯈>\-]*"
HEADERS = re.compile(rf'(?im)^{_MARKS}"?Request Headers"?[ \t]*:?')
_METHOD = "(?i:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)"
_COPY = re.compile(rf"(?m)^[ \t▶▼▸▾►]*({_METHOD})[ \t]+(https?://[^\s\"]+?):[ \t]*(?=[{{])")
_LINE = re.compile(rf"(?m)^[ \t▶▼▸▾►]*(?P<method>{_METHOD})[ \t]+(?P<url>https?://[^\s\"]+)")
_SECTION = re.compile(rf"(?is){_MARKS}(Network|Request Headers|Request Body|Response Headers|Response Body|Response)"
                      r"[ \t]*:?[ \t]*(.*)")
_PAIR = re.compile(r"[ \t]*\"?([!#$%&'*+\-.^_`|~0-9A-Za-z]+)\"?[ \t]*:[ \t]*(.*)", re.DOTALL)


def read_console(text: str) -> list[Captured]:
    """Raises Unreadable."""
    found = list(_copies(text)) if _COPY.search(text) else list(_lines(text))
    if not found:
        raise Unreadable("it holds no request of Postman's console; copy the whole entry, opened")
    return found


def from_object(document: dict[str, object]) -> Captured:
    """The braces of a copied entry by themselves, which do not say where the request went."""
    headers = document.get("Request Headers")
    host = next((value for name, value in headers.items() if str(name).lower() == "host"), "") \
        if isinstance(headers, dict) else ""
    raise Unreadable("the first line of the entry, with method and URL, is missing" + ("" if host else "; copy it all"))


def _copies(text: str) -> Iterator[Captured]:
    decoder = json.JSONDecoder()
    for start in _COPY.finditer(text):
        try:
            document, _ = decoder.raw_decode(text, start.end())
        except (ValueError, RecursionError):
            raise Unreadable("an entry of the console is not pasted completely") from None
        if not isinstance(document, dict):
            continue
        headers = document.get("Request Headers")
        fields = [(str(name), str(value)) for name, values in (headers if isinstance(headers, dict) else {}).items()
                  for value in (values if isinstance(values, list) else [values])]
        yield capture(start[1], parse_url(start[2]), fields, _body(document.get("Request Body"), fields))


def _body(body: object, fields: list[tuple[str, str]]) -> bytes | None:
    if body is None or body == "":
        return None if any(name.lower() == "content-length" and value != "0" for name, value in fields) else b""
    if isinstance(body, str):
        return body.encode("utf-8", "surrogatepass")
    return None     # shown as an object: the bytes that were sent are not in it


def _lines(text: str) -> Iterator[Captured]:
    starts = list(_LINE.finditer(text))
    for index, start in enumerate(starts):
        end = starts[index + 1].start() if index + 1 < len(starts) else len(text)
        sections = _sections(text[start.end():end])
        if "request headers" not in sections:
            continue
        fields = _pairs(sections["request headers"])
        yield capture(start["method"], parse_url(start["url"].rstrip(":")), fields,
                      _shown_body(sections.get("request body"), fields))


def _sections(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        title = _SECTION.fullmatch(line)
        if title is not None and title[1].lower() not in found:
            name = title[1].lower()
            found[name] = [title[2]] if title[2] else []
        elif name:
            found[name].append(line)
    return found


def _pairs(lines: list[str]) -> list[tuple[str, str]]:
    """Older consoles show all values as JavaScript would, in quotes; newer ones none."""
    pairs = [(match[1], match[2].rstrip()) for line in lines if (match := _PAIR.fullmatch(line)) is not None]
    if all(_text(value.removesuffix(",")) is not None for _, value in pairs):
        return [(name, _text(value.removesuffix(",")) or "") for name, value in pairs]
    return pairs


def _text(value: str) -> str | None:
    """What a text in quotes says, or None when it is none."""
    if len(value) < 2 or not value[0] == value[-1] == '"':
        return None
    try:
        inner = json.loads(value)
    except ValueError:
        return None
    return inner if isinstance(inner, str) else None


def _shown_body(lines: list[str] | None, fields: list[tuple[str, str]]) -> bytes | None:
    text = "\n".join(lines or []).strip("\n")
    inner = _text(text)
    return _body(text if inner is None else inner, fields)

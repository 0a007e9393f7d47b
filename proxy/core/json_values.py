"""Replaces values in JSON text by the names they have, leaving every other byte as it was.

Not a parser: text that was cut, or is no JSON at all, is read as far as it goes and never refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Protocol

_LEXEME = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[{}\[\]:,]|[^\s{}\[\]:,"]+', re.DOTALL)
_ERRORS = frozenset(("error", "errors", "failures", "tppmessages", "messages", "warnings", "details"))
_DEEPEST = 200


class Judge(Protocol):
    def __call__(self, name: str, *, in_errors: bool) -> bool: ...


class _Level:
    """One object or list.  masked: everything in it is.  key: of the value that comes next."""

    __slots__ = ("in_errors", "is_object", "key", "masked")

    def __init__(self, *, is_object: bool, masked: bool, in_errors: bool) -> None:
        self.is_object = is_object
        self.masked = masked
        self.in_errors = in_errors
        self.key: str | None = None


def replaced_values(text: bytes, judge: Judge, replacement: Callable[[bytes], bytes], *, whole: bool = True) -> bytes:
    """judge: whether the value with this name is replaced; whole: and with it all values inside it, where it is an
    object or a list.  Without whole a name is that of strings and numbers, also of those in a list.

    replacement: gets a string without its quotes, or a number or word, and gives JSON.
    """
    out: list[bytes] = []
    copied = 0
    levels = [_Level(is_object=False, masked=False, in_errors=False)]
    for match in _LEXEME.finditer(text):
        lexeme, level = match[0], levels[-1]
        first = lexeme[:1]
        if first in (b"{", b"["):
            if len(levels) > _DEEPEST:
                out.append(text[copied:match.start()])
                return b"".join([*out, replacement(text[match.start():])])
            levels.append(_opened(level, judge, is_object=first == b"{", whole=whole))
        elif first in (b"}", b"]"):
            if len(levels) > 1:
                levels.pop()
            levels[-1].key = None
        elif first == b",":
            level.key = None
        elif first != b":":
            if level.is_object and level.key is None and first == b'"':
                level.key = _unescaped(lexeme)
            elif _hidden(level, judge) and lexeme not in (b"null", b"true", b"false", b'""'):
                out += (text[copied:match.start()], replacement(lexeme.strip(b'"')))
                copied = match.end()
    return b"".join([*out, text[copied:]]) if out else text


def _opened(outer: _Level, judge: Judge, *, is_object: bool, whole: bool) -> _Level:
    name = outer.key or ""
    return _Level(is_object=is_object, masked=_hidden(outer, judge) if whole or not is_object else False,
                  in_errors=outer.in_errors or name.lower() in _ERRORS)


def _hidden(level: _Level, judge: Judge) -> bool:
    return level.masked or (level.key is not None and judge(level.key, in_errors=level.in_errors))


def _unescaped(lexeme: bytes) -> str:
    text = lexeme.strip(b'"').decode("utf-8", "replace")
    if "\\" not in text:
        return text
    try:
        return str(json.loads(f'"{text}"'))
    except ValueError:
        return text

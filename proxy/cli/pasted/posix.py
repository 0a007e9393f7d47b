"""The words of a command as sh, bash and zsh see them; nothing is executed, so variables stay unknown."""

from __future__ import annotations

import re

from proxy.cli.pasted.request import BLANK
from proxy.cli.verification.captured import Unreadable

# Of a command in $(…) or backticks only the beginning is looked for: what stands there is unknown either way, and a
# search for each one's end would take hostile text the square of its length.
_TOKEN = re.compile(r"""
    (?P<joined>\\\r?\n(?:>[ \t])?)
  | (?P<space>(?:[ \t]|\\[ \t]+\r?\n)+)        # white space behind the backslash comes from copying
  | (?P<end>\r?\n|;|&&|\|\|?|&(?=\s|$)|[<>])
  | (?P<background>&)
  | '(?P<single>[^']*)'
  | \$'(?P<ansi>[^'\\]*(?:\\.[^'\\]*)*)'
  | \$?"(?P<double>[^"\\]*(?:\\.[^"\\]*)*)"
  | (?P<variable>\$(?:[A-Za-z_]\w*|[({0-9@*?!$#])|`)
  | \\(?P<escaped>.)
  | (?P<comment>(?<![^\s])\#[^\n]*)
  | (?P<plain>[^\s'"\\$;&|<>`]+|\$)
  | (?P<open>['"])
""", re.DOTALL | re.VERBOSE)
_IN_DOUBLE = re.compile(r'\\\r?\n|\\(?P<escaped>[$`"\\])|(?P<variable>\$(?:[A-Za-z_]\w*|[({0-9@*?!$#])|`)')
_ANSI = re.compile(r"\\(?:x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|([0-7]{1,3})|c(.)|(.))",
                   re.DOTALL)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "v": "\v"}


def words(text: str, start: int) -> tuple[list[str], int]:
    """The words from start to the end of the command, and where that is.  Raises Unreadable."""
    found: list[str] = []
    word: list[str] | None = None
    position = start
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            position += 1       # a lone backslash at the very end, or an odd control character
            continue
        kind = token.lastgroup or ""
        if kind == "end":
            break
        position = token.end()
        if kind == "joined":
            continue
        if kind in ("space", "comment"):
            if word is not None:
                found.append("".join(word))
            word = None
        else:
            word = word if word is not None else []
            word.append(_meaning(kind, token))
    if word is not None:
        found.append("".join(word))
    return found, position


def _meaning(kind: str, token: re.Match[str]) -> str:
    text = token[kind]
    match kind:
        case "ansi":
            return _ANSI.sub(_ansi, text)
        case "double":
            return _IN_DOUBLE.sub(lambda part: BLANK if part["variable"] else part["escaped"] or "", text)
        case "variable":
            return BLANK
        case "background":
            raise Unreadable("an '&' stands outside of quotes, where the shell ends the command; put the URL in quotes")
        case "open":
            raise Unreadable("a quotation mark in it is never closed, so it is not pasted completely")
    return text


def _ansi(part: re.Match[str]) -> str:
    raw, short, long, octal, control, letter = part.groups()
    if raw or octal:
        return bytes([(int(raw, 16) if raw else int(octal, 8)) & 0xFF]).decode("utf-8", "surrogateescape")
    if short or long:
        number = int(short or long, 16)
        return chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else "\ufffd"
    if control:
        return chr(ord(control) & 0x1F)
    return _LETTERS.get(letter, letter if letter in "\\'\"?" else "\\" + letter)

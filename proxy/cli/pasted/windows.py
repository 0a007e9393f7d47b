"""The words of a command as cmd.exe and PowerShell see them, with the C library's rules where the program gets them."""

from __future__ import annotations

import re

from proxy.cli.pasted.request import BLANK
from proxy.cli.verification.captured import Unreadable

_CMD = re.compile(r"""
    (?P<quoted>"[^"\r\n]*(?:"|(?=\r?\n)|$))
  | \^(?P<joined>\r?\n)(?P<next>\r?\n|.?)
  | \^(?P<escaped>.)
  | (?P<end>\r?\n|[&|<>])
  | (?P<plain>[^"^\r\n&|<>]+)
""", re.DOTALL | re.VERBOSE)
_ARGUMENT = re.compile(r'(?P<slashes>\\*)"|(?P<space>[ \t]+)|(?P<plain>[^"\\ \t]+|\\+(?!["\\]))')

_POWERSHELL = re.compile(r"""
    (?P<space>(?:[ \t]|`\r?\n(?:[ \t]*>>[ \t])?)+)
  | (?P<end>\r?\n|[;|])
  | '(?P<single>[^']*(?:''[^']*)*)'
  | "(?P<double>[^"`]*(?:(?:`.|"")[^"`]*)*)"
  | (?P<variable>\$(?:[({]|[A-Za-z_][\w:]*))
  | `(?P<escaped>.)
  | (?P<plain>[^\s'"`;|$@]+|[@$])
  | (?P<open>['"])
""", re.DOTALL | re.VERBOSE)
_HERE = re.compile(r"@(['\"])\r?\n")
_IN_DOUBLE = re.compile(r'`(?P<escaped>.)|(?P<quote>"")|\$\(\[char\](?P<char>0x[0-9A-Fa-f]{1,8}|[0-9]{1,8})\)'
                        r"|(?P<variable>\$(?:[({]|[A-Za-z_][\w:]*))", re.DOTALL)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def cmd_words(text: str, start: int) -> tuple[list[str], int]:
    """The words from start to the end of the command, and where that is.  Raises Unreadable."""
    line: list[str] = []
    position = start
    while position < len(text):
        token = _CMD.match(text, position)
        if token is None or token.lastgroup == "end":
            break
        position = token.end()
        # A caret at the end of a line joins the next one, whose first character then means itself.
        line.append(token["next"] if token["joined"] else token[token.lastgroup or 0])
    return _arguments("".join(line)), position


def _arguments(line: str) -> list[str]:
    """How the Microsoft C library takes a command line apart."""
    found: list[str] = []
    word: list[str] | None = None
    quoted, position = False, 0
    while position < len(line):
        token = _ARGUMENT.match(line, position)
        if token is None:
            raise Unreadable("its quotation marks and backslashes cannot be taken apart")
        position = token.end()
        if token["slashes"] is not None:
            word = word if word is not None else []
            word.append("\\" * (len(token["slashes"]) // 2))
            if len(token["slashes"]) % 2:
                word.append('"')
            elif quoted and line.startswith('"', position):
                word.append('"')
                position += 1
            else:
                quoted = not quoted
        elif token["space"] is not None and not quoted:
            if word is not None:
                found.append("".join(word))
            word = None
        else:
            word = word if word is not None else []
            word.append(token[0])
    if quoted:
        raise Unreadable("a quotation mark in it is never closed, so it is not pasted completely")
    return found if word is None else [*found, "".join(word)]


def powershell_words(text: str, start: int) -> tuple[list[str], int]:
    """The words from start to the end of the command, and where that is.  Raises Unreadable."""
    found: list[str] = []
    word: list[str] | None = None
    position = start
    while position < len(text):
        here = here_string(text, position)
        if here is not None:
            word = [*(word or ()), here[0]]
            position = here[1]
            continue
        token = _POWERSHELL.match(text, position)
        if token is None:
            position += 1
            continue
        kind = token.lastgroup or ""
        if kind == "end":
            break
        position = token.end()
        if kind == "space":
            if word is not None:
                found.append("".join(word))
            word = None
        else:
            word = word if word is not None else []
            word.append(powershell_meaning(kind, token[kind]))
    return (found if word is None else [*found, "".join(word)]), position


def here_string(text: str, start: int) -> tuple[str, int] | None:
    """The text of a here-string that starts here, and where it ends; None when there is none."""
    opening = _HERE.match(text, start)
    if opening is None:
        return None
    end = text.find(f"\n{opening[1]}@", opening.end() - 1)
    if end < 0:
        raise Unreadable("a text between @' and '@ in it is never closed, so it is not pasted completely")
    inner = text[opening.end():end].removesuffix("\r")
    return (inner if opening[1] == "'" else powershell_meaning("double", inner.replace('""', '""""'))), end + 3


def powershell_meaning(kind: str, text: str) -> str:
    """What a string or a piece of a word stands for.  Raises Unreadable."""
    match kind:
        case "single":
            return text.replace("''", "'")
        case "double":
            return _IN_DOUBLE.sub(_expanded, text)
        case "variable":
            return BLANK
        case "escaped":
            return _LETTERS.get(text, text)
        case "open":
            raise Unreadable("a quotation mark in it is never closed, so it is not pasted completely")
    return text


def _expanded(part: re.Match[str]) -> str:
    if part["variable"]:
        return BLANK
    if part["quote"]:
        return '"'
    if part["char"]:
        number = int(part["char"], 16 if part["char"].startswith("0x") else 10)
        return chr(number) if number < 0xD800 else "\ufffd"
    return _LETTERS.get(part["escaped"], part["escaped"])


def unescaped(word: str) -> str:
    """An argument for a program: Windows PowerShell passes quotes on as they are, and the C library reads them."""
    return re.sub(r'(?<!\\)(\\+)"', lambda part: "\\" * (len(part[1]) // 2) + '"', word) if '\\"' in word else word

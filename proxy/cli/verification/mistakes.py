"""Programs that sign wrongly do so in a few well-known ways, so these make the strings they sign.

A mistake turns the right string into a wrong one.  Those of layout do not depend on the message, those of content
(contents.py) do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import permutations
from typing import Any, Literal

from proxy.cli.verification.strings import TARGET, Line, SigningString

Edit = Callable[[SigningString], SigningString]
Kind = Literal["core", "layout", "content", "rare"]


@dataclass(frozen=True, slots=True)
class Mistake:
    """cause: a key of CAUSES.  detail: a clause that tells this one from others of the same cause.

    kind: "core" ones are combined by three, "layout" and "content" by two; "rare" ones with a core one only.
    """

    cause: str
    detail: str
    edit: Edit
    kind: Kind = "content"


def changed(**parts: Any) -> Edit:
    """The edit that sets these attributes."""
    return lambda string: string._replace(**parts)


def changed_value(cause: str, detail: str, key: str, value: str, kind: Kind = "content") -> Mistake:
    """Another value on the line of that name."""
    return Mistake(cause, detail, lambda string: string.with_value(key, value), kind)


def layout() -> Iterator[Mistake]:
    """What goes wrong whatever is signed."""
    yield from _core()
    yield from _spaces()
    yield from _joins()
    yield from _whole()


def _core() -> Iterator[Mistake]:
    def core(cause: str, edit: Edit, detail: str = "") -> Mistake:
        return Mistake(cause, detail, edit, "core")

    yield core("upper_case_method", lambda s: s._replace(method=s.method.upper()))
    yield core("upper_case_method", lambda s: s._replace(method=s.method.title()), "only its first letter")
    yield core("no_leading_slash", lambda s: s._replace(target=s.target.lstrip("/")))
    yield core("no_method", changed(method="", between=""))
    yield core("no_colon", _gap(" ", first=True))
    yield core("no_space", _gap(":"))
    yield core("no_space", _gap(":", first=True), "in the first line")
    yield core("no_space", _gap(":", first=False), "in all lines but the first")
    yield core("crlf", changed(join="\r\n"))
    yield core("trailing_newline", changed(tail="\n"))
    yield core("trailing_newline", changed(tail="\r\n"), "CR LF")
    yield core("trailing_newline", changed(tail="\n\n"), "two of them")


def _gap(gap: str, first: bool | None = None) -> Edit:
    """first: in that line only, or in all but that."""
    def edit(string: SigningString) -> SigningString:
        return string._replace(lines=tuple(
            line._replace(gap=gap) if first is None or (line.key == TARGET) == first else line
            for line in string.lines))

    return edit


def _spaces() -> Iterator[Mistake]:
    for what, gap in (("a space before each colon", " : "), ("a space before each colon and none behind", " :"),
                      ("two spaces behind each colon", ":  "), ("a tab behind each colon", ":\t"),
                      ("'=' instead of each colon", "="), ("no colons", " ")):
        yield Mistake("signed_spaces", what, _gap(gap), "layout")
    yield Mistake("signed_spaces", "a space at the end of each line but the last",
                  lambda s: s._replace(join=" " + s.join), "layout")
    yield Mistake("signed_spaces", "a space at the very end", lambda s: s._replace(tail=s.tail + " "), "layout")
    for count in (1, 2, 4, 8):
        what = f"{count} space{'s'[:count > 1]} at the beginning of each line but the first"
        yield Mistake("signed_spaces", what, _indented(" " * count), "layout")
    yield Mistake("signed_spaces", "two spaces behind the method", changed(between="  "), "layout")
    yield Mistake("signed_spaces", "no space behind the method", changed(between=""), "layout")


def _indented(space: str) -> Edit:
    return lambda string: string._replace(join=string.join + space)


def _joins() -> Iterator[Mistake]:
    for cause, what, join in (
            ("literal_backslash_n", "", r"\n"), ("literal_backslash_n", "", r"\r\n"),
            ("literal_backslash_n", "before each line break", "\\n\n"), ("lines_joined", "with nothing", ""),
            ("lines_joined", "with spaces", " "), ("lines_joined", "with commas", ","),
            ("lines_joined", "with commas", ", "), ("lines_joined", "with CR alone", "\r"),
            ("lines_joined", "with empty lines between", "\n\n"), ("lines_joined", "with semicolons", ";"),
            ("lines_joined", "with '&'", "&"), ("lines_joined", "with LF CR", "\n\r")):
        yield Mistake(cause, what, changed(join=join), "layout")
    for join in (r"\n", r"\r\n"):
        yield Mistake("literal_backslash_n", "also at the end", changed(join=join, tail=join), "layout")
    yield Mistake("trailing_newline", "as the two characters '\\n'", changed(tail=r"\n"), "layout")


def _whole() -> Iterator[Mistake]:
    for what, edit in (
            ("the name (request-target) is missing", _nameless(TARGET)), ("all names are missing", _nameless()),
            ("(request-target) has no parentheses", lambda s: s.renamed({TARGET: "request-target"}))):
        yield Mistake("signed_names_missing", what, edit, "layout")
    yield Mistake("http_version", "", lambda s: s._replace(target=s.target + " HTTP/1.1"), "layout")
    for quote in ('"', "'"):
        yield Mistake("signed_quotes", "", changed(around=quote), "layout")
    for what, codec in (("UTF-16", "utf-16-le"), ("UTF-16", "utf-16-be"), ("UTF-16 with a byte order mark", "utf-16"),
                        ("UTF-8 with a byte order mark", "utf-8-sig"), ("UTF-32", "utf-32-le")):
        yield Mistake("signed_charset", what, changed(codec=codec), "layout")
    for what, prehash in (("", "raw"), ("as hexadecimal text", "hex"), ("as hexadecimal text in capitals", "HEX"),
                          ("as base64", "base64")):
        yield Mistake("hashed_twice", what, changed(prehash=prehash), "layout")
    yield Mistake("signed_base64", "", changed(prehash="text64"), "layout")


def _nameless(*keys: str) -> Edit:
    """Without these names, or without any."""
    return lambda string: string._replace(lines=tuple(
        line._replace(name="", gap="") if not keys or line.key in keys else line for line in string.lines))


def orders(string: SigningString) -> Iterator[Mistake]:
    """Every other order of up to five lines; the likely ones are combined with other mistakes."""
    lines = string.lines
    likely = [lines[::-1], tuple(sorted(lines)), *_swaps(lines), lines[1:] + lines[:1]]
    seen: set[tuple[Line, ...]] = {lines}
    for order in [*likely, *permutations(lines[:5])]:
        if order in seen or len(order) != len(lines):
            continue
        seen.add(order)
        kind: Kind = "content" if order in likely else "rare"
        yield Mistake("signed_order", "", _ordered([line.key for line in order]), kind)


def _swaps(lines: tuple[Line, ...]) -> Iterator[tuple[Line, ...]]:
    for index in range(len(lines) - 1):
        swapped = list(lines)
        swapped[index:index + 2] = reversed(swapped[index:index + 2])
        yield tuple(swapped)


def _ordered(keys: list[str]) -> Edit:
    place = {key: index for index, key in enumerate(keys)}
    return lambda string: string._replace(lines=tuple(sorted(string.lines, key=lambda line: place.get(line.key, 99))))

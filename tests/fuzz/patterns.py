"""Every regular expression of the proxy, with inputs made of its own syntax tree that a backtracking matcher hates.

For each repeat in a pattern: the shortest text that leads to it, then what it repeats, very often, then something that
can make the whole fail.  A pattern is used as the code uses it (match, search, fullmatch …), which decides whether it
is tried at each place.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import re._constants as code  # type: ignore[import-not-found]
import re._parser as syntax  # type: ignore[import-not-found]
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import proxy
from tests.fuzz.growth import grows_too_fast

_SIZE = 1500
ROOT = Path(proxy.__file__).parent
_SKIPPED = ("proxy.__main__", "proxy.app.workers.worker")
_METHODS = "match|fullmatch|search|findall|finditer|sub|subn|split"
_ENDS = ("", "\x00", "!", "\n", "\r", "é", "a", '"', ">", " ")
_REPEATS = (code.MAX_REPEAT, code.MIN_REPEAT, code.POSSESSIVE_REPEAT)


class Used(NamedTuple):
    """how: names of the methods by which the code uses it."""

    name: str
    pattern: re.Pattern[Any]
    how: tuple[str, ...]


def used() -> list[Used]:
    """Those that have a name in a module, and those that are written where they are used."""
    modules = [
        importlib.import_module(found.name)
        for found in pkgutil.walk_packages(proxy.__path__, "proxy.")
        if found.name not in _SKIPPED
    ]
    text = "\n".join(path.read_text() for path in ROOT.rglob("*.py"))
    found: dict[tuple[str, str], Used] = {}
    for module in modules:
        source = inspect.getsource(module)
        for name, value in vars(module).items():
            if isinstance(value, re.Pattern) and re.search(rf"^{name}\b.*= re\.compile", source, re.MULTILINE):
                where = source if name.startswith("_") else text
                how = re.findall(rf"\b{name}\.({_METHODS})\b", where)
                found[module.__name__, name] = Used(f"{module.__name__}.{name}", value, tuple(sorted({*how})))
    return [*found.values(), *_written_in_place(modules)]


def _written_in_place(modules: list[Any]) -> Iterator[Used]:
    """re.search("…", text) and the like, with a plain literal."""
    literal = re.compile(rf"""\bre\.({_METHODS}|compile)\(\s*(r?b?r?)("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')""")
    for module in modules:
        for method, prefix, quoted in literal.findall(inspect.getsource(module)):
            if method == "compile" and "f" not in prefix:
                continue
            try:
                written = eval(prefix + quoted)
                yield Used(f"{module.__name__}: {quoted}", re.compile(written), (method,))
            except re.error:
                continue


class Attack(NamedTuple):
    lead: str
    unit: str
    end: str

    def text(self, size: int) -> str:
        """Of about that many characters."""
        return self.lead + self.unit * (size // len(self.unit)) + self.end


def attacks(pattern: re.Pattern[Any]) -> list[Attack]:
    """Each once."""
    given = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    tree = list(syntax.parse(given, pattern.flags & ~re.UNICODE & ~re.DEBUG))
    whole = _shortest(tree)
    found = [Attack("", whole, end) for end in ("", "!")] if whole else []
    for lead, pump in _repeats(tree, ""):
        for unit in {pump, lead + pump, lead, " " + pump} - {""}:
            found += [Attack(lead, unit, end) for end in (*_ENDS, whole)]
    return list(dict.fromkeys(found))


def run(used_one: Used) -> Callable[[str], object]:
    """The pattern's most expensive use."""
    pattern = used_one.pattern
    convert: Callable[[str], Any] = (
        (lambda text: text) if isinstance(pattern.pattern, str) else (lambda text: text.encode("latin-1", "replace"))
    )
    method = next(
        (
            how
            for how in ("finditer", "findall", "sub", "subn", "split", "search", "fullmatch", "match")
            if how in used_one.how
        ),
        "search",
    )
    if method in ("finditer", "findall", "sub", "subn", "split"):
        return lambda text: sum(1 for _ in pattern.finditer(convert(text)))
    return lambda text: getattr(pattern, method)(convert(text))


def worst(one: Used, most: int) -> str:
    """What its worst input took, or "".  most: of more attacks than that, every so manieth is tried."""
    every, work = attacks(one.pattern), run(one)
    for attack in every[:: len(every) // most + 1]:
        found = grows_too_fast(work, attack.text, _SIZE)
        if found:
            return f"{one.name}: {found}, {attack.lead[:30]!r} {attack.unit[:30]!r}* {attack.end[:30]!r}"
    return ""


def _repeats(nodes: list[Any], lead: str) -> Iterator[tuple[str, str]]:
    """(the shortest text before it, what it repeats once) of each repeat that may go on for long."""
    for operator, argument in nodes:
        if operator in _REPEATS:
            _, most, inner = argument
            if most > 64:
                yield from ((lead, one) for one in _examples(list(inner)))
            yield from _repeats(list(inner), lead)
        elif operator is code.SUBPATTERN:
            yield from _repeats(list(argument[3]), lead)
        elif operator is code.ATOMIC_GROUP:
            yield from _repeats(list(argument), lead)
        elif operator is code.BRANCH:
            for branch in argument[1]:
                yield from _repeats(list(branch), lead)
        lead += _shortest([(operator, argument)])


def _examples(nodes: list[Any]) -> set[str]:
    """Some texts that a repeat's inside matches: its shortest, and one for each branch and odd character."""
    found = {_shortest(nodes, least=1)}
    for operator, argument in nodes:
        if operator is code.IN:
            found |= {
                one
                for one in (" ", "\t", "\n", "\r\n", "a", "A", "0", "/", "-", '"', "'", "<", "=", ":", ".")
                if re.fullmatch("(?s:.)", one) and _is_in(argument, one)
            }
        elif operator is code.SUBPATTERN:
            found |= _examples(list(argument[3]))
        elif operator is code.BRANCH:
            for branch in argument[1]:
                found |= _examples(list(branch))
        elif operator in (code.ANY, code.NOT_LITERAL):
            found |= {" ", "a", "\r", "\t", "0"}
    return {one for one in found if one}


def _shortest(nodes: list[Any], least: int = 0) -> str:
    return "".join(_one(operator, argument, least) for operator, argument in nodes)


def _one(operator: Any, argument: Any, least: int) -> str:
    if operator is code.LITERAL:
        return chr(argument)
    if operator is code.NOT_LITERAL:
        return "a" if argument != ord("a") else "b"
    if operator is code.ANY:
        return "a"
    if operator is code.IN:
        return next((one for one in "a0 A-/_.\t\n:=\"'<>{}[]@%,;xX" if _is_in(argument, one)), "é")
    if operator in _REPEATS:
        return _shortest(list(argument[2]), least) * max(argument[0], min(least, argument[1]))
    if operator is code.SUBPATTERN:
        return _shortest(list(argument[3]), least)
    if operator is code.ATOMIC_GROUP:
        return _shortest(list(argument), least)
    if operator is code.BRANCH:
        return min((_shortest(list(branch), least) for branch in argument[1]), key=len)
    return ""


def _is_in(items: list[Any], character: str) -> bool:
    number, negate, found = ord(character), False, False
    for operator, argument in items:
        if operator is code.NEGATE:
            negate = True
        elif operator is code.LITERAL:
            found |= number == argument
        elif operator is code.RANGE:
            found |= argument[0] <= number <= argument[1]
        elif operator is code.CATEGORY:
            found |= _in_category(argument, character)
    return found != negate


def _in_category(category: Any, character: str) -> bool:
    known = {
        code.CATEGORY_SPACE: r"\s",
        code.CATEGORY_NOT_SPACE: r"\S",
        code.CATEGORY_DIGIT: r"\d",
        code.CATEGORY_NOT_DIGIT: r"\D",
        code.CATEGORY_WORD: r"\w",
        code.CATEGORY_NOT_WORD: r"\W",
    }
    return re.fullmatch(known[category], character) is not None

"""Programs that sign wrongly do so in a few well-known ways, so these rebuild the strings they sign.

A mistake is a name and the variants it makes of one string.  Up to three simple mistakes are combined, or two of any
kind: a recovered hash then tells which string was signed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from itertools import combinations, permutations
from urllib.parse import quote, unquote

from proxy.cli.verification import rules
from proxy.cli.verification.captured import Captured

Variants = Callable[[str], Iterable[str]]

_FIRST = re.compile(r"(\(request-target\): )([^ \n]*) ([^\n]*)")
_HOSTS = ("open.nordea.com", "api.nordeaopenbanking.com", "localhost")
_TYPES = ("application/json", "application/json; charset=utf-8", "application/json;charset=utf-8",
          "application/json; charset=UTF-8", "application/json;charset=UTF-8", "application/x-www-form-urlencoded",
          "application/x-www-form-urlencoded; charset=utf-8", "application/x-www-form-urlencoded;charset=UTF-8")
_SHIFTS = (*range(1, 11), 3600, 7200, 10800)


def simple() -> dict[str, Variants]:
    """Mistakes of layout, which do not depend on the message."""
    return {
        "upper_case_method": lambda s: [_FIRST.sub(lambda m: f"{m[1]}{m[2].upper()} {m[3]}", s, count=1)],
        "no_colon": lambda s: [s.replace("(request-target): ", "(request-target) ", 1)],
        "no_space": lambda s: [re.sub(r"(?m)^([^:\n]+): ", r"\1:", s), s.replace("(request-target): ",
                                                                                "(request-target):", 1)],
        "no_leading_slash": lambda s: [_FIRST.sub(lambda m: f"{m[1]}{m[2]} {m[3].lstrip('/')}", s, count=1)],
        "no_method": lambda s: [_FIRST.sub(lambda m: m[1] + m[3], s, count=1)],
        "trailing_newline": lambda s: [s + "\n"],
        "crlf": lambda s: [s.replace("\n", "\r\n"), s.replace("\n", "\r\n") + "\r\n"],
        "literal_backslash_n": lambda s: [s.replace("\n", r"\n")],
    }


def particular(message: Captured) -> dict[str, Variants]:
    """Mistakes of content, made from what this message holds."""
    digests = list(dict.fromkeys(_digests(message)))
    return {
        "no_query": lambda s: [_retarget(s, lambda target: target.partition("?")[0])],
        "whole_url": lambda s: [_retarget(s, lambda target, start=start: start + target)  # type: ignore[misc]
                                for host in _hosts(message) for start in (f"https://{host}", f"http://{host}", host)],
        "signed_double_slash": lambda s: [_retarget(s, lambda target: "/" + target)],
        "short_path": lambda s: [_retarget(s, lambda target: re.sub(r"^/[^/?]+(?=/)", "", target))],
        "other_encoding": lambda s: [_retarget(s, change) for change in _encodings()],
        "signed_names_case": lambda s: _with_capitals(s, message),
        "other_host": lambda s: [_line(s, rules.HOST, host) for host in _hosts(message)],
        "other_date": lambda s: [_line(s, rules.DATE, date) for date in _dates(message)],
        "other_content_type": lambda s: [_line(s, "content-type", kind) for kind in _types(message)],
        "signed_digest": lambda s: [_line(s, "digest", digest) for digest in digests],
        "signed_order": lambda s: map("\n".join, permutations(s.split("\n")[:6])),
        "content_lines_missing": lambda s: [re.sub(r"\n(?:content-type|digest): [^\n]*", "", s),
                                            re.sub(r"\ncontent-type: [^\n]*", "", s),
                                            re.sub(r"\ndigest: [^\n]*", "", s)],
        "content_lines_added": lambda s: _with_content(s, message),
    }


def candidates(right: str, message: Captured) -> Iterator[tuple[tuple[str, ...], str]]:
    """(names of the mistakes, the string they make), fewest mistakes first."""
    layout, content = simple(), particular(message)
    every = content | layout
    for names in [*combinations(every, 1), *combinations(every, 2), *combinations(layout, 3)]:
        for text in _applied(right, [every[name] for name in names]):
            yield names, text


def _applied(text: str, steps: list[Variants]) -> Iterator[str]:
    if not steps:
        yield text
        return
    for changed in steps[0](text):
        if changed != text:
            yield from _applied(changed, steps[1:])


def _retarget(text: str, change: Callable[[str], str]) -> str:
    return _FIRST.sub(lambda match: f"{match[1]}{match[2]} {change(match[3])}", text, count=1)


def _encodings() -> list[Callable[[str], str]]:
    return [
        lambda target: unquote(target, "latin-1"),
        lambda target: re.sub("%[0-9A-Fa-f]{2}", lambda match: match[0].lower(), target),
        lambda target: re.sub("%[0-9A-Fa-f]{2}", lambda match: match[0].upper(), target),
        lambda target: target.replace("+", "%20"),
        lambda target: target.replace("%20", "+"),
        lambda target: quote(target, "/?=&", "latin-1"),
        lambda target: target.rstrip("/"),
        lambda target: target + "/",
        lambda target: target + "?",
        lambda target: target.lower(),
    ]


def _line(text: str, name: str, value: str) -> str:
    """The text with another value on the line of this name."""
    return re.sub(rf"(?m)^{re.escape(name)}: [^\n]*$", lambda _: f"{name}: {value}", text)


def _with_capitals(text: str, message: Captured) -> Iterator[str]:
    """All names as sent, all in title case, then one name at a time."""
    names = [(name.lower(), name) for name, _ in message.fields]
    titled = [(name, name.title()) for name, _ in names]
    yield _renamed(text, names)
    yield _renamed(text, titled)
    for pair in (*names, *titled):
        yield _renamed(text, [pair])
    yield _renamed(text, [pair for pair in titled if "nordea" in pair[0]])


def _renamed(text: str, names: list[tuple[str, str]]) -> str:
    spelling = dict(names)
    return re.sub(r"(?m)^([a-z-]+)(?=: )", lambda match: spelling.get(match[1], match[1]), text)


def _hosts(message: Captured) -> list[str]:
    sent, signed = message.one("host"), message.one(rules.HOST) or ""
    hosts = [*([sent, rules.without_port(sent)] if sent else []), *_HOSTS]
    return list(dict.fromkeys([*hosts, signed.upper(), f"{signed}:443", f"https://{signed}"]))


def _dates(message: Captured) -> Iterator[str]:
    date = message.one(rules.DATE) or ""
    for zone in ("UTC", "EEST", "EET", "CET", "CEST", "+0000"):
        yield date.replace("GMT", zone)
    plain_date = message.one("date")
    if plain_date:
        yield plain_date
    moment = rules.seconds(date)
    if moment is not None:
        for shift in _SHIFTS:
            for change in (timedelta(seconds=shift), timedelta(seconds=-shift)):
                try:
                    yield rules.fixdate(moment + change)
                except OverflowError:
                    continue


def _types(message: Captured) -> Iterator[str]:
    sent = message.one("content-type") or ""
    yield sent.partition(";")[0].strip()
    yield from _TYPES


def _digests(message: Captured) -> Iterator[str]:
    sent = message.one("digest") or ""
    value = sent.partition("=")[2]
    yield from (value, "sha-256=" + value, "SHA-256=" + value, f'"{sent}"')
    own = rules.hashed(message.body)
    yield from ("SHA-256=" + own, own)
    for _, other in rules.other_bodies(message):
        yield "SHA-256=" + rules.hashed(other)


def _with_content(text: str, message: Captured) -> Iterator[str]:
    if "\ndigest: " in text:
        return
    kinds = [message.one("content-type") or "application/json", "application/json"]
    digests = [message.one("digest") or "", "SHA-256=" + rules.hashed(message.body)]
    for kind in dict.fromkeys(kinds):
        yield f"{text}\ncontent-type: {kind}"
        for digest in dict.fromkeys(digests):
            yield f"{text}\ncontent-type: {kind}\ndigest: {digest}"

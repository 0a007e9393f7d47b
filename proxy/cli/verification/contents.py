"""Mistakes of content: what people sign instead of the host, type, digest and path of their message."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from operator import add
from urllib.parse import parse_qsl, quote, unquote, urlencode

from proxy.cli.verification import rules
from proxy.cli.verification.bodies import other_bodies
from proxy.cli.verification.captured import Captured
from proxy.cli.verification.dates import dates
from proxy.cli.verification.digests import hashed
from proxy.cli.verification.mistakes import Edit, Mistake, changed_value, orders
from proxy.cli.verification.strings import TARGET, Line, SigningString

_HOSTS = {"open.nordea.com": "the production host", "api.nordeaopenbanking.com": "the sandbox's host",
          "localhost": "localhost", "127.0.0.1": "localhost", "localhost:8080": "localhost",
          "127.0.0.1:8080": "localhost"}
_TYPES = ("application/json", "application/json; charset=utf-8", "application/json;charset=utf-8",
          "application/json; charset=UTF-8", "application/json;charset=UTF-8", "application/x-www-form-urlencoded",
          "application/x-www-form-urlencoded; charset=utf-8", "application/x-www-form-urlencoded;charset=utf-8",
          "application/x-www-form-urlencoded; charset=UTF-8", "application/x-www-form-urlencoded;charset=UTF-8",
          "text/plain", "text/plain;charset=UTF-8", "text/plain; charset=utf-8", "application/xml", "*/*")
_BLANKS = ("", "undefined", "null", "None", "nil", "NaN")
_BASES = ("/personal", "/corporate", "/business", "/corporate/premium", "/api", "/sandbox")
_NAMES = ("x-ibm-client-id", "x-ibm-client-secret", "authorization", "date", "host", "content-length", "accept",
          "x-nordea-originating-user-ip", "x-nordea-originating-user-agent")


def contents(message: Captured, string: SigningString) -> Iterator[Mistake]:
    yield from _targets(message)
    yield from _names(message)
    yield from _hosts(message)
    yield from dates(message)
    yield from _types(message)
    yield from _digests(message)
    yield from orders(string)
    yield from _lines(message, string)


def _targets(message: Captured) -> Iterator[Mistake]:
    yield _target("no_query", "", lambda path: path.partition("?")[0])
    yield _target("no_query", "but its '?' was signed", lambda path: re.sub(r"(?<=\?).*", "", path))
    for host in dict.fromkeys(host for host, _ in _other_hosts(message) if host):
        for start in (f"https://{host}", f"http://{host}", host, f"//{host}"):
            yield _target("whole_url", "" if "://" in start else "without its scheme", partial(add, start))
    yield _target("signed_double_slash", "", lambda path: "/" + path)
    for index in range(1, min(message.target.partition("?")[0].count("/"), 8)):
        yield _target("signed_double_slash", "", partial(_doubled, index=index))
    yield _target("trailing_slash", "one was added", lambda path: re.sub(r"(?<!/)(?=\?|$)", "/", path, count=1))
    yield _target("trailing_slash", "it was left out", lambda path: re.sub(r"(?<=[^/])/(?=\?|$)", "", path, count=1))
    for count in range(1, 6):
        yield _target("short_path", "" if count == 1 else f"{count} segments are missing",
                      partial(_shortened, count=count))
    for base in _BASES:
        yield _target("long_path", f"with {base} in front", partial(add, base))
    yield from (_target("other_encoding", detail, change) for detail, change in _encodings())
    yield _target("lower_case_path", "", str.lower)
    yield _target("other_query", "its parameters were sorted", partial(_query, change=sorted))
    yield _target("other_query", "its parameters were encoded anew", partial(_query, change=_encoded))
    yield _target("other_query", "the '?' was left out", lambda path: path.replace("?", "", 1))


def _target(cause: str, detail: str, change: Callable[[str], str]) -> Mistake:
    return Mistake(cause, detail, lambda string: string._replace(target=change(string.target)))


def _shortened(path: str, count: int) -> str:
    """Without that many segments at its beginning."""
    return re.sub(rf"^(?:/[^/?]+){{{count}}}(?=/)", "", path)


def _doubled(path: str, index: int) -> str:
    """With the slash of that number twice."""
    start, mark, query = path.partition("?")
    segments = start.split("/")
    return "/".join([*segments[:index + 1], "", *segments[index + 1:]]) + mark + query


def _query(path: str, change: Callable[[list[str]], list[str]]) -> str:
    start, mark, query = path.partition("?")
    return start + mark + "&".join(change(query.split("&"))) if query else path


def _encoded(pairs: list[str]) -> list[str]:
    try:
        fields = parse_qsl("&".join(pairs), keep_blank_values=True, encoding="latin-1", max_num_fields=200)
    except ValueError:
        return pairs
    return urlencode(fields, encoding="latin-1").split("&")


def _encodings() -> list[tuple[str, Callable[[str], str]]]:
    return [
        ("it was decoded", lambda path: unquote(path, "latin-1")),
        ("it was decoded", lambda path: unquote(path.replace("+", " "), "latin-1")),
        ("the escapes were in lower case", lambda path: re.sub("%[0-9A-Fa-f]{2}", lambda m: m[0].lower(), path)),
        ("the escapes were in upper case", lambda path: re.sub("%[0-9A-Fa-f]{2}", lambda m: m[0].upper(), path)),
        ("'+' was signed as '%20'", lambda path: path.replace("+", "%20")),
        ("'%20' was signed as '+'", lambda path: path.replace("%20", "+")),
        ("it was encoded twice", lambda path: path.replace("%", "%25")),
        ("more characters were encoded", lambda path: quote(path, "/?=&%", "latin-1")),
        ("the slashes were encoded", lambda path: quote(path, "", "latin-1")),
        ("a '?' was added", lambda path: path if "?" in path else path + "?"),
    ]


def _names(message: Captured) -> Iterator[Mistake]:
    """All names as sent, all in title case, then one name at a time."""
    sent = {name.lower(): name for name, _ in message.fields}
    titled = {name: name.title() for name in sent}
    nordea = {name: title for name, title in titled.items() if "nordea" in name}
    single = [{name: spelling} for spellings in (sent, titled) for name, spelling in spellings.items()
              if name in (*rules.FULL, *_NAMES)]
    for spelling in (sent, titled, nordea, {**titled, TARGET: "(Request-Target)"},
                     {name: name.upper() for name in sent}, *single, {TARGET: "(Request-Target)"}):
        yield Mistake("signed_names_case", "", _spelled(spelling))
    for name, other in ((rules.HOST, "host"), (rules.DATE, "date"), (rules.HOST, "x-nordea-origination-host"),
                        (rules.DATE, "x-nordea-origination-date")):
        yield Mistake("signed_names_other", f"{other} instead of {name}", _spelled({name: other}))
    yield Mistake("signed_names_other", "host and date instead of the bank's own names",
                  _spelled({rules.HOST: "host", rules.DATE: "date"}))


def _spelled(spelling: dict[str, str]) -> Edit:
    return lambda string: string.renamed(spelling)


def _other_hosts(message: Captured) -> Iterator[tuple[str, str]]:
    """(host, what it is)"""
    sent, signed = message.one("host") or "", rules.without_port(message.one(rules.HOST) or "")
    yield from ((signed, "the same host"), (rules.without_port(sent), "that of the Host header"),
                (sent, "that of the Host header"))
    yield from _HOSTS.items()


def _hosts(message: Captured) -> Iterator[Mistake]:
    signed = message.one(rules.HOST) or ""
    for host, what in _other_hosts(message):
        if host and host != signed and not host.lower().startswith(signed.lower() + ":"):
            yield changed_value("other_host", f"it is {what}", rules.HOST, host)
    for port in (":443", ":80", ":8080"):
        yield changed_value("signed_host_port", "", rules.HOST, signed + port)
    for other in (signed.upper(), signed.title(), signed.capitalize(), signed.lower()):
        yield changed_value("signed_host_case", "", rules.HOST, other)
    for start, end in (("https://", ""), ("http://", ""), ("https://", "/"), ("//", "")):
        yield changed_value("signed_host_scheme", "", rules.HOST, start + signed + end)
    yield changed_value("signed_host_scheme", "with a slash at its end", rules.HOST, signed + "/")
    for name, what in ((rules.HOST, "the host"), (rules.DATE, "the date"), ("content-type", "the content type"),
                       ("digest", "the digest")):
        for blank in _BLANKS:
            yield changed_value("signed_blank", f"{what} was {blank!r}" if blank else f"{what} was empty", name, blank)


def _types(message: Captured) -> Iterator[Mistake]:
    sent = message.one("content-type") or ""
    bare = sent.partition(";")[0].strip()
    yield changed_value("other_content_type", "without its parameters", "content-type", bare)
    for kind in (bare + tail for tail in ("; charset=utf-8", ";charset=utf-8", "; charset=UTF-8", ";charset=UTF-8")):
        yield changed_value("other_content_type", f"it is {kind!r}", "content-type", kind)
    for kind in (*_TYPES, sent.lower(), sent.replace("; ", ";"), sent.replace(";", "; ")):
        yield changed_value("other_content_type", f"it is {kind!r}", "content-type", kind)


def _digests(message: Captured) -> Iterator[Mistake]:
    sent = message.one("digest") or ""
    value = sent.partition("=")[2]
    for other in (value, "sha-256=" + value, "SHA-256=" + value, "SHA256=" + value, f'"{sent}"', sent.rstrip("=")):
        yield changed_value("signed_digest", "it is written in another way", "digest", other)
    if not message.whole:
        return
    own = hashed(message.body)
    for other in ("SHA-256=" + own, own, "sha-256=" + own):
        yield changed_value("signed_digest", "it is that of the body", "digest", other)
    if len(message.body) > 1 << 16:
        return
    for index, (_, what, data) in enumerate(other_bodies(message)):
        yield changed_value("signed_digest", f"it is that of {what}", "digest", "SHA-256=" + hashed(data),
                     "content" if index < 40 else "rare")


def _lines(message: Captured, string: SigningString) -> Iterator[Mistake]:
    present = string.keys()
    if "digest" in present and "content-type" in present:
        yield Mistake("content_lines_missing", "", _left_out("content-type", "digest"))
    for name in present:
        cause = "content_lines_missing" if name in ("content-type", "digest") else "line_missing"
        yield Mistake(cause, f"the line {name}", _left_out(name))
    if "digest" not in present:
        yield from _with_content(message)
    for name in _NAMES:
        value = message.one(name)
        if value is not None and name not in present:
            for place in (1, len(present)):
                yield Mistake("line_added", f"the line {name}", _put(place, Line(name, value, name)))


def _with_content(message: Captured) -> Iterator[Mistake]:
    kinds = dict.fromkeys([message.one("content-type") or "application/json", "application/json", ""])
    digests = [Line("digest", value, "digest") for value in dict.fromkeys(
        [message.one("digest") or "", "SHA-256=" + hashed(message.body), "", "SHA-256="])]
    for kind in (Line("content-type", kind, "content-type") for kind in kinds):
        for lines in ([kind], *([kind, digest] for digest in digests)):
            yield Mistake("content_lines_added", "", _put(99, *lines))
    for digest in digests:
        yield Mistake("content_lines_added", "", _put(99, digest))


def _left_out(*keys: str) -> Edit:
    return lambda string: string.without(*keys)


def _put(place: int, *lines: Line) -> Edit:
    return lambda string: string._replace(lines=(*string.lines[:place], *lines, *string.lines[place:]))

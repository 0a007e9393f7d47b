"""What a person may read of a message: every header not known to be harmless is masked, and so is what looks secret.

    headers     an allow-list of names; the scheme of credentials stays
    URLs        values of parameters by name
    bodies      values by name in JSON, forms, XML and multipart; tokens and private keys by their shape
    anywhere    values that are known to be secret, such as the caller's token where a bank echoes it
A mask is `***` and a tag, so that two calls can be seen to have used the same secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import blake2b
from urllib.parse import quote_from_bytes, unquote_to_bytes

from proxy.core.json_values import replaced_values
from proxy.core.message import Field
from proxy.core.secret_names import header_is_shown, is_secret

MASK = re.compile(r"\*\*\* \(#[0-9a-f]{6}\)")
"""What stands for a secret."""

_SCHEMES = frozenset((b"bearer", b"basic", b"digest", b"dpop", b"negotiate", b"apikey", b"token"))
_SHORTEST = 8
"""Bytes from which on a known secret is looked for everywhere; shorter ones would mask half of every text."""

_PARAMETER = re.compile(rb"(?<![A-Za-z0-9_.%\[\]-])([A-Za-z0-9_.%\[\]-]{1,64})=([^&;\s\"'<>#\\]+)")
_TAG = re.compile(rb"<([A-Za-z0-9_.:-]{1,64})(\s[^<>]*)?>([^<]+)")
_NAMED = re.compile(rb"name=\"?([A-Za-z0-9_.-]{1,64})")
_BLANK = re.compile(rb"\n\r?\n")
_BOUNDARY = re.compile(rb"\r?\n--")
_SHAPES = re.compile(
    rb"eyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){0,4}"               # a JSON web token, if it has a dot
    rb"|(?<=-----BEGIN )[A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    rb"|(?i:(?<=bearer )|(?<=basic ))[A-Za-z0-9._~+/=-]{8,}", re.DOTALL)
_URLS = frozenset((b"location", b"content-location", b"referer", b"link", b"refresh"))

_SPACED = re.compile(rb'"[ \t\r\n]+:')
_SIGNS = (b"eyJ", b"PRIVATE", b"earer ", b"asic ", b"EARER ", b"ASIC ")
"""A text with none of these holds no secret that is known by its shape."""
_NAMES, _LONGEST = 4096, 64
"""How many names in JSON are remembered as harmless, and of how many bytes at most."""


class Known:
    """Values that are secret wherever they stand, as the configuration has them, and names that are not.

    key: of the tags, random and as old as the process.  spellings: each as it may be written -> the value.  harmless:
    names in JSON that have been judged before; filled in here.
    """

    __slots__ = ("harmless", "key", "spellings")

    def __init__(self, key: bytes, values: Iterable[bytes] = (), harmless: set[bytes] | None = None) -> None:
        self.key = key
        self.spellings: dict[bytes, bytes] = {}
        for value in values:
            self.spellings.update(_spelled(value))
        self.harmless = harmless if harmless is not None else set()


def _spelled(value: bytes) -> dict[bytes, bytes]:
    """As it is and percent-encoded; nothing for one that is too short to be looked for."""
    if len(value) < _SHORTEST:
        return {}
    return {value: value} if value.isalnum() else {value: value, quote_from_bytes(value, safe="").encode(): value}


class Masks:
    """One exchange's.  found: where something was masked, a phrase each, in order.

    shown: lower-case names of further headers whose values may be read.  What needs no mask stays the very same object.
    """

    def __init__(self, known: Known, shown: frozenset[bytes] = frozenset()) -> None:
        self.found: list[str] = []
        self._key = known.key
        self._shown = shown
        self._harmless = known.harmless
        self._known = dict(known.spellings)

    @property
    def values(self) -> Iterable[bytes]:
        """All that is masked wherever it stands, in every spelling."""
        return self._known

    def tag(self, value: bytes) -> bytes:
        return b"*** (#%b)" % blake2b(value, key=self._key, digest_size=3).hexdigest().encode()

    def learn(self, fields: Iterable[Field]) -> None:
        """The values of these headers that will be masked are secret in the rest of the exchange as well."""
        for name, _, value in fields:
            if not header_is_shown(name, self._shown):
                for part in _parts(value):
                    self._known.update(_spelled(part))

    def fields(self, fields: Iterable[Field], where: str) -> list[Field]:
        """where: such as "request header", for found."""
        made = [field if header_is_shown(field[0], self._shown) else self._hidden(field, where) for field in fields]
        if self._suspect(b"\n".join([value for _, _, value in made])) or not _URLS.isdisjoint([one[0] for one in made]):
            return [self._looked_through(field, where) for field in made]
        return made

    def _hidden(self, field: Field, where: str) -> Field:
        name, spelled, value = field
        if not value:
            return field
        self.found.append(f"{where} {spelled.decode('latin-1')}")
        scheme, space, secret = value.partition(b" ")
        if space and scheme.lower() in _SCHEMES:
            return name, spelled, scheme + b" " + self.tag(secret.strip(b" "))
        return name, spelled, self.tag(value)

    def _looked_through(self, field: Field, where: str) -> Field:
        name, spelled, value = field
        shown = self._free(value, parameters=name in _URLS)
        if shown is value:
            return field
        self.found.append(f"{where} {spelled.decode('latin-1')}")
        return name, spelled, shown

    def target(self, target: bytes, where: str) -> bytes:
        """A request target or URL."""
        shown = self._free(target, parameters=_has_secret_parameter(target))
        if shown is not target:
            self.found.append(where)
        return shown

    def sentence(self, text: str) -> str:
        """Words for a person, which may repeat a value."""
        return self._free(text.encode(), parameters=False).decode()

    def body(self, body: bytes, where: str, *, form: bool = False) -> bytes:
        """form: its Content-Type says so."""
        shown = self._known_in(body)
        if form or not self._is_harmless_json(shown):
            shown = self._closer(shown)
        if shown == body:
            return body
        self.found.append(where)
        return shown

    def _is_harmless_json(self, body: bytes) -> bool:
        """A quick look: each of its names has been judged, and nothing in it needs to be looked at closely."""
        if body[:1] not in (b"{", b"[") or b"=" in body or _SPACED.search(body) or any(sign in body for sign in _SIGNS):
            return False
        names = [piece.rpartition(b'"')[2] for piece in body.split(b'":')]
        names.pop()         # behind the last of them
        return self._harmless.issuperset(names) or all(self._is_harmless(name) for name in set(names))

    def _is_harmless(self, name: bytes) -> bool:
        if b"\\" in name or is_secret(name.decode("latin-1"), in_errors=False):
            return False
        if len(self._harmless) < _NAMES and len(name) <= _LONGEST:
            self._harmless.add(name)
        return True

    def _closer(self, body: bytes) -> bytes:
        start = body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
        if start in (b"{", b"["):
            body = replaced_values(body, is_secret, lambda value: b'"%b"' % self.tag(value))
        elif start == b"<":
            body = _TAG.sub(self._tag, body)
        elif start == b"-":
            body = self._multipart(body)
        if b"=" in body:
            body = _PARAMETER.sub(self._parameter, body)
        return self._shapes(body)

    def _free(self, text: bytes, *, parameters: bool) -> bytes:
        """The text itself where nothing is masked."""
        shown = self._known_in(text)
        if parameters:
            shown = _PARAMETER.sub(self._parameter, shown)
        if b"eyJ" in shown or b"PRIVATE" in shown:
            shown = self._shapes(shown)
        return text if shown == text else shown

    def _suspect(self, text: bytes) -> bool:
        for spelled in self._known:
            if spelled in text:
                return True
        return b"eyJ" in text or b"PRIVATE" in text

    def _known_in(self, text: bytes) -> bytes:
        for spelled, value in self._known.items():
            if spelled in text:
                text = text.replace(spelled, self.tag(value))
        return text

    def _shapes(self, text: bytes) -> bytes:
        return _SHAPES.sub(self._shape, text)

    def _shape(self, match: re.Match[bytes]) -> bytes:
        """A dot is asked for here: in the pattern it would have each "eyJ" of a long word search to the word's end."""
        return match[0] if match[0].startswith(b"eyJ") and b"." not in match[0] else self.tag(match[0])

    def _parameter(self, match: re.Match[bytes]) -> bytes:
        if not _names_secret(match[1]) or match[2].startswith(b"***"):
            return match[0]
        return match[1] + b"=" + self.tag(match[2])

    def _tag(self, match: re.Match[bytes]) -> bytes:
        name = match[1].rpartition(b":")[2].decode("latin-1")
        if not match[3].strip() or not is_secret(name, in_errors=False):
            return match[0]
        return b"<%b%b>%b" % (match[1], match[2] or b"", self.tag(match[3]))

    def _multipart(self, body: bytes) -> bytes:
        """Multipart (RFC 2046 section 5.1): what follows the empty line behind a secret name, up to the next boundary.

        In one pass: a pattern for all of it takes seconds for a body of many names, and no other thread runs then.
        """
        out: list[bytes] = []
        start = copied = 0
        while (blank := _BLANK.search(body, start)) is not None:
            names, start = _NAMED.findall(body, start, blank.start()), blank.end()
            if any(is_secret(name.decode(), in_errors=False) for name in names):
                boundary = _BOUNDARY.search(body, start)
                out += (body[copied:start], self.tag(body[start:boundary.start() if boundary else None]))
                start = copied = boundary.start() if boundary is not None else len(body)
        return b"".join([*out, body[copied:]])


def _has_secret_parameter(target: bytes) -> bool:
    """Those of a path stand behind ";" (RFC 3986 section 3.3)."""
    query = target.partition(b"?")[2]
    return b";" in target or b"#" in target or any(_names_secret(pair.partition(b"=")[0]) for pair in query.split(b"&"))


def _names_secret(name: bytes) -> bool:
    if b"%" in name:
        name = unquote_to_bytes(name)
    return is_secret(name.decode("latin-1"), in_errors=False)


def cut_clean(body: bytes, known: Iterable[bytes]) -> bytes:
    """A body that was cut, less an end that is the beginning of a known secret."""
    for value in known:
        for length in range(min(len(value) - 1, len(body)), 3, -1):
            if body.endswith(value[:length]):
                return body[:-length]
    return body


def _parts(value: bytes) -> Iterable[bytes]:
    """What of a masked header may stand elsewhere by itself: credentials without their scheme, each cookie's value."""
    scheme, space, rest = value.partition(b" ")
    if space and scheme.lower() in _SCHEMES:
        return (rest.strip(b" "),)
    return (value, *(part.partition(b"=")[2].strip(b" \"") for part in value.split(b";")))


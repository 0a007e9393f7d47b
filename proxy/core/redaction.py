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
from urllib.parse import quote_from_bytes

from proxy.core.json_values import replaced_values
from proxy.core.message import Field
from proxy.core.secret_names import header_is_shown, is_secret

MASK = re.compile(r"\*\*\* \(#[0-9a-f]{6}\)")
"""What stands for a secret."""

_SCHEMES = frozenset((b"bearer", b"basic", b"digest", b"dpop", b"negotiate", b"apikey", b"token"))
_SHORTEST = 8
"""Bytes from which on a known secret is looked for everywhere; shorter ones would mask half of every text."""

_PARAMETER = re.compile(rb"([A-Za-z0-9_.%\[\]-]{1,64})=([^&\s\"'<>#\\]+)")
_TAG = re.compile(rb"<([A-Za-z0-9_.:-]{1,64})(\s[^<>]*)?>([^<]+)")
_NAMED = re.compile(rb"name=\"?([A-Za-z0-9_.-]{1,64})")
_BLANK = re.compile(rb"\n\r?\n")
_BOUNDARY = re.compile(rb"\r?\n--")
_SHAPES = re.compile(
    rb"eyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){0,4}"               # a JSON web token, if it has a dot
    rb"|(?<=-----BEGIN )[A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    rb"|(?i:(?<=bearer )|(?<=basic ))[A-Za-z0-9._~+/=-]{8,}", re.DOTALL)
_URLS = frozenset((b"location", b"content-location", b"referer", b"link", b"refresh"))

_HINTS = (b"token", b"secret", b"pass", b"credential", b"bearer", b"basic ", b"auth", b"cookie", b"session",
          b"assertion", b"api", b"subscription", b"private", b"eyj", b"\\u", b'"code"', b'"pin', b'"otp"', b'"tan"',
          b'"pwd"', b'"jwt"', b'"sid"', b'"key"', b'"cv', b"=", b"<", b"user_code", b"usercode", b"user-code",
          b"device", b"verifier", b"saml", b"challenge", b"pincode", b"pin_code", b"pin-code")
"""A body with none of these holds nothing that is masked by name or shape: all others are spared the closer look."""


class Known:
    """Values that are secret wherever they stand, as the configuration has them.

    key: of the tags, random and as old as the process.  spellings: each as it may be written -> the value.
    """

    __slots__ = ("key", "spellings")

    def __init__(self, key: bytes, values: Iterable[bytes] = ()) -> None:
        self.key = key
        self.spellings: dict[bytes, bytes] = {}
        for value in values:
            self.spellings.update(_spelled(value))


def _spelled(value: bytes) -> dict[bytes, bytes]:
    """As it is and percent-encoded; nothing for one that is too short to be looked for."""
    if len(value) < _SHORTEST:
        return {}
    return {value: value} if value.isalnum() else {value: value, quote_from_bytes(value, safe="").encode(): value}


class Masks:
    """One exchange's.  found: where something was masked, a phrase each, in order.

    shown: lower-case names of further headers whose values may be read.
    """

    def __init__(self, known: Known, shown: frozenset[bytes] = frozenset()) -> None:
        self.found: list[str] = []
        self._key = known.key
        self._shown = shown
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
        return [(name, spelled, self._value(name, spelled, value, where)) for name, spelled, value in fields]

    def _value(self, name: bytes, spelled: bytes, value: bytes, where: str) -> bytes:
        if not value:
            return value
        if header_is_shown(name, self._shown):
            shown = self._free(value, parameters=name in _URLS)
            if shown is not value:
                self.found.append(f"{where} {spelled.decode('latin-1')}")
            return shown
        self.found.append(f"{where} {spelled.decode('latin-1')}")
        scheme, space, secret = value.partition(b" ")
        if space and scheme.lower() in _SCHEMES:
            return scheme + b" " + self.tag(secret.strip(b" "))
        return self.tag(value)

    def target(self, target: bytes, where: str) -> bytes:
        """A request target or URL."""
        shown = self._free(target, parameters=b"=" in target)
        if shown is not target:
            self.found.append(where)
        return shown

    def sentence(self, text: str) -> str:
        """Words for a person, which may repeat a value."""
        return self._free(text.encode(), parameters=False).decode()

    def body(self, body: bytes, where: str, *, form: bool = False) -> bytes:
        """form: its Content-Type says so."""
        shown = self._known_in(body)
        lowered = shown.lower()
        for hint in _HINTS:
            if form or hint in lowered:
                shown = self._closer(shown)
                break
        if shown == body:
            return body
        self.found.append(where)
        return shown

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
        if not is_secret(match[1].decode("latin-1"), in_errors=False) or match[2].startswith(b"***"):
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


def cut_clean(body: bytes, known: Iterable[bytes]) -> bytes:
    """A body that was cut, less an end that is the beginning of a known secret."""
    for value in known:
        for length in range(min(len(value), len(body)) - 1, 3, -1):
            if body.endswith(value[:length]):
                return body[:-length]
    return body


def _parts(value: bytes) -> Iterable[bytes]:
    """What of a masked header may stand elsewhere by itself: credentials without their scheme, each cookie's value."""
    scheme, space, rest = value.partition(b" ")
    if space and scheme.lower() in _SCHEMES:
        return (rest.strip(b" "),)
    return (value, *(part.partition(b"=")[2].strip(b" \"") for part in value.split(b";")))


"""A kept call as a command to paste: as the caller made it, or as it went to the bank.

Secrets are not in it: they are shell variables, named in a first line that says what to set.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from proxy.core.message import Field
from proxy.core.redaction import MASK
from proxy.serve.inspection.kept import Asked, Body
from proxy.serve.inspection.messages import Outgoing, text

_WRITTEN_BY_CURL = frozenset((b"host", b"content-length", b"connection", b"proxy-connection", b"transfer-encoding",
                              b"expect"))
_DEFAULTS = ((b"accept", "Accept"), (b"user-agent", "User-Agent"))
_VARIABLES = {b"x-ibm-client-secret": "CLIENT_SECRET", b"authorization": "TOKEN", b"proxy-authorization": "PROXY_TOKEN"}
_NOT_NAMED = re.compile(r"[^A-Z0-9]+")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a listener is, as a URL without a path.  socket: of a Unix socket, else "".  token: callers need one."""

    base: str
    socket: str = ""
    token: bool = False


def unsigned(asked: Asked, place: Place) -> str:
    """The caller's request to the proxy, which signs it anew."""
    words = [f"--unix-socket {shlex.quote(place.socket)}"] if place.socket else []
    fields = [field for field in asked.fields if field[0] not in _WRITTEN_BY_CURL]
    if place.token and all(name != b"proxy-authorization" for name, _, _ in fields):
        fields.append((b"proxy-authorization", b"Proxy-Authorization", b"Bearer *** (#000000)"))
    return _command(text(asked.method), place.base + text(asked.target), fields, asked.body, words)


def signed(method: bytes, sent: Outgoing) -> str:
    """What went to the bank.  Its date is part of the signature, so the bank takes it for minutes only."""
    fields = [field for field in sent.fields if field[0] not in _WRITTEN_BY_CURL]
    return _command(text(method), sent.url, fields, sent.body, [])


def _command(method: str, url: str, fields: list[Field], body: Body, words: list[str]) -> str:
    shell = _Shell()
    names = {name for name, _, _ in fields}
    words = ["--head" if method == "HEAD" else f"--request {shlex.quote(method)}", "--globoff --path-as-is", *words]
    if b"accept-encoding" in names:
        words.append("--compressed")
    words += [f"--header {shell.header(field)}" for field in fields]
    words += [f"--header '{spelled}:'" for name, spelled in _DEFAULTS if name not in names]
    if body.size or method in ("POST", "PUT", "PATCH"):
        words += ["--header 'Content-Type:'"] if b"content-type" not in names else []
        words.append(shell.data(body))
    words.append(shell.word(url, "SECRET"))
    return "\n".join([*shell.remarks(), " \\\n  ".join(["curl", *words])]) + "\n"


class _Shell:
    """Words of one command."""

    def __init__(self) -> None:
        self._variables: dict[str, None] = {}
        self._remarks: list[str] = []

    def remarks(self) -> list[str]:
        wanted = [f"# set {', '.join(self._variables)} first: secrets are not kept"] if self._variables else []
        return wanted + self._remarks

    def header(self, field: Field) -> str:
        name, spelled, value = field
        text = spelled.decode("latin-1")
        if not value:
            return shlex.quote(f"{text};")      # curl leaves out a header that ends with a colon
        variable = _VARIABLES.get(name) or _NOT_NAMED.sub("_", text.upper())
        return self.word(f"{text}: {value.decode('latin-1')}", variable)

    def data(self, body: Body) -> str:
        if body.size and not body.whole:
            self._remarks.append("# the body is not as it was: it was cut, masked or decoded")
        if b"\0" in body.data:
            self._remarks.append("# the body is binary: save it as body.bin")
            return "--data-binary @body.bin"
        return "--data-raw " + _quoted(body.data)

    def word(self, text: str, variable: str) -> str:
        """Masks in it become the variable."""
        if not MASK.search(text):
            return _quoted(text.encode("latin-1"))
        self._variables[variable] = None
        parts = [_quoted(part.encode("latin-1")) if part else "" for part in MASK.split(text)]
        return f'"${variable}"'.join(parts)


def _quoted(data: bytes) -> str:
    """For sh; with ANSI-C quoting, which bash, zsh and ksh know, where control characters or odd bytes need it."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if all(character.isprintable() or character == "\n" for character in text):
        return shlex.quote(text)
    return "$'" + "".join(_escaped(byte) for byte in data) + "'"


def _escaped(byte: int) -> str:
    if byte in b"'\\":
        return "\\" + chr(byte)
    return chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}"

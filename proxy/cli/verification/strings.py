"""A signing string in parts, so that several mistakes can be made in one without getting into each other's way."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import NamedTuple

TARGET = "(request-target)"


class Line(NamedTuple):
    """One "name: value".  key: the name by right, in lower case; (request-target) gets its value when written."""

    key: str
    value: str
    name: str
    gap: str = ": "


class SigningString(NamedTuple):
    """lines: in order.  between: method and target.  join: between lines.  tail: after the last.

    around: put before and behind everything.  codec: of Python.  prehash: what was handed to the signer instead of
    the string: "" (the string), "raw", "hex", "HEX" or "base64" of its SHA-256, or "text64", its own base64.
    """

    method: str
    target: str
    lines: tuple[Line, ...]
    between: str = " "
    join: str = "\n"
    tail: str = ""
    around: str = ""
    codec: str = "latin-1"
    prehash: str = ""

    def text(self) -> str:
        """The string itself."""
        first = self.method + self.between + self.target
        written = [f"{name}{gap}{first if key == TARGET else value}" for key, value, name, gap in self.lines]
        return self.around + self.join.join(written) + self.tail + self.around

    def signed_bytes(self) -> bytes:
        """What the signing function is given."""
        data = self.text().encode("latin-1", "replace")
        if self.codec != "latin-1":
            data = data.decode("utf-8", "replace").encode(self.codec)
        return _PREHASHES[self.prehash](data)

    def with_value(self, key: str, value: str) -> SigningString:
        return self._with([line._replace(value=value) if line.key == key else line for line in self.lines])

    def renamed(self, spelling: dict[str, str]) -> SigningString:
        """spelling: other names by key."""
        return self._with([line._replace(name=spelling.get(line.key, line.name)) for line in self.lines])

    def without(self, *keys: str) -> SigningString:
        return self._with([line for line in self.lines if line.key not in keys])

    def _with(self, lines: list[Line]) -> SigningString:
        return self._replace(lines=tuple(lines))

    def keys(self) -> list[str]:
        return [line.key for line in self.lines]


_PREHASHES: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    "raw": lambda data: hashlib.sha256(data).digest(),
    "hex": lambda data: hashlib.sha256(data).hexdigest().encode(),
    "HEX": lambda data: hashlib.sha256(data).hexdigest().upper().encode(),
    "base64": lambda data: base64.b64encode(hashlib.sha256(data).digest()),
    "text64": base64.b64encode,
}

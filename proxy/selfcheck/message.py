"""A head that this program wrote has one exact shape, so the reader takes that shape alone.

    METHOD SP /target SP HTTP/1.1 CRLF, then lines of "Name: value" without white space around the value, CRLF CRLF
No CR, LF or other control byte anywhere else, no folded lines, no lower-case method, no other version.
"""

from __future__ import annotations

import re

_REQUEST_LINE = re.compile(rb"([A-Z]+) (/[!-~]*) HTTP/1\.1")
_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ((?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?)")
_END = b"\r\n\r\n"


class Unreadable(ValueError):
    """The argument is one clause that says what is not as it must be."""


class Message:
    """fields: values by lower-case name, in order."""

    __slots__ = ("fields", "method", "target")

    def __init__(self, head: bytes) -> None:
        """head: from the request line up to and with the empty line.  Raises Unreadable."""
        if head.find(_END) != len(head) - len(_END):
            raise Unreadable("the head does not end with its only empty line")
        first, *lines = head[:-len(_END)].split(b"\r\n")
        found = _REQUEST_LINE.fullmatch(first)
        if found is None:
            raise Unreadable("the request line is not 'METHOD /target HTTP/1.1'")
        self.method, self.target = found.groups()
        self.fields: dict[bytes, list[bytes]] = {}
        for line in lines:
            pair = _LINE.fullmatch(line)
            if pair is None:
                raise Unreadable("a header line is not 'Name: value'")
            self.fields.setdefault(pair[1].lower(), []).append(pair[2])

    def one(self, name: bytes) -> bytes | None:
        """The value of the field, or None unless it was written exactly once."""
        values = self.fields.get(name, ())
        return values[0] if len(values) == 1 else None

"""The bytes of one answer on their way to a caller, as far as they are not written yet.  Pure."""

from __future__ import annotations


class Reply:
    """keep: whether the connection may carry another request afterwards.  sent: whether take() gave out a byte."""

    __slots__ = ("_chunked", "_out", "keep", "sent")

    def __init__(self) -> None:
        self._out: list[bytes] = []
        self._chunked = False
        self.keep = True
        self.sent = False

    def head(self, line: bytes, fields: bytes, *, chunked: bool, keep: bool) -> None:
        """line: status code and reason.  fields: serialised, without framing by chunks and without Connection."""
        self._chunked = chunked
        self.keep = keep
        self._out.append(b"HTTP/1.1 %b\r\n%b%b%b\r\n" % (
            line, fields, b"Transfer-Encoding: chunked\r\n" if chunked else b"",
            b"" if keep else b"Connection: close\r\n"))

    def body(self, data: bytes) -> None:
        self._out.append(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    def end(self) -> None:
        if self._chunked:
            self._out.append(b"0\r\n\r\n")

    def take(self) -> bytes:
        """What is to be written now; may be empty."""
        out = self._out
        if not out:
            return b""
        self.sent = True
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        return data

    def drop(self) -> None:
        """Forgets what was not taken."""
        self._out.clear()

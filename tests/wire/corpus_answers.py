"""A bank's answers: those that must be refused, and those that must be read."""

from __future__ import annotations

from tests.wire.corpus_malformed import CHUNKS, head


def ok(*fields: bytes, body: bytes = b"") -> bytes:
    return head(b"HTTP/1.1 200 OK", *fields) + body


STATUS_LINES = {
    name: head(line, b"Content-Length: 0") for name, line in {
        "HTTP/2": b"HTTP/2 200 OK", "HTTP/1.2": b"HTTP/1.2 200 OK", "HTTP/0.9": b"HTTP/0.9 200 OK",
        "ICY": b"ICY 200 OK", "lower case": b"http/1.1 200 OK", "no status": b"HTTP/1.1",
        "a word for a status": b"HTTP/1.1 OK",
        "two digits": b"HTTP/1.1 20 OK", "four digits": b"HTTP/1.1 2000 OK", "status 000": b"HTTP/1.1 000 No",
        "status 600": b"HTTP/1.1 600 No", "status 099": b"HTTP/1.1 099 No", "two spaces": b"HTTP/1.1  200 OK",
        "a leading space": b" HTTP/1.1 200 OK", "a tab": b"HTTP/1.1\t200 OK",
        "no space after the status": b"HTTP/1.1 200OK", "a NUL in the reason": b"HTTP/1.1 200 O\x00K",
        "a CR in the reason": b"HTTP/1.1 200 O\rK", "a negative status": b"HTTP/1.1 -20 OK",
        "a request": b"GET / HTTP/1.1", "an empty line first": b"\r\nHTTP/1.1 200 OK",
        "a switch of protocols": b"HTTP/1.1 101 Switching Protocols",
        "HTML": b"<html><body>Bad", "SSH": b"SSH-2.0-x",
    }.items()
}

FRAMING = {
    name: ok(*fields, body=b"hello") for name, fields in {
        "two equal lengths": (b"Content-Length: 5", b"Content-Length: 5"),
        "two different lengths": (b"Content-Length: 5", b"Content-Length: 6"),
        "a list of lengths": (b"Content-Length: 5, 5",),
        "a length with a plus": (b"Content-Length: +5",),
        "a length below zero": (b"Content-Length: -1",),
        "an empty length": (b"Content-Length:",),
        "a length past 64 bits": (b"Content-Length: 99999999999999999999",),
        "a length beside chunked": (b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        "chunked beside a length": (b"Transfer-Encoding: chunked", b"Content-Length: 5"),
        "gzip, chunked": (b"Transfer-Encoding: gzip, chunked",),
        "identity": (b"Transfer-Encoding: identity",),
        "chunked twice": (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
        "Connection names Content-Length": (b"Connection: Content-Length", b"Content-Length: 5"),
        "Connection names Transfer-Encoding": (b"Connection: close, transfer-encoding", b"Content-Length: 5"),
        "a space before a colon": (b"Content-Length : 5",),
        "a folded line": (b"X: y\r\n z", b"Content-Length: 5"),
        "a control byte": (b"X: \x08", b"Content-Length: 5"),
        "a CR in a value": (b"X: a\rb", b"Content-Length: 5"),
        "a LF in a value": (b"X: a\nb", b"Content-Length: 5"),
        "a line without a colon": (b"X", b"Content-Length: 5"),
    }.items()
} | {
    "chunked in HTTP/1.0": head(b"HTTP/1.0 200 OK", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "204 with a body": head(b"HTTP/1.1 204 No Content", b"Content-Length: 5") + b"hello",
    "204 in chunks": head(b"HTTP/1.1 204 No Content", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "100 with a body": head(b"HTTP/1.1 100 Continue", b"Content-Length: 5") + b"hello",
    "nine interim answers": head(b"HTTP/1.1 100 Continue") * 9 + ok(b"Content-Length: 0"),
    "101 after 100": head(b"HTTP/1.1 100 Continue") + head(b"HTTP/1.1 101 No"),
}

_TRAILERS = {"a trailer"}
CHUNKED = {name: ok(b"Transfer-Encoding: chunked", body=raw.partition(b"\r\n\r\n")[2])
           for name, raw in CHUNKS.items() if name not in _TRAILERS and not name.startswith("a request")}

MALFORMED = {f"{group}: {name}": raw for group, table in
             {"status": STATUS_LINES, "framing": FRAMING, "chunk": CHUNKED}.items() for name, raw in table.items()}

# name -> (bytes, method of the request, status, body, how it ends)
VALID: dict[str, tuple[bytes, bytes, int, bytes, str]] = {
    "a length": (ok(b"Content-Length: 5", body=b"hello"), b"GET", 200, b"hello", "length"),
    "a length of zero": (ok(b"Content-Length: 0"), b"GET", 200, b"", "length"),
    "chunks": (ok(b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n\r\n"), b"GET", 200, b"hello", "length"),
    "chunks and a trailer": (ok(b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\nX: y\r\n\r\n"), b"GET", 200,
                             b"hello", "length"),
    "until the close": (ok(body=b"hello"), b"GET", 200, b"hello", "close"),
    "nothing until the close": (ok(), b"GET", 200, b"", "close"),
    "HTTP/1.0": (head(b"HTTP/1.0 200 OK") + b"hello", b"GET", 200, b"hello", "close"),
    "HTTP/1.0 with a length": (head(b"HTTP/1.0 200 OK", b"Content-Length: 1") + b"x", b"GET", 200, b"x",
                             "length"),
    "HEAD with a length": (ok(b"Content-Length: 5"), b"HEAD", 200, b"", "length"),
    "HEAD in chunks": (ok(b"Transfer-Encoding: chunked"), b"HEAD", 200, b"", "length"),
    "HEAD without framing": (ok(), b"HEAD", 200, b"", "length"),
    "204": (head(b"HTTP/1.1 204 No Content"), b"DELETE", 204, b"", "length"),
    "204 with a length of zero": (head(b"HTTP/1.1 204 No Content", b"Content-Length: 0"), b"PUT", 204, b"", "length"),
    "304 with a length": (head(b"HTTP/1.1 304 Not Modified", b"Content-Length: 5"), b"GET", 304, b"", "length"),
    "304 in chunks": (head(b"HTTP/1.1 304 Not Modified", b"Transfer-Encoding: chunked"), b"GET", 304, b"", "length"),
    "302": (head(b"HTTP/1.1 302 Found", b"Location: https://b/", b"Content-Length: 0"), b"GET", 302, b"", "length"),
    "429": (head(b"HTTP/1.1 429 Too Many Requests", b"Content-Length: 2") + b"{}", b"POST", 429, b"{}", "length"),
    "599": (head(b"HTTP/1.1 599 Odd", b"Content-Length: 0"), b"GET", 599, b"", "length"),
    "no reason": (head(b"HTTP/1.1 200 ", b"Content-Length: 0"), b"GET", 200, b"", "length"),
    "no reason and no space": (head(b"HTTP/1.1 200", b"Content-Length: 0"), b"GET", 200, b"", "length"),
    "a reason in Latin-1": (head(b"HTTP/1.1 400 Fehlerhaft \xe4", b"Content-Length: 0"), b"GET", 400, b"", "length"),
    "100 first": (head(b"HTTP/1.1 100 Continue") + ok(b"Content-Length: 1", body=b"x"), b"POST", 200, b"x", "length"),
    "103 first": (head(b"HTTP/1.1 103 Early Hints", b"Link: x") + ok(b"Content-Length: 1", body=b"x"), b"GET", 200,
                  b"x", "length"),
    "eight interim answers": (head(b"HTTP/1.1 102 Processing") * 8 + ok(b"Content-Length: 0"), b"GET", 200, b"",
                              "length"),
    "two cookies": (ok(b"Set-Cookie: a", b"Set-Cookie: b", b"Content-Length: 0"), b"GET", 200, b"", "length"),
    "non-ASCII": (ok(b"X: \xc3\xa4", b"Content-Length: 2", body=b"\xff\x00"), b"GET", 200, b"\xff\x00", "length"),
}

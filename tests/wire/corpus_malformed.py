"""Requests that must be refused, by the rule each one breaks: name -> (bytes, code)."""

from __future__ import annotations

BAD = "malformed_request"


def head(line: bytes, *fields: bytes) -> bytes:
    return b"\r\n".join((line, *fields, b"", b""))


def get(*fields: bytes) -> bytes:
    return head(b"GET / HTTP/1.1", b"Host: a", *fields)


def post(*fields: bytes, body: bytes = b"") -> bytes:
    return head(b"POST /p HTTP/1.1", b"Host: a", *fields) + body


def chunked(body: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked", body=body)


REQUEST_LINE = {
    name: head(line, b"Host: a") for name, line in {
        "two spaces after the method": b"GET  / HTTP/1.1",
        "two spaces before the version": b"GET /  HTTP/1.1",
        "a tab after the method": b"GET\t/ HTTP/1.1",
        "a tab before the version": b"GET /\tHTTP/1.1",
        "a space before the method": b" GET / HTTP/1.1",
        "a space after the version": b"GET / HTTP/1.1 ",
        "no method": b"/ HTTP/1.1",
        "no target": b"GET HTTP/1.1",
        "an empty target": b"GET  HTTP/1.1",
        "no version": b"GET /",
        "HTTP/0.9": b"GET / HTTP/0.9",
        "HTTP/2": b"GET / HTTP/2",
        "HTTP/2.0": b"GET / HTTP/2.0",
        "HTTP/1.2": b"GET / HTTP/1.2",
        "HTTP/1.10": b"GET / HTTP/1.10",
        "HTTP/01.1": b"GET / HTTP/01.1",
        "HTTP/1": b"GET / HTTP/1",
        "HTTP/1.": b"GET / HTTP/1.",
        "HTTP 1.1": b"GET / HTTP 1.1",
        "lower-case protocol": b"GET / http/1.1",
        "ICY": b"GET / ICY/1.1",
        "RTSP": b"GET / RTSP/1.0",
        "HTTPS/1.1": b"GET / HTTPS/1.1",
        "a method with a colon": b"GE:T / HTTP/1.1",
        "a method in brackets": b"(GET) / HTTP/1.1",
        "a non-ASCII method": b"G\xc9T / HTTP/1.1",
        "a quoted method": b'"GET" / HTTP/1.1',
        "a NUL in the target": b"GET /\x00 HTTP/1.1",
        "a DEL in the target": b"GET /\x7f HTTP/1.1",
        "a space in the target": b"GET /a b HTTP/1.1",
        "a form feed in the target": b"GET /\x0c HTTP/1.1",
        "a bare CR in the target": b"GET /\rX HTTP/1.1",
        "a CR before the line end": b"GET / HTTP/1.1\r",
        "a fourth word": b"GET / HTTP/1.1 x",
        "a PRI preface": b"PRI * HTTP/2.0",
        "a response": b"HTTP/1.1 200 OK",
        "a TLS record": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "a byte order mark": b"\xef\xbb\xbfGET / HTTP/1.1",
        "a relative target": b"GET a/b HTTP/1.1",
        "a target of a question mark": b"GET ?a=b HTTP/1.1",
        "the asterisk form for GET": b"GET * HTTP/1.1",
        "an asterisk with a tail": b"OPTIONS *a HTTP/1.1",
        "a scheme that is not http": b"GET ftp://a/ HTTP/1.1",
        "absolute form without an authority": b"GET http:/// HTTP/1.1",
        "absolute form with one slash": b"GET http:/a/ HTTP/1.1",
        "absolute form with userinfo": b"GET http://u:p@a/ HTTP/1.1",
        "absolute form with two ports": b"GET http://a:1:2/ HTTP/1.1",
        "absolute form with a comma": b"GET http://a,b/ HTTP/1.1",
        "absolute form with another host": b"GET http://b/ HTTP/1.1",
        "absolute form with a port Host lacks": b"GET http://a:80/ HTTP/1.1",
        "absolute form with a fragment for a path": b"GET http://a#b HTTP/1.1",
        "authority form for GET": b"GET a:443 HTTP/1.1",
        "CONNECT to a path": b"CONNECT / HTTP/1.1",
        "CONNECT without a port": b"CONNECT a HTTP/1.1",
        "CONNECT to port 0": b"CONNECT a:0 HTTP/1.1",
        "CONNECT to port 65536": b"CONNECT a:65536 HTTP/1.1",
        "CONNECT with userinfo": b"CONNECT u@a:443 HTTP/1.1",
        "CONNECT with a scheme": b"CONNECT https://a:443 HTTP/1.1",
        "CONNECT with a path": b"CONNECT a:443/ HTTP/1.1",
    }.items()
}

LINE_ENDS = {
    "LF alone after the request line": b"GET / HTTP/1.1\nHost: a\r\n\r\n",
    "LF alone everywhere": b"GET / HTTP/1.1\nHost: a\n\n",
    "LF alone after a header": b"GET / HTTP/1.1\r\nHost: a\n\r\n",
    "LF alone for the empty line": b"GET / HTTP/1.1\r\nHost: a\r\n\n",
    "CR alone after the request line": b"GET / HTTP/1.1\rHost: a\r\n\r\n",
    "CR alone between headers": b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
    "two empty lines first": b"\r\n\r\n" + get(),
    "LF first": b"\n" + get(),
    "CR CR LF first": b"\r\r\n" + get(),
    "a space line first": b" \r\n" + get(),
    "nothing but empty lines": b"\r\n\r\n\r\n\r\n",
}

FIELDS = {
    name: get(line) for name, line in {
        "a space before the colon": b"X : b",
        "a tab before the colon": b"X\t: b",
        "a folded line": b"X: a\r\n b",
        "a line folded with a tab": b"X: a\r\n\tb",
        "a line of spaces": b"  ",
        "no colon": b"nonsense",
        "an empty name": b": b",
        "a space in the name": b"X Y: b",
        "a leading space": b" X: b",
        "a NUL in the name": b"X\x00: b",
        "a non-ASCII name": b"X\xe9: b",
        "a parenthesis in the name": b"X(): b",
        "a quoted name": b'"X": b',
        "a slash in the name": b"X/Y: b",
        "a NUL in a value": b"X: a\x00b",
        "a bare CR in a value": b"X: a\rb",
        "a bare LF in a value": b"X: a\nb",
        "a bell in a value": b"X: \x07",
        "an escape in a value": b"X: \x1b[0m",
        "a vertical tab in a value": b"X: a\x0bb",
        "a DEL in a value": b"X: a\x7f",
        "a second request line": b"GET /b HTTP/1.1",
    }.items()
} | {"a folded first header": b"GET / HTTP/1.1\r\n Host: a\r\n\r\n"}

HOST = {
    "no Host": head(b"GET / HTTP/1.1"),
    "no Host among other headers": head(b"GET / HTTP/1.1", b"X-Host: a"),
    "no Host with absolute form": head(b"GET http://a/ HTTP/1.1"),
    "absolute form in HTTP/1.0 without Host": head(b"GET http://a/ HTTP/1.0"),
    "an empty Host with absolute form": head(b"GET http://a/ HTTP/1.1", b"Host:"),
    "two Hosts": get(b"Host: a"),
    "two different Hosts": get(b"hOST: b"),
    "two Hosts in HTTP/1.0": head(b"GET / HTTP/1.0", b"Host: a", b"Host: b"),
} | {
    name: head(b"GET / HTTP/1.1", b"Host: " + value) for name, value in {
        "a bad escape": b"lo%al",
        "userinfo": b"u@a", "a path": b"a/b", "a query": b"a?b", "a fragment": b"a#b", "a quote": b'"a"',
        "two ports": b"a:1:2", "a port that is no number": b"a:b", "an empty port": b"a:", "six digits": b"a:100000",
        "a space": b"a b", "a scheme": b"http://a", "an open bracket": b"[::1", "an IPv6 zone": b"[fe80::1%25eth0]",
        "non-ASCII": b"\xe9", "a backslash": b"a\\b", "a comma": b"a, b", "a tab": b"a\tb", "a list": b"a,a",
    }.items()
}

LENGTH = {
    name: post(*fields, body=b"hello") for name, fields in {
        "Content-Length with a plus": (b"Content-Length: +5",),
        "Content-Length below zero": (b"Content-Length: -5",),
        "Content-Length in hexadecimal": (b"Content-Length: 0x5",),
        "Content-Length with a letter": (b"Content-Length: 5a",),
        "Content-Length with a point": (b"Content-Length: 5.0",),
        "Content-Length with an exponent": (b"Content-Length: 5e0",),
        "Content-Length with a space inside": (b"Content-Length: 5 5",),
        "Content-Length with an underscore": (b"Content-Length: 1_0",),
        "Content-Length in quotes": (b'Content-Length: "5"',),
        "an empty Content-Length": (b"Content-Length:",),
        "Content-Length in other digits": ("Content-Length: ٥".encode(),),
        "Content-Length past 64 bits": (b"Content-Length: 18446744073709551621",),
        "a list of equal lengths": (b"Content-Length: 5, 5",),
        "a list of different lengths": (b"Content-Length: 5, 6",),
        "a trailing comma": (b"Content-Length: 5,",),
        "two equal lengths": (b"Content-Length: 5", b"Content-Length: 5"),
        "two different lengths": (b"Content-Length: 5", b"content-length: 6"),
        "length beside chunked": (b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        "chunked beside length": (b"Transfer-Encoding: chunked", b"Content-Length: 5"),
        "length beside an empty coding": (b"Content-Length: 5", b"Transfer-Encoding:"),
        "length beside identity": (b"Content-Length: 5", b"Transfer-Encoding: identity"),
    }.items()
}

CODING = {
    name: post(*fields, body=b"0\r\n\r\n") for name, fields in {
        "identity": (b"Transfer-Encoding: identity",),
        "gzip": (b"Transfer-Encoding: gzip",),
        "gzip, chunked": (b"Transfer-Encoding: gzip, chunked",),
        "chunked, gzip": (b"Transfer-Encoding: chunked, gzip",),
        "chunked twice in one line": (b"Transfer-Encoding: chunked, chunked",),
        "chunked twice": (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
        "chunked and identity": (b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
        "an empty coding": (b"Transfer-Encoding:",),
        "chunked with a leading comma": (b"Transfer-Encoding: ,chunked",),
        "chunked with a parameter": (b"Transfer-Encoding: chunked;q=1",),
        "chunked in quotes": (b'Transfer-Encoding: "chunked"',),
        "chunke": (b"Transfer-Encoding: chunke",),
        "xchunked": (b"Transfer-Encoding: xchunked",),
        "chunked with a vertical tab": (b"Transfer-Encoding: \x0bchunked",),
        "chunked with a no-break space": (b"Transfer-Encoding: \xa0chunked",),
    }.items()
} | {
    "chunked in HTTP/1.0": head(b"POST / HTTP/1.0", b"Host: a", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "CONNECT with a length": head(b"CONNECT a:443 HTTP/1.1", b"Host: a:443", b"Content-Length: 1") + b"x",
    "CONNECT with another Host": head(b"CONNECT a:443 HTTP/1.1", b"Host: b:443"),
    "CONNECT with another port in Host": head(b"CONNECT a:443 HTTP/1.1", b"Host: a:444"),
    "CONNECT with an empty Host": head(b"CONNECT a:443 HTTP/1.1", b"Host:"),
    "CONNECT in chunks": head(b"CONNECT a:443 HTTP/1.1", b"Host: a:443", b"Transfer-Encoding: chunked"),
}

CONNECTION = {
    name: post(value, b"Content-Length: 0") for name, value in {
        "Connection names Host": b"Connection: Host",
        "Connection names Content-Length": b"Connection: close, content-length",
        "Connection names Transfer-Encoding": b"Connection: Transfer-Encoding",
        "a second Connection names Host": b"Connection: close\r\nConnection: hOST",
    }.items()
}

CHUNKS = {
    name: chunked(body) for name, body in {
        "an empty size": b"\r\nhello\r\n0\r\n\r\n",
        "a size that is not hexadecimal": b"g\r\nhello\r\n0\r\n\r\n",
        "a size with 0x": b"0x5\r\nhello\r\n0\r\n\r\n",
        "a size with a plus": b"+5\r\nhello\r\n0\r\n\r\n",
        "a size below zero": b"-5\r\nhello\r\n0\r\n\r\n",
        "a size with an underscore": b"0_5\r\nhello\r\n0\r\n\r\n",
        "a size of seventeen digits": b"00000000000000005\r\nhello\r\n0\r\n\r\n",
        "a space before the size": b" 5\r\nhello\r\n0\r\n\r\n",
        "a space after the size": b"5 \r\nhello\r\n0\r\n\r\n",
        "a tab after the size": b"5\t\r\nhello\r\n0\r\n\r\n",
        "LF alone after the size": b"5\nhello\r\n0\r\n\r\n",
        "CR alone after the size": b"5\rhello\r\n0\r\n\r\n",
        "CR CR LF after the size": b"5\r\r\nhello\r\n0\r\n\r\n",
        "LF alone after the data": b"5\r\nhello\n0\r\n\r\n",
        "nothing after the data": b"5\r\nhello0\r\n\r\n",
        "data longer than its size": b"4\r\nhello\r\n0\r\n\r\n",
        "data shorter than its size": b"6\r\nhello\r\n0\r\n\r\n",
        "an empty line between chunks": b"5\r\nhello\r\n\r\n0\r\n\r\n",
        "LF alone after the last chunk": b"5\r\nhello\r\n0\n\r\n",
        "LF alone at the end": b"5\r\nhello\r\n0\r\n\n",
        "an extension without a name": b"5;\r\nhello\r\n0\r\n\r\n",
        "an extension without a value": b"5;a=\r\nhello\r\n0\r\n\r\n",
        "an extension with a space": b"5; a=b\r\nhello\r\n0\r\n\r\n",
        "an extension with a bare LF": b"5;a=\"\n\"\r\nhello\r\n0\r\n\r\n",
        "an extension with an open quote": b"5;a=\"b\r\nhello\r\n0\r\n\r\n",
        "an extension with a control byte": b"5;a=\x01\r\nhello\r\n0\r\n\r\n",
        "an extension past 1 KiB": b"5;" + b"a" * 1100 + b"\r\nhello\r\n0\r\n\r\n",
        "an endless extension": b"5;" + b"a" * 1100,
        "a trailer": b"5\r\nhello\r\n0\r\nX: y\r\n\r\n",
        "Host in a trailer": b"0\r\nHost: b\r\n\r\n",
        "Content-Length in a trailer": b"0\r\nContent-Length: 5\r\n\r\n",
        "a folded trailer": b"0\r\n X: y\r\n\r\n",
        "a request in the trailer": b"0\r\n" + get(),
    }.items()
}

EXPECT = {
    name: post(*fields, b"Content-Length: 5", body=b"hello") for name, fields in {
        "Expect something else": (b"Expect: 200-ok",),
        "Expect nothing": (b"Expect:",),
        "Expect 100-continue with more": (b"Expect: 100-continue, x",),
        "Expect twice": (b"Expect: 100-continue", b"Expect: 100-continue"),
    }.items()
}

GROUPS = {"request line": REQUEST_LINE, "line end": LINE_ENDS, "field": FIELDS, "host": HOST, "length": LENGTH,
          "coding": CODING, "connection": CONNECTION, "chunk": CHUNKS}

MALFORMED: dict[str, tuple[bytes, str]] = {
    f"{group}: {name}": (raw, BAD) for group, table in GROUPS.items() for name, raw in table.items()
} | {f"expect: {name}": (raw, "expectation_failed") for name, raw in EXPECT.items()}

"""Malformed requests by the rule that each one breaks, written out of RFC 9110's and 9112's MUSTs and of the published
desynchronisation classes; each is a first request, so that nothing of it may reach the bank.

family -> requests.  Behind most of them stands a second request that a recipient would see who reads the first wrongly.
"""

from __future__ import annotations

from collections.abc import Iterator

SMUGGLED = b"GET /echo/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
_CONTROLS = bytes([*range(0x20), 0x7F])
_TOKEN = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_NOT_TOKEN = bytes(byte for byte in range(256) if byte not in _TOKEN)
_METHODS = (b"GET", b"POST", b"PUT", b"DELETE")


def head(line: bytes, *fields: bytes, host: bytes | None = b"Host: localhost") -> bytes:
    return b"\r\n".join((line, *((host,) if host is not None else ()), *fields, b"", b""))


def post(*fields: bytes, body: bytes = b"", method: bytes = b"POST") -> bytes:
    return head(method + b" /echo/a HTTP/1.1", *fields) + body


def byte(value: int) -> bytes:
    return bytes((value,))


def _request_line() -> Iterator[bytes]:
    for value in _CONTROLS + b" ":
        mark = byte(value)
        yield head(b"GE" + mark + b"T /echo HTTP/1.1")
        yield head(b"GET " + mark + b"/echo HTTP/1.1")
        yield head(b"GET /ec" + mark + b"ho HTTP/1.1")
        yield head(b"GET /echo HTTP" + mark + b"/1.1")
        yield head(b"GET /echo HTTP/1." + mark + b"1")
        yield head(b"GET /echo HTTP/1.1" + mark) if value != 0x0D else head(b"GET /echo HTTP/1.1\r\r")
        if value not in b"\r\n":
            yield mark + head(b"GET /echo HTTP/1.1")
    for value in _NOT_TOKEN:
        if value not in b"\r\n ":
            yield head(b"G" + byte(value) + b"T /echo HTTP/1.1")
    for version in (
        b"",
        b"HTTP",
        b"HTTP/",
        b"HTTP/1",
        b"HTTP/1.",
        b"HTTP/.1",
        b"HTTP/0.9",
        b"HTTP/1.2",
        b"HTTP/1.10",
        b"HTTP/01.1",
        b"HTTP/1.01",
        b"HTTP/2",
        b"HTTP/2.0",
        b"HTTP/3",
        b"HTTP/11",
        b"HTTP/1,1",
        b"HTTP/1:1",
        b"HTTP/ 1.1",
        b"HTTP /1.1",
        b"http/1.1",
        b"Http/1.1",
        b"HTTPS/1.1",
        b"ICY/1.1",
        b"RTSP/1.0",
        b"HTP/1.1",
        b"HTTP/-1.1",
        b"HTTP/+1.1",
        b"HTTP/1.1x",
        b"HTTP/1.1.1",
        b"HTTP/x.y",
        b"HTTP/\xb9.1",
        b"HTTP\\1.1",
        b"HTTP/1.1;",
        b"HTTP/1.1,",
        b"HTTP/1.1 HTTP/1.1",
        b"1.1",
        b"HTTP1.1",
        b"HTTP//1.1",
        b"IHTTP/1.1",
    ):
        for method in _METHODS[:2]:
            yield head(method + b" /echo " + version) + SMUGGLED
    yield from (
        b"\r\n\r\n" + head(b"GET /echo HTTP/1.1"),
        b"\n" + head(b"GET /echo HTTP/1.1"),
        b"\r\n \r\n" + head(b"GET /echo HTTP/1.1"),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + SMUGGLED,
    )


def _fields() -> Iterator[bytes]:
    for value in _NOT_TOKEN:
        if value not in b"\r\n:":
            yield head(b"GET /echo HTTP/1.1", b"X" + byte(value) + b"Y: z") + SMUGGLED
            yield head(b"GET /echo HTTP/1.1", byte(value) + b"Y: z") + SMUGGLED
    for value in _CONTROLS:
        if value != 0x09:
            for name in (b"X", b"Authorization", b"Content-Type"):
                yield head(b"GET /echo HTTP/1.1", name + b": a" + byte(value) + b"b") + SMUGGLED
    for name in (
        b"X",
        b"Host",
        b"Content-Length",
        b"Transfer-Encoding",
        b"Connection",
        b"Digest",
        b"Signature",
        b"Cookie",
    ):
        for blank in (b" ", b"\t", b"  ", b" \t"):
            yield head(b"POST /echo HTTP/1.1", name + blank + b": 5") + b"hello" + SMUGGLED
            yield head(b"POST /echo HTTP/1.1", b"X: y", blank + name + b": 5") + b"hello" + SMUGGLED  # folded
    for line in (b":", b": y", b"X", b"X y", b"=", b"X;y", b'"X": y', b"X\xc3\xa4: y", b"(c): y", b"X[]: y", b"X@Y: z"):
        for method in _METHODS:
            yield head(method + b" /echo HTTP/1.1", line) + SMUGGLED


def _line_ends() -> Iterator[bytes]:
    lines = (b"POST /echo/a HTTP/1.1", b"Host: localhost", b"X: y", b"Content-Length: 5", b"Accept: */*", b"")
    for wrong in (b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n\n", b"\r\n\r", b"\x0b", b"\x0c", b"\x00\r\n"):
        for at in range(len(lines)):
            if wrong == b"\r\n\r" and at == len(lines) - 1:
                continue  # the blank line, and the body begins with a CR
            if wrong == b"\r\n\n" and at == len(lines) - 1:
                continue
            yield (
                b"".join(line + (wrong if number == at else b"\r\n") for number, line in enumerate(lines))
                + b"hello"
                + (SMUGGLED)
            )


_LENGTHS = (
    b"",
    b"+5",
    b"-5",
    b"-0",
    b"5,5",
    b"5, 5",
    b"5,6",
    b",5",
    b"5,",
    b"5;5",
    b"5 5",
    b"5\t5",
    b"0x5",
    b"5h",
    b"5.0",
    b"5e0",
    b"\xb2",
    b"\xef\xbc\x95",
    b"five",
    b"NaN",
    b"'5'",
    b'"5"',
    b"(5)",
    b"5\\",
    b"=5",
    b"5=5",
    b"0 5",
    b"5_0",
    b"0b101",
    b"0o5",
    b"1 ,5",
    b"\x005",
    b"5\x00",
    b"5\x0b",
    b"\x0c5",
    b"5\xa0",
    b"1" * 40 + b"x",
    b"--5",
    b"++5",
    b"5-",
    b"5+",
)


def _lengths() -> Iterator[bytes]:
    for value in _LENGTHS:
        for method in (*_METHODS, b"PATCH"):
            yield post(b"Content-Length: " + value, body=b"hello" + SMUGGLED, method=method)
    for first, second in (
        (b"5", b"5"),
        (b"5", b"6"),
        (b"0", b"5"),
        (b"5", b"0"),
        (b"5", b""),
        (b"", b"5"),
        (b"05", b"5"),
    ):
        for name in (b"Content-Length", b"content-length", b"CONTENT-LENGTH"):
            yield post(b"Content-Length: " + first, name + b": " + second, body=b"hello" + SMUGGLED)
            yield post(b"Content-Length: " + first, b"X: y", name + b": " + second, body=b"hello" + SMUGGLED)


_CODINGS = (
    b"",
    b"identity",
    b"gzip",
    b"deflate",
    b"compress",
    b"br",
    b"x-chunked",
    b"chunked, chunked",
    b"chunked,chunked",
    b"gzip, chunked",
    b"chunked, gzip",
    b"identity, chunked",
    b"chunked, identity",
    b",chunked",
    b"chunked,",
    b", ,chunked",
    b"chunked;",
    b"chunked;q=1",
    b"chunked; a=b",
    b"xchunked",
    b"chunkedx",
    b"chunke",
    b"chun ked",
    b"chunked chunked",
    b"\x0bchunked",
    b"chunked\x0b",
    b'"chunked"',
    b"'chunked'",
    b"(chunked)",
    b"chunked/1",
    b"chunked\x00",
    b"\x00chunked",
    b"ch\x75nked\xff",
    b"\xc4\x8dhunked",
    b"trailers",
    b"tchunked",
    b"chunked=1",
    b"=chunked",
    b"0",
    b"chunked\\",
    b"cow",
)


def _codings() -> Iterator[bytes]:
    body = b"5\r\nhello\r\n0\r\n\r\n" + SMUGGLED
    for value in _CODINGS:
        for method in _METHODS:
            yield post(b"Transfer-Encoding: " + value, body=body, method=method)
        yield post(b"Content-Length: 5", b"Transfer-Encoding: " + value, body=body)
        yield post(b"Transfer-Encoding: " + value, b"Content-Length: 5", body=body)
    for fields in (
        (b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        (b"Transfer-Encoding: chunked", b"Content-Length: 0"),
        (b"Transfer-Encoding: chunked", b"Content-Length: 15"),
        (b"transfer-encoding: CHUNKED", b"content-length: 5"),
        (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
        (b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
        (b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked"),
        (b"Transfer-Encoding:", b"Content-Length: 5"),
        (b"Content-Length: 5", b"Transfer-Encoding:"),
        (b"Transfer-Encoding\t: chunked", b"Content-Length: 5"),
        (b"X: y\r\n Transfer-Encoding: chunked",),
        (b"Transfer-Encoding:\r\n chunked",),
        (b"Transfer-Encoding: chun\r\n ked",),
    ):
        for method in _METHODS:
            yield post(*fields, body=body, method=method)
    yield b"POST /echo HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + body
    yield (
        b"GET /echo HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n" + body
    )


def _chunks() -> Iterator[bytes]:
    def chunked(body: bytes) -> bytes:
        return post(b"Transfer-Encoding: chunked", body=body + SMUGGLED)

    for size in (
        b"",
        b" ",
        b"5 ",
        b" 5",
        b"\t5",
        b"5\t",
        b"+5",
        b"-5",
        b"0x5",
        b"5h",
        b"g",
        b"5.0",
        b"5,5",
        b"5 5",
        b"\x005",
        b"5\x00",
        b"5\r",
        b"5\n",
        b"5\x0b",
        b"\xb2",
        b"\xef\xbc\x95",
        b"'5'",
        b'"5"',
        b"5_",
        b"_5",
        b"5\xff",
        b"fffffffffffffffff5",
        b"-0",
        b"x",
        b"0x",
        b"5:",
        b"5=",
        b"5/",
        b"(5)",
        b"5e",
        b"05;\x00",
    ):
        if size not in (b"5e", b"5 ", b"5\t"):
            yield chunked(size + b"\r\nhello\r\n0\r\n\r\n")
    for value in (*(v for v in _CONTROLS if v != 0x09), 0x7F):
        mark = byte(value)
        yield chunked(b"5;a" + mark + b"b\r\nhello\r\n0\r\n\r\n")
        yield chunked(b'5;a="b' + mark + b'c"\r\nhello\r\n0\r\n\r\n')
        yield chunked(b"0;a=" + mark + b"\r\n\r\n")
    for ext in (
        b";",
        b";;",
        b"; ",
        b";=",
        b";=b",
        b";a=",
        b';a="',
        b';a="b',
        b';a=b"',
        b";a b",
        b";a=b c",
        b";a=(b)",
        b";a=b;",
        b" a",
        b",a=b",
        b";a==b",
        b";[a]=b",
        b';a="b\\',
    ):
        yield chunked(b"5" + ext + b"\r\nhello\r\n0\r\n\r\n")
        yield chunked(b"5\r\nhello\r\n0" + ext + b"\r\n\r\n")
    for end in (
        b"hello0\r\n\r\n",
        b"hello\n0\r\n\r\n",
        b"hello\r0\r\n\r\n",
        b"hell\r\n0\r\n\r\n",
        b"hello!\r\n0\r\n\r\n",
        b"hello\r\n\r\n0\r\n\r\n",
        b"hello\r\n 0\r\n\r\n",
        b"hello\n\r0\r\n\r\n",
        b"hello\r\n0\n\n",
        b"hello\r\n0\r\r\n",
    ):
        yield chunked(b"5\r\n" + end)
        yield chunked(b"5\n" + end)
    for trailer in (
        b"X: y",
        b"Content-Length: 5",
        b"Transfer-Encoding: chunked",
        b"Host: b",
        b"Digest: z",
        b"Authorization: z",
        b"X",
        b" X: y",
        b"X : y",
        b":",
        b"Signature: z",
        b"X: a\x00b",
        b"Connection: close",
        b"Expect: 100-continue",
    ):
        yield chunked(b"5\r\nhello\r\n0\r\n" + trailer + b"\r\n\r\n")
        yield chunked(b"0\r\n" + trailer + b"\r\n\r\n")


def _hosts() -> Iterator[bytes]:
    line = b"GET /echo HTTP/1.1"
    yield head(line, host=None)
    yield head(line, b"Host: localhost")
    yield head(line, b"Host: other")
    yield head(line, b"host: localhost")
    for value in (*_CONTROLS, *b' "#,/<>?@\\^`{|}'):
        if value not in b"\r\n\t":
            yield head(line, host=b"Host: local" + byte(value) + b"host")
            yield head(line, host=b"Host: localhost" + byte(value) + b"x")
    for name in (
        b"a:b",
        b"localhost:",
        b"localhost:-1",
        b"localhost:0x50",
        b"localhost:80:80",
        b"localhost:99999",
        b"[::1",
        b"::1]",
        b"[::1]x",
        b"[]",
        b"[:::1]",
        b"user@localhost",
        b"user:pw@localhost",
        b"localhost/x",
        b"http://localhost",
        b"localhost, other",
        b"localhost other",
        b"%00",
        b"localhost%0d%0a",
        b"localhost#",
        b"localhost?",
        b"*",
        b".",
        b"..",
    ):
        yield head(line, host=b"Host: " + name)
        yield head(b"POST /echo HTTP/1.1", b"Content-Length: 5", host=b"Host: " + name) + b"hello"
    for target in (
        b"http:///echo",
        b"http:/localhost/echo",
        b"http:localhost",
        b"http://",
        b"http://other.example/echo",
        b"http://user@localhost/echo",
        b"http://user:pw@localhost/echo",
        b"http://localhost:/echo",
        b"http://localhost:0/echo",
        b"http://localhost:99999/echo",
        b"http://localhost:80:80/echo",
        b"http://local host/echo",
        b"http://localhost\\@b/echo",
        b"http://[::1/echo",
        b"http://localhost,b/echo",
        b"http://localhost#/echo",
        b"ftp://localhost/echo",
        b"file:///etc/passwd",
        b"ws://localhost/echo",
        b"javascript:alert(1)",
        b"localhost/echo",
        b"localhost:443",
        b"echo",
        b"?a=b",
        b"*",
        b"*/echo",
        b"**",
        b"@",
        b"\\echo",
        b"%2fecho",
        b":80",
        b"#",
    ):
        for method in _METHODS[:2]:
            yield head(method + b" " + target + b" HTTP/1.1") + SMUGGLED


def _targets() -> Iterator[bytes]:
    """Sent as they are, these would be signed as one thing and read as another."""
    for value in (*range(0x21), *range(0x7F, 0x100), *b"#\\"):
        if value not in b"\r\n ":
            yield head(b"GET /echo/a" + byte(value) + b"b HTTP/1.1")
            yield head(b"GET /echo?a=" + byte(value) + b"b HTTP/1.1")
    for path in (
        b"//echo",
        b"/echo//a",
        b"/echo/a//",
        b"/echo/../a",
        b"/echo/./a",
        b"/echo/..",
        b"/echo/.",
        b"/../echo",
        b"/echo/%2e%2e/a",
        b"/echo/%2E/a",
        b"/echo/.%2e/a",
        b"/echo/%2e./a",
        b"/echo/..;/a",
        b"/echo/%",
        b"/echo/%2",
        b"/echo/%zz",
        b"/echo/%0a",
        b"/echo/%0d%0a",
        b"/echo/%00",
        b"/echo/%5c..",
        b"/echo/a%0Ab",
        b"/echo/%5C",
        b"/echo/%g0",
        b"/echo/a%",
        b"/echo/%u0041",
    ):
        for method in _METHODS:
            yield head(method + b" " + path + b" HTTP/1.1")


FAMILIES = {
    "request line": _request_line,
    "fields": _fields,
    "line ends": _line_ends,
    "content-length": _lengths,
    "transfer-encoding": _codings,
    "chunks": _chunks,
    "host and authority": _hosts,
    "target": _targets,
}


def malformed() -> list[tuple[str, bytes]]:
    """Each once."""
    seen: dict[bytes, str] = {}
    for family, make in FAMILIES.items():
        for raw in make():
            seen.setdefault(raw, family)
    return [(family, raw) for raw, family in seen.items()]

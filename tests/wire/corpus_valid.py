"""Requests that must be read, and how: name -> (bytes, method, target, body)."""

from __future__ import annotations

from tests.wire.corpus_malformed import chunked, get, head, post

_LONG = b"/" + b"a" * 8000


def _line(line: bytes) -> bytes:
    return head(line, b"Host: a")


TARGETS = {
    "the shortest path": b"/",
    "a path": b"/personal/v5/accounts/FI6593857450293470-EUR",
    "a query": b"/a?b=c&d=e",
    "an empty query": b"/a?",
    "two question marks": b"/a?b?c",
    "percent escapes": b"/%C3%A4%2f%7e",
    "a bad escape, judged later": b"/%zz",
    "two slashes, judged later": b"//a",
    "dots, judged later": b"/a/../b",
    "a fragment, judged later": b"/a#b",
    "a backslash, judged later": b"/a\\b",
    "raw non-ASCII, judged later": "/ä".encode(),
    "every mark": b"/!\"$&'()*+,-.:;<=>@[]^_`{|}~",
    "a URL in the query": b"/a?u=http://b/c?d",
    "a long path": _LONG,
    "HTTP/1.1 in the path": b"/HTTP/1.1",
}

METHODS = (b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"get", b"M-SEARCH",
           b"X!#$%&'*+.^_`|~9")

HOSTS = (b"a", b"a:8080", b"127.0.0.1", b"127.0.0.1:80", b"[::1]", b"[::1]:8080", b"api.nordeaopenbanking.com",
         b"LOCALHOST", b"a_b", b"a.", b"xn--nxasmq6b", b"a%20b", b"")

FIELDS = {
    "no space after the colon": b"X:b",
    "many spaces around a value": b"X: \t  b \t ",
    "an empty value": b"X:",
    "a value of spaces": b"X:   ",
    "tabs inside a value": b"X: a\tb",
    "non-ASCII in a value": "X: ä".encode(),
    "Latin-1 in a value": b"X: \xe4\xff\x80",
    "colons in a value": b"X: a:b:c",
    "quotes in a value": b'X: "a\\"b"',
    "the same name twice": b"X: a\r\nX: b",
    "the same name in two spellings": b"X-A: a\r\nx-a: b",
    "every mark in a name": b"!#$%&'*+-.^_`|~9: b",
    "an underscore in a name": b"X_IBM_Client_Id: b",
    "a long value": b"X: " + b"b" * 8000,
    "Connection: close": b"Connection: close",
    "Connection: keep-alive": b"Connection: keep-alive",
    "Connection with empty members": b"Connection: , close,,",
    "an upgrade nobody takes": b"Connection: Upgrade\r\nUpgrade: h2c",
    "a length of zero": b"Content-Length: 0",
    "Expect without a body": b"Expect: 100-continue",
    "TE": b"TE: trailers, deflate;q=0.5",
}

BODIES = {
    "a body": (post(b"Content-Length: 5", body=b"hello"), b"hello"),
    "a length with leading zeros": (post(b"Content-Length: 0000000005", body=b"hello"), b"hello"),
    "a body of CRLFs": (post(b"Content-Length: 8", body=b"\r\n\r\n\r\n\r\n"), b"\r\n\r\n\r\n\r\n"),
    "a body that is a request": (post(b"Content-Length: 27", body=get()), get()),
    "a body with every byte": (post(b"Content-Length: 256", body=bytes(range(256))), bytes(range(256))),
    "no length, so no body": (post(), b""),
    "spaces around the length": (post(b"Content-Length: \t 5 ", body=b"hello"), b"hello"),
    "Expect with its body at once": (post(b"Expect: 100-Continue", b"Content-Length: 5", body=b"hello"), b"hello"),
    "a gzip body": (post(b"Content-Encoding: gzip", b"Content-Length: 3", body=b"\x1f\x8b\x08"), b"\x1f\x8b\x08"),
    "no chunks": (chunked(b"0\r\n\r\n"), b""),
    "one chunk": (chunked(b"5\r\nhello\r\n0\r\n\r\n"), b"hello"),
    "three chunks": (chunked(b"1\r\nh\r\n3\r\nell\r\n1\r\no\r\n0\r\n\r\n"), b"hello"),
    "a chunk of CRLF": (chunked(b"2\r\n\r\n\r\n0\r\n\r\n"), b"\r\n"),
    "a chunk that looks like the end": (chunked(b"5\r\n0\r\n\r\n\r\n0\r\n\r\n"), b"0\r\n\r\n"),
    "sizes in both cases": (chunked(b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"), b"01234567890123456789"),
    "sizes with leading zeros": (chunked(b"0000000000000005\r\nhello\r\n000\r\n\r\n"), b"hello"),
    "an extension": (chunked(b"5;a\r\nhello\r\n0;b=c\r\n\r\n"), b"hello"),
    "a quoted extension": (chunked(b'5;a="b;\\"c";d=e\r\nhello\r\n0\r\n\r\n'), b"hello"),
    "chunked in capitals": (post(b"Transfer-Encoding: CHUNKED", body=b"1\r\nx\r\n0\r\n\r\n"), b"x"),
}

FORMS = {
    "HTTP/1.0": (head(b"GET /a HTTP/1.0", b"Host: a"), b"GET", b"/a"),
    "HTTP/1.0 without Host": (head(b"GET /a HTTP/1.0"), b"GET", b"/a"),
    "HTTP/1.0 with keep-alive": (head(b"GET /a HTTP/1.0", b"Connection: keep-alive"), b"GET", b"/a"),
    "HTTP/1.0 that expects something": (head(b"GET /a HTTP/1.0", b"Expect: whatever"), b"GET", b"/a"),
    "one empty line first": (b"\r\n" + _line(b"GET /a HTTP/1.1"), b"GET", b"/a"),
    "the asterisk form": (_line(b"OPTIONS * HTTP/1.1"), b"OPTIONS", b"*"),
    "absolute form": (_line(b"GET http://a/b?c HTTP/1.1"), b"GET", b"/b?c"),
    "absolute form without a path": (_line(b"GET http://a HTTP/1.1"), b"GET", b"/"),
    "absolute form with only a query": (_line(b"GET http://a?b HTTP/1.1"), b"GET", b"/?b"),
    "absolute form in capitals": (_line(b"GET HTTPS://A/b HTTP/1.1"), b"GET", b"/b"),
    "absolute form with two slashes": (_line(b"GET http://a//b HTTP/1.1"), b"GET", b"//b"),
    "absolute form with a port": (head(b"GET http://a:81/b HTTP/1.1", b"Host: a:81"), b"GET", b"/b"),
    "absolute form to an address": (head(b"GET http://[::1]:81/b HTTP/1.1", b"Host: [::1]:81"), b"GET", b"/b"),
    "CONNECT": (head(b"CONNECT a:443 HTTP/1.1", b"Host: a:443"), b"CONNECT", b"a:443"),
    "CONNECT to an address": (head(b"CONNECT [::1]:443 HTTP/1.1", b"Host: [::1]:443"), b"CONNECT", b"[::1]:443"),
    "CONNECT with a Host without the port": (head(b"CONNECT A:443 HTTP/1.1", b"Host: a"), b"CONNECT", b"A:443"),
    "CONNECT in HTTP/1.0 without Host": (head(b"CONNECT a:443 HTTP/1.0"), b"CONNECT", b"a:443"),
}

VALID: dict[str, tuple[bytes, bytes, bytes, bytes]] = (
    {f"target: {name}": (_line(b"GET %b HTTP/1.1" % target), b"GET", target, b"") for name, target in TARGETS.items()}
    | {f"method: {method.decode()}": (_line(method + b" /m HTTP/1.1"), method, b"/m", b"") for method in METHODS}
    | {f"host: {host.decode() or 'empty'}": (head(b"GET /h HTTP/1.1", b"Host: " + host), b"GET", b"/h", b"")
       for host in HOSTS}
    | {f"field: {name}": (get(line), b"GET", b"/", b"") for name, line in FIELDS.items()}
    | {f"body: {name}": (raw, b"POST", b"/p", body) for name, (raw, body) in BODIES.items()}
    | {f"form: {name}": (raw, method, target, b"") for name, (raw, method, target) in FORMS.items()})

"""What is read from a command is what the real curl sends for it, in a real shell."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.cli.pasted import read
from proxy.cli.pasted.posix import words
from proxy.cli.pasted.windows import cmd_words, powershell_words
from proxy.cli.verification import Unreadable

COMMANDS = [
    "curl URL/a",
    "curl 'URL/a?b=%2Fc&d=e'",
    'curl -X POST "URL/a" -H "A: \\"quoted\\" and \\\\ and \\$" -d \'{"a":"b"}\'',
    "curl URL/a -d a=1 -d b=2 -H 'Content-Type: text/plain'",
    "curl URL/a -da=1 -XPUT -HA:b",
    "curl URL/a --data-binary @FILE -H 'Content-Type: application/json'",
    "curl URL/a --data @FILE",
    "curl URL/a --data-ascii @FILE -d x",
    "curl URL/a --data-raw @FILE",
    "curl URL/a --data-urlencode 'a=b c&d/é~._-' --data-urlencode '=x y' --data-urlencode 'plain text'",
    "curl URL/a --data-urlencode name@FILE --data-urlencode @FILE",
    "curl URL/a --json '{\"a\":' --json '1}'",
    "curl URL/a --json @FILE -H 'Accept: x/y'",
    "curl -G URL/a -d b=1 --data-urlencode 'c=d e'",
    "curl -G 'URL/a?x=1' -d b=1",
    "curl -I URL/a",
    "curl --head -X GET URL/a",
    "curl -T FILE URL/a",
    "curl -u 'me:secret' URL/a",
    "curl --oauth2-bearer token URL/a",
    "curl -A agent -e http://referer -b 'c=d' URL/a",
    "curl -H 'Empty;' -H 'Accept:' -H 'Spaces:   a  b  ' URL/a",
    "curl URL/a -H @HEADERS",
    "curl URL/./b/../c/%2e%2e/d?x=/../y",
    "curl URL/a/..",
    "curl --path-as-is URL/./b/../c",
    "curl URL",
    "curl 'URL?a=1'",
    "curl 'URL/a#fragment'",
    "curl --url URL/a -sS -k --compressed -L -m 5 -o /dev/null --retry 0",
    "curl -sSo /dev/null -w '%{http_code}' URL/a",
    "curl URL//a//b",
    "curl --request-target '/other?x' URL/a",
    "curl URL/a -d $'line\\n\\ttab \\x41\\u00e9 \\101 it\\'s'",
    "curl URL/a -d 'it'\\''s'\" $'\"",
    "curl URL/a \\\n  -H 'A: b' \\\n  -d 'two\nlines' ; echo done",
    "A=b curl URL/a -d x | cat",
    "time curl URL/a -d x && true",
    "curl -X DELETE URL/a --data-raw ''",
    "curl -X POST URL/a -d ''",
    "curl -X POST -H 'Content-Type: application/json' URL/a --data '{\n  \"amount\": \"2.00\"\n}'",
    "curl --url-query 'b=c d' 'URL/a?x'",
    "curl -H 'Content-Type;' -d x URL/a",
    "curl -H 'Content-Type:' -d x URL/a",
    "curl -d x URL/a -H 'X: é'",
]


class Listener:
    """Takes one request at a time and keeps its bytes."""

    def __init__(self):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.received = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(10)
                data = b""
                while not self._complete(data):
                    data += connection.recv(65536)
                    if data.endswith(b"Expect: 100-continue\r\n\r\n"):
                        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                self.received.append(data)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    @staticmethod
    def _complete(data):
        head, end, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        return end and len(body) >= int(length[1] if length else 0)

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)


@pytest.fixture(scope="module")
def listener():
    for program in ("bash", "curl"):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}: apt-get install {program}")
    started = Listener()
    yield started
    started.close()


@pytest.mark.parametrize("command", COMMANDS)
def test_the_real_curl_sends_the_same(listener, command, tmp_path):
    if "--url-query" in command and not _has("--url-query"):
        pytest.skip("needs curl 7.87, which has --url-query")
    (tmp_path / "file").write_bytes(b'{"a": 1,\r\n "b": "\xc3\xa9"}\n')
    (tmp_path / "headers").write_bytes(b"First: 1\nSecond: 2\n")
    command = command.replace("URL", listener.url).replace("FILE", str(tmp_path / "file")).replace(
        "HEADERS", str(tmp_path / "headers"))
    subprocess.run(["bash", "-c", command], check=True, capture_output=True, timeout=30)
    head, _, body = listener.received[-1].partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    sent = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    (found,) = read(command.encode())
    message = found.message
    assert f"{message.method} {message.target} HTTP/1.1" == first
    assert message.body == body
    ours = [(name.lower(), value.strip()) for name, value in message.fields]
    assert set(ours) <= set(sent)
    assert message.all("content-type") == [value for name, value in sent if name == "content-type"]


def _has(option):
    return option in subprocess.run(["curl", "--help", "all"], capture_output=True, text=True, check=True).stdout


TEXTS = st.text(st.characters(exclude_characters="\0\ue000", exclude_categories=["Cs"]), max_size=12)
QUOTED = st.one_of(
    TEXTS.map(lambda text: "'" + text.replace("'", "'\\''") + "'"),
    TEXTS.map(lambda text: '"' + re.sub(r'([\\"$`])', r"\\\1", text) + '"'),
    TEXTS.map(lambda text: "$'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"),
    st.text("abcXYZ019-_./:,=@%+", min_size=1, max_size=8), st.sampled_from(["\\ ", "\\'", '\\"', "\\\n", "a\\$b"]))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.lists(QUOTED, min_size=1, max_size=3).map("".join), max_size=5))
def test_words_are_those_of_bash(listener, pieces):
    line = " ".join(pieces)
    done = subprocess.run(["bash", "-c", f"printf '%s\\0' x {line}"], capture_output=True, timeout=30, check=True)
    expected = done.stdout.decode("utf-8", "surrogateescape").split("\0")[1:-1]
    assert words(line, 0) == (expected, len(line))


@pytest.mark.parametrize(("split", "line", "expected"), [
    (cmd_words, '-d "{\\"a\\": 1}" -H ^"A: ^%^41 \\^"b\\^"^"', ['-d', '{"a": 1}', '-H', 'A: %41 "b"']),
    (cmd_words, 'a^\r\n  b "c ^ d" ^& e & f', ["a", "b", "c ^ d", "&", "e"]),
    (cmd_words, '"a""b" c\\\\ "d\\\\" e\\f', ['a"b', "c\\\\", "d\\", "e\\f"]),
    (powershell_words, "-d 'it''s' \"a`nb`\"c\"\"d\" `\r\n -H x;y", ["-d", "it's", 'a\nb"c"d', "-H", "x"]),
    (powershell_words, "-d @'\n{\n \"a\": 1}\n'@ -H b", ["-d", '{\n "a": 1}', "-H", "b"]),
])
def test_words_of_windows(split, line, expected):
    assert split(line, 0)[0] == expected


@pytest.mark.parametrize(("command", "reason"), [
    ("curl https://open.nordea.com/a?b=1&c=2 -H 'A: b'", "outside of quotes"),
    ("curl https://open.nordea.com/a -H 'A: b", "never closed"),
    ("curl https://open.nordea.com/a -H", "lacks its value"),
    ("curl -F a=b https://open.nordea.com/a", "multipart"),
    ("curl -K file https://open.nordea.com/a", "more options from a file"),
    ("curl -d @/does/not/exist https://open.nordea.com/a", "cannot be opened"),
    ("curl -d @/ https://open.nordea.com/a", "no regular file"),
    ("curl -d @- https://open.nordea.com/a", "--body-file"),
    ("curl -H 'A: b'", "names no URL"),
    ("curl ftp://host/a", "neither http"),
    ("curl -! https://open.nordea.com/a", "does not know"),
    ('curl https://open.nordea.com/a -H "Signature: $SIGNATURE"', "signature is a variable"),
    ('curl https://open.nordea.com/a -H "Digest: SHA-256=$(openssl dgst x)"', "digest is a variable"),
    ('curl "https://open.nordea.com/$ID"', "URL or body holds a variable"),
    ("curl https://open.nordea.com/a -d \"`date`\"", "URL or body holds a variable"),
    ("curl 'https://open.nordea.com/{{account}}'", "URL or body holds a variable"),
    ("curl https://open.nordea.com/a -X 'NO METHOD'", "no HTTP method"),
])
def test_what_cannot_be_known_is_said(command, reason):
    with pytest.raises(Unreadable, match=re.escape(reason)):
        read(command.encode())


def test_a_variable_that_no_signature_covers_does_not_matter():
    (found,) = read(b'curl "https://open.nordea.com/a" -H "Authorization: Bearer $TOKEN" -H "Signature: x"')
    assert found.message.one("authorization") == "Bearer $"


def test_several_commands_and_what_was_pasted_around_them():
    text = b"""$ export A=b
$ curl https://example.com/unrelated
hello
$ curl -H 'Signature: one' https://open.nordea.com/first
{"error":{}}
$ /usr/bin/curl -H 'Signature: two' https://open.nordea.com/second --next -H 'Signature: x' https://open.nordea.com/third
"""
    assert [(one.number, one.message.target) for one in read(text)] == [(2, "/first"), (3, "/second"), (4, "/third")]


def test_typographic_quotes_are_read_and_mentioned():
    (found,) = read("curl -H “Signature: x” ‘https://open.nordea.com/a’".encode())
    assert found.message.one("signature") == "x"
    assert "typographic" in found.message.notes[0]

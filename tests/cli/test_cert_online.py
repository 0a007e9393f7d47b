"""`cert lint --online` against a responder on loopback: every answer, and silence too, ends in at most one finding."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography.x509 import ocsp

from tests.keys import making
from tests.keys.responder import ocsp_answer, revocation_list
from tests.keys.seals import Issuer, der


class Responder(ThreadingHTTPServer):
    """answers: path to (status, body), or None for a connection that says nothing.  asked: (path, type, body)."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.asked, self.over = {}, [], threading.Event()

    def url(self, path):
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.path, self.headers.get("Content-Type"), body))
        answer = self.server.answers.get(self.path, (404, b""))
        if answer is None:
            self.server.over.wait()
            return
        self.send_response(answer[0])
        if answer[0] == 302:
            self.send_header("Location", answer[1].decode())
        self.send_header("Content-Length", str(len(answer[1])))
        self.end_headers()
        self.wfile.write(answer[1])

    do_POST = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture
def responder(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = Responder()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def issuer():
    return Issuer(datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
def lint(call, tmp_path, issuer):
    def run(certificate, *options, chain=True):
        making.write(tmp_path / "c", der(certificate), 0o644)
        making.write(tmp_path / "i", issuer.der, 0o644)
        rest = ["--chain", tmp_path / "i"] if chain else []
        result = call("cert", "lint", tmp_path / "c", "--online", "--json", *rest, *options)
        report = json.loads(result.stdout)
        return result.exit_code, report["status"], [finding["id"] for finding in report["findings"]]
    return run


@pytest.fixture
def issue(issuer, private_key, responder):
    return lambda **places: issuer.issue(private_key.public_key(), **{
        kind: responder.url(path) for kind, path in places.items()})


@pytest.mark.parametrize(("state", "expected"), [
    ("good", (0, "good", [])), ("revoked", (1, "revoked", ["revoked"])),
    ("unknown", (0, "unknown", ["status_unknown"]))])
def test_ocsp(lint, issue, issuer, responder, state, expected):
    seal = issue(ocsp="/o")
    responder.answers["/o"] = (200, ocsp_answer(issuer, seal, state, issuer.now))
    assert lint(seal) == expected
    ((path, kind, body),) = responder.asked
    assert (path, kind) == ("/o", "application/ocsp-request")
    assert ocsp.load_der_ocsp_request(body).serial_number == seal.serial_number


@pytest.mark.parametrize(("serials", "expected"), [((1,), (0, "good", [])),
                                                   ((0x0A1B2C3D,), (1, "revoked", ["revoked"]))])
def test_the_list_where_ocsp_fails(lint, issue, issuer, responder, serials, expected):
    responder.answers = {"/o": (503, b""), "/l": (200, revocation_list(issuer, serials, issuer.now))}
    assert lint(issue(ocsp="/o", crl="/l")) == expected
    assert [path for path, _, _ in responder.asked] == ["/o", "/l"]


@pytest.mark.parametrize("answer", [(200, b""), (200, b"garbage"), (404, b""), (302, b"file:///etc/passwd"),
                                    (302, b"ftp://127.0.0.1/")])
def test_no_usable_answer(lint, issue, responder, answer):
    responder.answers["/o"] = answer
    assert lint(issue(ocsp="/o")) == (0, "unreachable", ["status_unreachable"])


def test_an_answer_by_a_stranger(lint, issue, issuer, responder):
    seal = issue(ocsp="/o")
    responder.answers["/o"] = (200, ocsp_answer(Issuer(issuer.now), seal, "good", issuer.now))
    assert lint(seal)[1] == "unreachable"


def test_silence_ends_at_the_deadline(lint, issue, responder):
    responder.answers["/o"] = None
    assert lint(issue(ocsp="/o"), "--timeout", "0.2")[1] == "unreachable"


def test_nobody_listens(lint, issuer, private_key):
    seal = issuer.issue(private_key.public_key(), ocsp="http://127.0.0.1:9/")
    assert lint(seal)[1] == "unreachable"


def test_nobody_to_ask(lint, issue, issuer, private_key, responder):
    assert lint(issuer.issue(private_key.public_key())) == (0, "unpublished", ["status_unpublished"])
    assert lint(issue(ocsp="/o"), chain=False) == (0, "unchecked", ["chain_incomplete", "status_unchecked"])
    assert responder.asked == []

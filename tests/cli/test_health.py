"""`health` is silent when the proxy is alive, and says one line when it is not."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from click.testing import CliRunner

from proxy.cli.program import program


class Admin(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self):
        self.send_response(self.status if self.path == "/livez" else 404)
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def admin(request):
    handler = type("Handler", (Admin,), {"status": request.param})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("admin", [200], indirect=True)
def test_alive(process, admin):
    done = process("health", SIGNING_PROXY_ADMIN_PORT=str(admin))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.parametrize("admin", [503], indirect=True)
def test_not_alive(call, admin):
    result = call("health", "--admin-port", admin, "--admin-address", "0.0.0.0")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("signing-proxy: not_alive: The admin port answers 503")


def test_nobody_there(call):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        result = call("health", "--admin-port", taken.getsockname()[1])
    assert result.exit_code == 1
    assert result.stderr.startswith("signing-proxy: not_alive: The admin port 127.0.0.1:")
    assert "does not answer: nothing listens there. Check --admin-address" in result.stderr


def test_something_else_there(call):
    with socket.create_server(("127.0.0.1", 0)) as server:
        def answer():
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"SSH-2.0-nonsense\r\n")
        thread = threading.Thread(target=answer)
        thread.start()
        result = call("health", "--admin-port", server.getsockname()[1])
        thread.join()
    assert result.exit_code == 1
    assert "(BadStatusLine)" in result.stderr


def test_what_kubernetes_writes_for_a_service_is_no_port():
    for value, code in (("tcp://10.0.0.7:9090", "not_alive"), ("nonsense", "config_invalid")):
        result = CliRunner(env={"SIGNING_PROXY_ADMIN_PORT": value, "SIGNING_PROXY_ADMIN_ADDRESS": "127.0.0.2"}).invoke(
            program, ["health"])
        assert (result.exit_code, result.stderr.split(":")[1].strip()) == (1, code)


def test_an_address_that_is_none(call):
    result = call("health", "--admin-address", "a/b")
    assert (result.exit_code, result.stderr.split(":")[1].strip()) == (2, "usage")

"""`run --with-emulator` is the first minute with this program: what it prints works, and one signal ends all of it."""

from __future__ import annotations

import http.client
import json
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest

from tests.cli.captures import clean_environment


@contextmanager
def running(directory, *flags):
    """The process and the block it printed; it is ended by its own pid if the test did not."""
    command = [sys.executable, "-m", "proxy", "run", "--with-emulator", "--directory", str(directory), "--port", "0",
               "--admin-port", "0", "--min-sigterm-delay", "0", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env=clean_environment()) as child:
        try:
            lines = []
            for line in child.stdout:
                lines.append(line)
                if line.startswith("Ctrl-C"):
                    break
            yield child, "".join(lines)
        finally:
            child.kill()


def ask(url, method="GET", body=None, headers=(), proxy=None):
    host, _, path = (proxy or url).removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=30)
    try:
        connection.request(method, url if proxy else "/" + path, body, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def curl_lines(block):
    """The commands that are curl's alone, taken apart as a shell would: URL, method, body, headers, proxy of each."""
    for command in re.findall(r"^  curl ((?:.*\\\n)?.*)$", block, re.M):
        words = shlex.split(re.sub(r"\s+\(.*", "", command.replace("\\\n", " ")))
        headers = dict(words[i + 1].split(": ") for i, word in enumerate(words) if word == "-H")
        body = next((words[i + 1] for i, word in enumerate(words) if word == "-d"), None)
        proxy = words[words.index("-x") + 1] if "-x" in words else None
        url = next(word for word in words if word.startswith("http") and word != proxy)
        yield url, "GET" if body is None else "POST", body, headers, proxy


def test_what_the_block_says_works_and_ctrl_c_ends_both(tmp_path):
    with running(tmp_path / "it's here") as (child, block):
        answers = [ask(*line) for line in curl_lines(block)]
        assert [status for status, _ in answers] == [200, 201, 400, 200]
        assert json.loads(answers[0][1])["response"]["accounts"]
        assert json.loads(answers[3][1])["response"]["accounts"]
        assert json.loads(answers[2][1])["code"] == "bad_target"
        metrics = re.search(r"metrics\s+(\S+)", block)[1]
        status, text = ask(metrics)
        assert (status, b"requests_total" in text) == (200, True)
        token = (tmp_path / "it's here" / "admin-token")
        assert token.stat().st_mode & 0o777 == 0o600
        reload = metrics.replace("/metrics", "/reload"), "POST"
        assert ask(*reload, headers=[("Authorization", f"Bearer {token.read_text().strip()}")])[0] == 200
        assert ask(*reload)[0] == 401
        page, inspect = re.search(r"inspector\s+(\S+)#token=(\S+)", block).groups()
        assert b"<!doctype html>" in ask(page)[1]
        status, text = ask(page + "/api/exchanges", headers=[("Authorization", f"Bearer {inspect}")])
        assert [call["status"] for call in json.loads(text)["exchanges"]] == [200, 400, 201, 200]
        control = re.search(r"its view\s+(\S+)", block)[1]
        assert ask(control + "/received")[0] == 200
        child.send_signal(signal.SIGINT)
        assert child.wait() == 130
        with pytest.raises(ConnectionRefusedError):
            ask(control + "/received")
        logged = child.stderr.read()
        assert "Traceback" not in logged
        assert "the inspector" in logged
        assert inspect not in logged        # whoever reads the log is not whoever started it


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl: install it")
def test_the_line_with_exec_works_as_it_is_printed(tmp_path):
    with running(tmp_path / "it's here") as (_, block):
        line = re.search(r"^  (.* exec .*\\\n.*)$", block, re.M)[1]
        done = subprocess.run(["sh", "-c", line], capture_output=True, check=False, env=clean_environment())
        assert json.loads(done.stdout)["response"]["accounts"], done.stderr


@pytest.mark.parametrize(("flags", "code"), [([], 143), (["--exit-zero-on-sigterm"], 0)])
def test_sigterm(tmp_path, flags, code):
    with running(tmp_path, *flags, "--no-inspect") as (child, block):
        assert re.search(r"inspector\s+off\n", block)
        child.send_signal(signal.SIGTERM)
        assert child.wait() == code
        control = re.search(r"its view\s+(\S+)", block)[1]
        with pytest.raises(ConnectionRefusedError):
            ask(control + "/received")


def test_a_proxy_that_is_killed_leaves_no_emulator_behind(tmp_path):
    with running(tmp_path) as (child, block):
        child.kill()
        child.stderr.read()     # ends when the last process that holds the pipe has ended
        control = re.search(r"its view\s+(\S+)", block)[1]
        with pytest.raises(ConnectionRefusedError):
            ask(control + "/received")


@pytest.mark.parametrize("flag", ["--port", "--admin-port"])
def test_a_port_in_use_is_told_with_the_flag_that_helps(process, tmp_path, flag):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = {"--port": 0, "--admin-port": 0, flag: taken.getsockname()[1]}
        done = process("run", "--with-emulator", "--directory", tmp_path, *[str(w) for p in ports.items() for w in p])
    assert done.returncode == 1
    lines = done.stderr.decode().splitlines()
    assert [line for line in lines if flag in line and line.startswith("signing-proxy: address_in_use: ")] == lines


def test_a_config_file_and_the_emulator_exclude_each_other(call):
    result = call("run", "--with-emulator", "--config-file", "x")
    assert (result.exit_code, result.stderr.split(":")[1].strip()) == (2, "usage")


def test_a_configuration_with_two_problems_lists_both_with_their_places(process, tmp_path):
    (tmp_path / "proxy.yaml").write_text("prot: 1\nroutes:\n  - profile: nordae\n")
    done = process("run", "--config-file", tmp_path / "proxy.yaml")
    lines = done.stderr.decode().splitlines()
    assert done.returncode == 1
    assert lines[0].startswith("signing-proxy: config_invalid: ")
    assert any(line.startswith("  prot: ") for line in lines)
    assert any(line.startswith("  routes[0].profile: ") for line in lines)


@pytest.mark.parametrize("command", ["run", "check", "sign"])
def test_a_configuration_that_is_not_there(process, tmp_path, command):
    url = ["/a"] if command == "sign" else []
    done = process(command, "--config-file", tmp_path / "none.yaml", *url)
    assert done.returncode == 1
    assert done.stderr.decode().startswith("signing-proxy: config_")

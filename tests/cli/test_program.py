"""What holds for every command: help with examples, the documented exit codes, one line per failure, a quick start."""

from __future__ import annotations

import re
import subprocess
import sys

import click
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy import __version__
from proxy.cli.program import COMMANDS, program
from proxy.cli.verification.causes import CAUSES
from tests.cli.captures import ROOT, clean_environment

DOCUMENT = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")


def test_the_document_lists_every_command():
    rows = re.findall(r"^\| `([a-z]+)` \|", DOCUMENT.split("## Exit codes")[0], re.M)
    assert rows == program.list_commands(click.Context(program)) == list(COMMANDS)


def test_the_document_lists_every_cause_of_verify():
    rows = re.findall(r"^\| `([a-z_0-9]+)` \| (.*) \|$", DOCUMENT.split("| cause | meaning |")[1], re.M)
    assert rows == [(cause, f"{what} {advice}") for cause, (what, advice) in CAUSES.items()]


def test_the_document_lists_every_exit_code():
    from proxy.cli import failures

    section = DOCUMENT.split("## Exit codes")[1].split("## Messages")[0]
    codes = {failures.OK, failures.FAILED, failures.REFUSED, failures.INTERRUPTED, failures.BROKEN_PIPE,
             failures.NOT_EXECUTABLE, failures.NOT_FOUND, 143}
    rows = re.findall(r"^\| ([\d, ]+) \|", section, re.M)
    assert {int(code) for row in rows for code in row.split(",")} == codes


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_with_the_summary_of_the_table(call, name):
    result = call(name, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: signing-proxy {name} ")


def test_each_command_has_examples_also_inside_groups():
    def without(command, context):
        if "Example" not in command.get_help(context):
            yield context.command_path
        for name in command.list_commands(context) if isinstance(command, click.Group) else ():
            inner = command.get_command(context, name)
            yield from without(inner, click.Context(inner, info_name=name, parent=context))

    assert list(without(program, click.Context(program, info_name="signing-proxy"))) == []


def test_no_summary_or_example_of_a_help_is_cut():
    """click shortens a summary that is too long, and wraps an example."""
    def cut(command, context):
        text = command.get_help(context)
        rows = text.partition("Commands:")[2].splitlines()
        if any(row.endswith("...") for row in rows) or re.search(r"^  Example: [^\n]*\n  --", text, re.M):
            yield context.command_path
        for name in command.list_commands(context) if isinstance(command, click.Group) else ():
            inner = command.get_command(context, name)
            yield from cut(inner, click.Context(inner, info_name=name, parent=context, terminal_width=80))

    assert list(cut(program, click.Context(program, info_name="signing-proxy", terminal_width=80))) == []


@pytest.mark.parametrize("words", [(), ("cert",), ("audit",)])
def test_a_group_alone_prints_its_help(process, words):
    result = process(*words)
    assert result.returncode == 2
    assert (result.stdout + result.stderr).decode().startswith("Usage: signing-proxy ")
    assert len((result.stdout + result.stderr).splitlines()) > 10


@pytest.mark.parametrize("command", [("check",), ("config", "show"), ("ca", "show")])
def test_without_a_configuration_it_is_said_how_to_name_one(call, command):
    result = call(*command)
    assert result.exit_code == 1
    told = result.stdout + result.stderr
    assert told.count("--config-file: No file is named. Name one, or make one with 'signing-proxy init'.") == 1


@pytest.mark.parametrize("words", [("emulator", "--port", "65536"), ("emulator", "--control-port", "-1"),
                                   ("audit", "show", "--since", "yesterday", "x"),
                                   ("audit", "show", "--until", "2026-11-21T1", "x")])
def test_a_value_that_is_none_is_told(call, words):
    result = call(*words)
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (2, "", 1)
    option = next(word for word in words if word.startswith("--"))
    assert result.stderr.startswith(f"signing-proxy: usage: Invalid value for '{option}': ")


@pytest.mark.parametrize("command", [("verify", "--explain"), ("explain",)])
def test_a_file_that_is_not_there_is_named(call, command, tmp_path):
    result = call(*command, tmp_path / "gone.txt")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"cannot be read: {tmp_path}/gone.txt, no such file or directory. Check the path" in result.stderr


def test_help_and_version(process):
    help_, version = process("--help"), process("--version")
    assert (help_.returncode, version.returncode) == (0, 0)
    assert "Examples:" in help_.stdout.decode()
    assert version.stdout.decode() == f"signing-proxy {__version__}\n"


@pytest.mark.parametrize("arguments", [["nonsense"], ["--nonsense"], ["run", "--port", "x"], ["run", "--port", "70000"],
                                       ["sign"], ["exec"], ["ca", "nonsense"], ["health", "--admin-port", "0"],
                                       ["cert", "show"], ["cert", "csr"], ["ssa", "nonsense"], ["config", "nonsense"]])
def test_a_wrong_command_line_is_one_line_and_2(call, arguments):
    result = call(*arguments)
    assert result.exit_code == 2
    assert re.fullmatch(r"signing-proxy: usage: .*\.( See '.* --help'\.)?\n", result.stderr)


def test_an_unforeseen_failure_is_one_line_without_its_text(call, monkeypatch, sandbox_public_key):
    import proxy.cli.verification

    def fail(message, key):
        raise RuntimeError("a secret")

    monkeypatch.setattr(proxy.cli.verification, "judge", fail)
    result = call("verify", "--public-key-file", sandbox_public_key, stdin=b"GET / HTTP/1.1\r\n\r\n")
    assert result.exit_code == 1
    assert re.fullmatch(r"signing-proxy: internal_error: .*: RuntimeError\. .*\n", result.stderr)
    assert "secret" not in result.stderr


def imported_by(*arguments):
    script = ("import sys\nfrom proxy.cli.program import program\ntry:\n    program.main(sys.argv[1:])\n"
              "except SystemExit:\n    pass\nprint(*sys.modules, file=sys.stderr)")
    done = subprocess.run([sys.executable, "-c", script, *arguments], env=clean_environment(), capture_output=True,
                          text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"], ["sign", "--help"],
                                       ["health", "--help"], ["verify", "--help"], ["check", "--help"],
                                       ["exec", "--help"], ["ca", "env", "--help"], ["cert", "lint", "--help"],
                                       ["ssa", "create", "--help"]])
def test_nothing_heavy_is_imported_before_a_command_needs_it(arguments):
    assert not imported_by(*arguments) & {"aiohttp", "cryptography", "yaml", "msgspec", "asyncio", "ssl"}


def test_the_verifier_shares_no_code_with_the_signer():
    script = "import sys, proxy.cli.verification, proxy.cli.pasted; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], env=clean_environment(), capture_output=True, text=True,
                          check=True)
    ours = {name for name in done.stdout.split() if name.startswith("proxy")}
    assert {name for name in ours if not name.startswith("proxy.cli")} == {"proxy"}


def test_colour_is_for_terminals(call, sandbox_public_key):
    assert "\x1b" not in call("verify", "--public-key-file", sandbox_public_key, stdin=b"GET / HTTP/1.1\n\n").stdout


def test_a_reader_that_goes_away_is_no_failure_worth_a_message(sandbox_key):
    child = subprocess.Popen([sys.executable, "-m", "proxy", "sign", "--profile", "nordea-sandbox", "--key-file",
                              str(sandbox_key), "--client-id", "abc", "/a"], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, env=clean_environment())
    child.stdout.close()
    assert child.stderr.read() == b""
    child.stderr.close()
    assert child.wait() == 141


WORDS = st.one_of(
    st.sampled_from(["sign", "verify", "check", "config", "show", "schema", "health", "--json", "--method",
                     "--target", "--header", "--profile", "nordea", "--key-file", "--client-id", "--date", "/a", "--"]),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(WORDS, max_size=6))
def test_no_command_line_ends_in_a_traceback(call, words):
    words = [word for word in words if word not in ("run", "emulator", "exec")]     # these would take this process
    result = call(*words, stdin=b"")
    assert result.exit_code in (0, 1, 2)
    assert "internal_error" not in result.stderr


MESSAGES = st.one_of(
    st.binary(max_size=200),
    st.lists(st.sampled_from([
        b"GET", b"POST", b" ", b"/a?b", b"//", b" HTTP/1.1", b"\r\n", b"\n", b"Signature: ", b'keyId="a",',
        b'algorithm="',
        b'rsa-sha256",', b'headers="(request-target) digest",', b'signature="QUJD"', b'"', b"\\", b"Digest: SHA-256=",
        b"Content-Length: 5", b"Transfer-Encoding: chunked", b"X-Nordea-Originating-Date: ", b"\xff", b"\0", b":",
        b"Content-Type: application/x-www-form-urlencoded", b"5\r\nhello\r\n0\r\n\r\n", b"a=%zz&b"]), max_size=24).map(
            b"".join))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(message=MESSAGES)
def test_no_message_makes_verify_stumble(call, sandbox_public_key, message):
    result = call("verify", "--public-key-file", sandbox_public_key, stdin=message)
    assert result.exit_code in (1, 2)
    assert "internal_error" not in result.stderr


def test_what_a_library_thinks_of_a_certificate_is_not_printed(tmp_path):
    """A serial number below zero makes it warn, in two lines of its own."""
    (tmp_path / "seal.der").write_bytes((ROOT / "tests/fuzz/corpus/certificate/negative-serial").read_bytes())
    environment = {name: value for name, value in clean_environment().items() if name != "PYTHONWARNINGS"}
    done = subprocess.run([sys.executable, "-m", "proxy", "cert", "show", str(tmp_path / "seal.der")],
                          env=environment, capture_output=True, text=True, check=False)
    assert "Warning" not in done.stderr
    assert done.stdout or done.stderr.startswith("signing-proxy: ")

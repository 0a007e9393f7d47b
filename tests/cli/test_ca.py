"""`ca` and `exec` hand the authority to clients, and no secret to anybody else."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from proxy.cli.authorities import now
from proxy.keys.authority import AuthoritySettings, make_anew

TOKEN = "s3cret-Token.of~callers_1"


@pytest.fixture
def configure(tmp_path):
    """Writes a configuration with an authority beside it; changes replace or add keys."""
    for name, content in (("secret", "x"), ("key.pem", "x"), ("token", TOKEN + "\nsomebody-elses\n")):
        (tmp_path / name).touch(mode=0o600)
        (tmp_path / name).write_text(content)

    def write(**top):
        document = {"applications": {"main": {"client_id": "abc", "client_secret_file": "secret",
                                              "key_file": "key.pem"}},
                    "routes": ["nordea"], "ca_directory": "it's a ca $HOME", **top}
        path = tmp_path / "proxy.yaml"
        path.write_text(yaml.safe_dump({key: value for key, value in document.items() if value is not None}))
        return path

    return write


@pytest.fixture
def ready(call, configure):
    """As configure, and the authority is made."""
    def write(**top):
        path = configure(**top)
        assert call("ca", "init", "--config-file", path).exit_code == 0
        return path
    return write


def directory(path: Path) -> Path:
    return path.parent / "it's a ca $HOME"


def plain(**top):
    """A directory whose name every program can read."""
    return {"ca_directory": "ca", **top}


class TestInit:
    def test_makes_it_and_says_what_is_next(self, call, configure):
        path = configure()
        result = call("ca", "init", "--config-file", path)
        assert (result.exit_code, result.stderr) == (0, "")
        assert "open.nordea.com" in result.stdout
        assert "signing-proxy exec" in result.stdout
        assert "PRIVATE" not in result.stdout
        assert stat.S_IMODE((directory(path) / "ca.key").stat().st_mode) == 0o600

    def test_keeps_what_is_there_unless_forced(self, call, ready):
        path = ready()
        before = (directory(path) / "ca.pem").read_bytes()
        assert call("ca", "init", "--config-file", path).exit_code == 0
        assert (directory(path) / "ca.pem").read_bytes() == before
        result = call("ca", "init", "--force", "--config-file", path)
        assert "Restart the proxy" in result.stdout
        assert (directory(path) / "ca.pem").read_bytes() != before

    def test_a_new_host_needs_force(self, call, ready, configure):
        ready()
        path = configure(routes=["nordea", {"profile": "nordea-sandbox", "prefix": "/sandbox"}])
        result = call("ca", "init", "--config-file", path)
        assert result.exit_code == 1
        assert result.stderr.startswith("signing-proxy: ca_not_for_host: ")
        assert call("ca", "init", "--force", "--config-file", path).exit_code == 0

    def test_by_flag(self, call, configure, tmp_path):
        path = configure(ca_directory=None)
        result = call("ca", "init", "--config-file", path, "--ca-directory", tmp_path / "flagged")
        assert result.exit_code == 0
        assert (tmp_path / "flagged" / "ca.pem").exists()

    def test_given_files_leave_nothing_to_make(self, call, given):
        result = call("ca", "init", "--config-file", given)
        assert result.exit_code == 2
        assert "Set ca_directory" in result.stderr


@pytest.fixture
def given(configure, tmp_path):
    """A configuration with an authority in two files."""
    make_anew(AuthoritySettings(directory=str(tmp_path / "made")), ("open.nordea.com",), clock=now)
    chain = b"".join((tmp_path / "made" / name).read_bytes() for name in ("issuer.pem", "ca.pem"))
    (tmp_path / "given.pem").write_bytes(chain)
    return configure(ca_directory=None, ca_certificate_file="given.pem", ca_key_file="made/ca.key")


@pytest.mark.parametrize("command", [["ca", "show"], ["ca", "export"], ["ca", "env"], ["exec", "--", "true"]])
@pytest.mark.parametrize(("top", "code"), [({"ca_directory": None}, "ca_not_configured"), ({}, "ca_missing")])
def test_without_an_authority(call, configure, command, top, code):
    name, *rest = command if command[0] == "exec" else [" ".join(command)]
    result = call(*name.split(), "--config-file", configure(**top), *rest)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith(f"signing-proxy: {code}: ")
    assert result.stderr.count("\n") == 1


def test_show(call, ready):
    path = ready()
    text = call("ca", "show", "--config-file", path).stdout
    report = json.loads(call("ca", "show", "--json", "--config-file", path).stdout)
    certificate = x509.load_pem_x509_certificate((directory(path) / "ca.pem").read_bytes())
    assert report["hosts"] == ["open.nordea.com"]
    assert report["subject"] == certificate.subject.rfc4514_string()
    assert report["warnings"] == []
    assert set(report["files"]) == {"certificate", "issuer", "key", "bundle", "java"}
    assert all(Path(file).exists() for file in report["files"].values())
    assert report["fingerprint_sha256"].upper() == text.split("SHA-256")[1].split()[0].replace(":", "")


class TestExport:
    def test_to_standard_output(self, process, ready):
        path = ready()
        for option, file in ((), "ca.pem"), (("--certificate",), "ca.pem"), (("--bundle",), "bundle.pem"):
            done = process("ca", "export", *option, "--config-file", path)
            assert (done.returncode, done.stderr) == (0, b"")
            assert done.stdout == (directory(path) / file).read_bytes()
        assert process("ca", "export", "--java", "--config-file", path).stdout[:1] == b"\x30"

    def test_all_three_into_a_directory(self, call, given, tmp_path):
        result = call("ca", "export", "--config-file", given, "--to", f"{tmp_path / 'out'}/")
        assert result.exit_code == 0
        assert [Path(line).name for line in result.stdout.splitlines()] == ["ca.pem", "bundle.pem", "truststore.p12"]
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["bundle.pem", "ca.pem", "truststore.p12"]

    def test_one_into_a_directory_or_file(self, call, ready, tmp_path):
        path = ready()
        (tmp_path / "out").mkdir()
        assert call("ca", "export", "--bundle", "--to", tmp_path / "out", "--config-file", path).exit_code == 0
        assert call("ca", "export", "--to", tmp_path / "out" / "x.crt", "--config-file", path).exit_code == 0
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["bundle.pem", "x.crt"]
        result = call("ca", "export", "--to", tmp_path / "none" / "x.crt", "--config-file", path)
        assert result.stderr.startswith("signing-proxy: ca_directory_unusable: ")

    def test_a_trust_store_is_not_for_terminals(self, call, ready, monkeypatch):
        path = ready()
        monkeypatch.setattr("proxy.cli.ca._is_terminal", lambda: True)
        result = call("ca", "export", "--java", "--config-file", path)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "--to" in result.stderr


PRINT = "import json, os; print(json.dumps(dict(os.environ)))"


def expected(path: Path, **changes):
    place, url = directory(path), "http://127.0.0.1:8080"
    return {"HTTP_PROXY": url, "http_proxy": url, "HTTPS_PROXY": url, "https_proxy": url,
            "NO_PROXY": "localhost,127.0.0.1,::1", "no_proxy": "localhost,127.0.0.1,::1",
            "SSL_CERT_FILE": str(place / "bundle.pem"), "REQUESTS_CA_BUNDLE": str(place / "bundle.pem"),
            "CURL_CA_BUNDLE": str(place / "bundle.pem"), "NODE_EXTRA_CA_CERTS": str(place / "ca.pem"),
            "NODE_USE_ENV_PROXY": "1", **changes}


class TestEnv:
    """What is printed is judged by the shells themselves."""

    @pytest.fixture
    def shell(self, process):
        def run(name, path, *options):
            program = shutil.which(name)
            if program is None:
                pytest.skip(f"needs {name}: install it")
            done = process("ca", "env", "--shell", name, "--config-file", path, *options)
            assert done.returncode == 0, done.stderr
            assert TOKEN.encode() not in done.stdout + done.stderr
            script = done.stdout.decode() + f"exec {sys.executable} -c '{PRINT}'\n"
            child = subprocess.run([program], input=script, capture_output=True, text=True, check=True,
                                   env={"PATH": os.environ["PATH"], "HOME": "/"})
            return json.loads(child.stdout)
        return run

    @pytest.mark.parametrize("name", ["sh", "fish"])
    def test_a_shell_takes_it_as_it_is_meant(self, shell, ready, name):
        path = ready(ca_directory="it's a ca $HOME `id` \\ |")
        place = str(path.parent / "it's a ca $HOME `id` \\ |")
        found = shell(name, path)
        wanted = {key: value.replace(str(directory(path)), place) for key, value in expected(path).items()}
        assert {key: found[key] for key in wanted} == wanted
        assert f'"-Djavax.net.ssl.trustStore={place}/truststore.p12" ' in found["JAVA_TOOL_OPTIONS"]

    @pytest.mark.parametrize("name", ["sh", "fish"])
    def test_the_token_is_read_by_the_shell_and_not_printed(self, shell, ready, name):
        path = ready(**plain(client_token_file="token", address="0.0.0.0", port=9000))
        found = shell(name, path)
        assert found["HTTPS_PROXY"] == found["http_proxy"] == f"http://token:{TOKEN}@127.0.0.1:9000"

    def test_java_reads_the_options(self, shell, ready):
        java = shutil.which("java")
        if java is None:
            pytest.skip("needs java: install it")
        path = ready(ca_directory="a ca")
        options = shell("sh", path)["JAVA_TOOL_OPTIONS"]
        done = subprocess.run([java, "-XshowSettings:properties", "-version"], capture_output=True, text=True,
                              check=True, env={"PATH": os.environ["PATH"], "JAVA_TOOL_OPTIONS": options})
        assert f"javax.net.ssl.trustStore = {path.parent / 'a ca' / 'truststore.p12'}\n" in done.stderr
        assert "http.nonProxyHosts = localhost|127.*|[::1]\n" in done.stderr
        assert "https.proxyPort = 8080\n" in done.stderr

    def test_powershell_is_quoted(self, call, ready):
        path = ready(ca_directory="it's’ $x", client_token_file="token")
        lines = call("ca", "env", "--shell", "powershell", "--config-file", path).stdout.splitlines()
        place = str(path.parent)
        assert f"$env:NODE_EXTRA_CA_CERTS = '{place}/it''s’’ $x/ca.pem'" in lines
        assert (f"$env:HTTPS_PROXY = 'http://token:' + (Get-Content -TotalCount 1 -LiteralPath '{place}/token') + "
                "'@127.0.0.1:8080'") in lines

    @pytest.mark.parametrize(("address", "url"), [
        ("::1", "http://[::1]:8080"), ("localhost", "http://127.0.0.1:8080"), ("127.0.0.2", "http://127.0.0.2:8080")])
    def test_addresses(self, call, ready, address, url):
        path = ready(**plain(address=address))
        assert f"export HTTPS_PROXY={url}" in call("ca", "env", "--config-file", path).stdout.replace("'", "")

    def test_flags_win(self, call, ready):
        path = ready(**plain())
        result = call("ca", "env", "--config-file", path, "--port", "9", "--address", "127.0.0.9")
        assert "export HTTPS_PROXY=http://127.0.0.9:9\n" in result.stdout

    def test_the_unspecified_address_of_ipv6(self, call, ready):
        path = ready(**plain(address="::", unsafe_listen=True))
        assert "export HTTPS_PROXY='http://[::1]:8080'\n" in call("ca", "env", "--config-file", path).stdout

    def test_a_token_that_needs_escaping_is_refused_and_not_shown(self, call, ready, tmp_path):
        (tmp_path / "token").write_text("a/b@c")
        result = call("ca", "env", "--config-file", ready(client_token_file="token"))
        assert (result.exit_code, result.stdout) == (1, "")
        assert "signing-proxy exec" in result.stderr
        assert "a/b@c" not in result.stderr

    @pytest.mark.parametrize(("top", "what"), [({"port": 0}, "--port"),
                                               ({"ca_directory": "both ' and \""}, "--exports")])
    def test_what_cannot_be_said_is_told(self, call, ready, top, what):
        result = call("ca", "env", "--config-file", ready(**top))
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith("signing-proxy: failed: ")
        assert what in result.stderr

    def test_a_unix_socket_has_no_url(self, ready):
        from click import ClickException

        from proxy.cli.client_environment import variables
        from proxy.config.load import load
        from tests.config.conftest import APPLICATION

        path = ready()
        path.write_text(APPLICATION + "routes: nordea")
        from msgspec.structs import replace
        with pytest.raises(ClickException, match="Unix socket"):
            variables(replace(load(path, {}, {}), address="unix:/run/proxy"), "ca")

    def test_given_files_need_a_place_for_the_exports(self, call, given, tmp_path):
        assert call("ca", "env", "--config-file", given).exit_code == 2
        result = call("ca", "env", "--config-file", given, "--exports", tmp_path / "out")
        assert result.exit_code == 0
        assert (tmp_path / "out" / "bundle.pem").exists()
        assert f"export SSL_CERT_FILE={tmp_path / 'out' / 'bundle.pem'}\n" in result.stdout


class TestExec:
    def test_a_child_gets_it_all(self, process, ready):
        path = ready(ca_directory="a ca", client_token_file="token")
        done = process("exec", "--config-file", path, "--", sys.executable, "-c", PRINT, NO_PROXY="intern.example",
                       JAVA_TOOL_OPTIONS="-Da=b")
        found = json.loads(done.stdout)
        url = f"http://token:{TOKEN}@127.0.0.1:8080"
        assert {found[name] for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy")} == {url}
        assert found["NO_PROXY"] == "intern.example,localhost,127.0.0.1,::1"
        assert found["JAVA_TOOL_OPTIONS"].startswith('-Da=b "-Djavax.net.ssl.trustStore=')
        assert found["SSL_CERT_FILE"] == str(path.parent / "a ca" / "bundle.pem")
        assert done.stderr == b""

    def test_a_token_is_escaped_for_the_url(self, process, ready, tmp_path):
        (tmp_path / "token").write_text("a/b@c%")
        path = ready(**plain(client_token_file="token"))
        found = json.loads(process("exec", "--config-file", path, sys.executable, "-c", PRINT).stdout)
        assert found["HTTPS_PROXY"] == "http://token:a%2Fb%40c%25@127.0.0.1:8080"

    def test_arguments_and_exit_code_are_the_commands_own(self, process, ready):
        path = ready(**plain())
        done = process("exec", "--config-file", path, "--", sys.executable, "-c",
                       "import sys; print(sys.argv[1:]); sys.exit(7)", "--help", "-h", "--", "a b")
        assert (done.returncode, done.stdout) == (7, b"['--help', '-h', '--', 'a b']\n")

    def test_a_command_may_be_ended_by_a_closed_pipe(self, process, ready):
        path = ready(**plain())
        script = "import signal; print(signal.getsignal(signal.SIGXFSZ).name)"
        shown = "grep SigIgn /proc/self/status" if sys.platform == "linux" else f"{sys.executable} -c '{script}'"
        done = process("exec", "--config-file", path, "--", "sh", "-c", shown)
        ignored = int(done.stdout.split()[1], 16) if sys.platform == "linux" else 0
        assert ignored & (1 << 12 | 1 << 24) == 0   # SIGPIPE, SIGXFSZ

    @pytest.mark.parametrize(("command", "code"), [("no-such-command", 127), ("./none", 127), ("{file}", 126),
                                                   ("{file}/x", 127), ("/", 126)])
    def test_a_command_that_cannot_be_run(self, process, ready, command, code):
        path = ready(**plain())
        done = process("exec", "--config-file", path, "--", command.format(file=path))
        assert done.returncode == code
        assert done.stdout == b""
        assert done.stderr.startswith(b"signing-proxy: failed: ")
        assert done.stderr.count(b"\n") == 1


class TestCheck:
    def test_the_authority_has_a_row(self, call, ready):
        result = call("check", "--json", "--config-file", ready(**plain()))
        row = json.loads(result.stdout)["checks"][-1]
        assert (row["kind"], row["ok"], row["hosts"]) == ("ca", True, ["open.nordea.com"])

    def test_one_that_is_not_made_yet_is_no_problem(self, call, configure):
        path = configure(**plain())
        row = json.loads(call("check", "--json", "--config-file", path).stdout)["checks"][-1]
        assert (row["kind"], row["ok"]) == ("ca", None)
        assert not (path.parent / "ca").exists()

    def test_one_that_is_unusable_is(self, call, ready, tmp_path):
        path = ready(**plain())
        (tmp_path / "ca" / "ca.key").chmod(0o644)
        row = json.loads(call("check", "--json", "--config-file", path).stdout)["checks"][-1]
        assert (row["kind"], row["ok"], row["code"]) == ("ca", False, "key_permissions")

    def test_without_interception_there_is_none(self, call, configure):
        result = call("check", "--json", "--config-file", configure(ca_directory=None))
        assert {row["kind"] for row in json.loads(result.stdout)["checks"]} == {"application", "route"}

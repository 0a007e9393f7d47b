"""`init` on a terminal and from flags, Postman's environments, and `run` of somebody who has nothing yet."""

from __future__ import annotations

import json
import os
import signal
import stat

import pytest

from proxy.config.load import load
from proxy.emulator import Authority
from tests.cli.captures import FILES
from tests.cli.terminal import Terminal

ID, SECRET = "00000000-1111-2222-3333-444444444444", "c1i3nt-s3cr3t"


@pytest.fixture(scope="module")
def seal(tmp_path_factory):
    """Key and certificate, as files."""
    directory = tmp_path_factory.mktemp("seal")
    Authority().seal().write(directory, "key.pem", "certificate.pem")
    return directory / "key.pem", directory / "certificate.pem"


@pytest.fixture
def secret_file(tmp_path):
    path = tmp_path / "secret"
    path.touch(mode=0o600)
    path.write_text(SECRET)
    return path


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty directory to work in, which is also the home."""
    directory = tmp_path / "here"
    directory.mkdir()
    monkeypatch.chdir(directory)
    monkeypatch.setenv("HOME", str(directory))
    return directory


def environment(path, **values):
    path.write_text(json.dumps({"name": "Nordea", "values": [
        {"key": key.replace("_", "-"), "value": value, "type": "secret", "enabled": True}
        for key, value in values.items()], "_postman_variable_scope": "environment"}))
    return path


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


# --- from flags

def test_production_from_flags(call, here, seal, secret_file):
    result = call("init", "--profile", "nordea", "--client-id", ID, "--client-secret-file", secret_file, "--key-file",
                  seal[0], "--certificate-file", seal[1], "--port", "8123", "--application", "payments")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "written: proxy.yaml")
    config = load(here / "proxy.yaml", {}, {})
    application = config.applications["payments"]
    assert (config.port, application.client_id, application.key_file) == (8123, ID, str(seal[0]))
    assert application.client_secret_file == str(secret_file)
    text = (here / "proxy.yaml").read_text()
    assert text.count("#") > 8
    check = call("check", "--config-file", "proxy.yaml")
    assert (check.exit_code, "application payments: ok" in check.stdout) == (0, True)


def test_the_sandbox_without_a_key(call, here, secret_file):
    result = call("init", "--client-id", ID, "--client-secret-file", secret_file, "--skip-signature", "sandbox.yaml")
    assert result.exit_code == 0
    (route,) = load(here / "sandbox.yaml", {}, {}).routes
    assert (route.profile, route.signature) == ("nordea-sandbox", "skip")
    assert call("check", "--config-file", "sandbox.yaml").exit_code == 0


def test_a_secret_that_will_be_in_the_environment(call, here):
    assert call("init", "--client-id", ID, "--client-secret-env", "BANK_SECRET", "--skip-signature").exit_code == 0
    assert load(here / "proxy.yaml", {}, {}).applications["bank"].client_secret_env == "BANK_SECRET"


def test_names_that_yaml_would_read_otherwise(call, here, secret_file):
    directory = here / "it's: #here"
    directory.mkdir()
    moved = secret_file.rename(directory / "a: secret")
    result = call("init", "--client-id", "1e3", "--client-secret-file", moved, "--skip-signature", "--application",
                  "yes", directory / "proxy.yaml")
    assert result.exit_code == 0
    config = load(directory / "proxy.yaml", {}, {})
    assert config.applications["yes"].client_id == "1e3"
    assert config.applications["yes"].client_secret_file == str(moved)


def test_what_no_configuration_takes_is_refused_before_anything_is_written(call, here):
    path = environment(here / "x.json", clientId=ID, clientSecret=SECRET)
    for flags in (["--application", "on: #1"], ["--client-secret-env", "no name"]):
        result = call("init", "--postman-environment", path, "--skip-signature", *flags)
        assert (result.exit_code, result.stderr.split(":")[1].strip()) == (1, "config_invalid")
    assert [file.name for file in here.iterdir()] == ["x.json"]


@pytest.mark.parametrize(("arguments", "words"), [
    ([], "--profile, --client-id, --client-secret-file, --key-file"),
    (["--profile", "nordea-sandbox", "--client-id", ID], "--client-secret-file, --key-file or --skip-signature"),
    (["--profile", "nordae"], "There is no such profile."),
    (["--client-secret-file", "a", "--client-secret-env", "B"], "Give either"),
    (["--skip-signature", "--profile", "nordea"], "for the sandbox"),
])
def test_what_is_missing_is_named(call, here, arguments, words):
    result = call("init", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert list(here.iterdir()) == []


def test_what_is_there_is_not_replaced(call, here, secret_file):
    flags = ["--client-id", ID, "--client-secret-file", secret_file, "--skip-signature"]
    (here / "proxy.yaml").write_text("mine")
    result = call("init", *flags)
    assert (result.exit_code, result.stderr.split(":")[1].strip()) == (1, "output_exists")
    assert (here / "proxy.yaml").read_text() == "mine"
    assert call("init", *flags, "--force").exit_code == 0


@pytest.mark.parametrize(("flag", "content", "access", "code"), [
    ("--client-secret-file", SECRET, 0o644, "key_permissions"), ("--client-secret-file", "", 0o600, "secret_missing"),
    ("--key-file", "nonsense", 0o600, "key_format"), ("--key-file", None, 0, "key_unreadable")])
def test_a_file_that_the_proxy_would_refuse_is_refused_now(call, here, seal, secret_file, flag, content, access, code):
    path = here / "file"
    if content is not None:
        path.write_text(content)
        path.chmod(access)
    files = {"--client-secret-file": secret_file, "--key-file": seal[0], flag: path}
    result = call("init", "--profile", "nordea", "--client-id", ID, *[word for pair in files.items() for word in pair])
    assert (result.exit_code, result.stderr.split(":")[1].strip()) == (1, code)
    assert not (here / "proxy.yaml").exists()


def test_the_sandbox_takes_no_key_but_the_demo_key(call, here, seal, secret_file):
    result = call("init", "--profile", "nordea-sandbox", "--client-id", ID, "--client-secret-file", secret_file,
                  "--key-file", seal[0])
    assert (result.exit_code, result.stderr.split(":")[1].strip()) == (1, "not_the_sandbox_key")


# --- Postman

@pytest.mark.parametrize("names", [("X_IBM_Client_Id", "X_IBM_Client_Secret"), ("clientId", "clientSecret"),
                                   ("CLIENT_ID", "CLIENT_SECRET")])
def test_id_and_secret_from_postman(call, here, names):
    path = environment(here / "x.json", **{names[0]: ID, names[1]: f" {SECRET}\n", "base_url": "https://x"})
    result = call("init", "--postman-environment", path, "--profile", "nordea-sandbox", "--skip-signature")
    assert result.exit_code == 0
    assert SECRET not in result.stdout + result.stderr + (here / "proxy.yaml").read_text()
    written = here / "secrets" / "bank-client-secret"
    assert (written.read_text(), mode(written), mode(here / "secrets")) == (SECRET + "\n", 0o600, 0o700)
    assert (here / "secrets" / ".gitignore").read_text() == "*\n"
    application = load(here / "proxy.yaml", {}, {}).applications["bank"]
    assert (application.client_id, application.client_secret_file) == (ID, str(written))
    assert call("check", "--config-file", "proxy.yaml").exit_code == 0


def test_the_demo_key_of_postman_is_taken_too(call, here):
    path = environment(here / "x.json", clientId=ID, clientSecret=SECRET,
                       eidasPrivateKey=(FILES / "sandbox-key.b64").read_text())
    assert call("init", "--postman-environment", path).exit_code == 0
    assert mode(here / "secrets" / "bank-key.pem") == 0o600
    assert load(here / "proxy.yaml", {}, {}).routes[0].profile == "nordea-sandbox"
    assert call("check", "--config-file", "proxy.yaml").exit_code == 0


def test_another_key_of_postman_is_left_there(call, here, seal):
    path = environment(here / "x.json", clientId=ID, clientSecret=SECRET, eidasPrivateKey=seal[0].read_text())
    result = call("init", "--postman-environment", path, "--profile", "nordea")
    assert (result.exit_code, "--key-file" in result.stderr) == (2, True)
    assert not (here / "secrets").exists()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"values": 5}', '{"values": [{"key": "a"}]}', "[" * 10_000,
                                     '{"values": [{"key": "clientId", "value": "{{id}}"}]}', "\0",
                                     '{"values": [{"key": "clientSecret", "value": "a\\nb"}]}'])
def test_an_environment_that_cannot_be_used(call, here, content):
    (here / "x.json").write_text(content)
    result = call("init", "--postman-environment", here / "x.json", "--profile", "nordea-sandbox", "--skip-signature")
    assert (result.exit_code, result.stderr.split(":")[1].strip()) == (1, "input_unreadable")
    assert len(result.stderr.splitlines()) == 1


# --- on a terminal

def test_five_questions(here, seal, call):
    key, certificate = seal
    with Terminal("init", cwd=here) as terminal:
        terminal.answer("sandbox or production [sandbox]:", "production")
        terminal.answer("Client id:", f" {ID} ")
        terminal.answer("Client secret:", SECRET)
        terminal.answer("Key file:", "missing.pem")
        terminal.expect("does not exist")
        terminal.answer("Key file:", str(key))
        terminal.answer("Certificate file (Enter for none):", str(certificate))
        terminal.expect("next: signing-proxy run --config-file proxy.yaml")
        assert terminal.end() == 0
        assert SECRET not in terminal.text
        shown = terminal.plain()
    assert [f"{number}/5" in shown for number in range(1, 6)] == [True] * 5
    config = load(here / "proxy.yaml", {}, {})
    assert config.applications["bank"].client_id == ID
    assert (here / "secrets" / "bank-client-secret").read_text() == SECRET + "\n"
    assert mode(here / "secrets" / "bank-client-secret") == 0o600
    assert call("check", "--config-file", "proxy.yaml").exit_code == 0


def test_the_postman_environment_is_read_after_a_yes_only(here):
    environment(here / "nordea.postman_environment.json", clientId=ID, clientSecret=SECRET)
    with Terminal("init", "--profile", "nordea-sandbox", "no.yaml", cwd=here) as terminal:
        terminal.expect("nordea.postman_environment.json holds a client id and a client secret.")
        terminal.answer("Take them from there [y/N]:", "")
        terminal.answer("Client id:", "other")
        terminal.answer("Client secret:", "another")
        terminal.answer("Key file (Enter for none):", "")
        assert terminal.end() == 0
    assert load(here / "no.yaml", {}, {}).applications["bank"].client_id == "other"
    with Terminal("init", "--profile", "nordea-sandbox", "--application", "yes", "yes.yaml", cwd=here) as terminal:
        terminal.answer("Take them from there [y/N]:", "y")
        terminal.answer("Key file (Enter for none):", "")
        assert terminal.end() == 0
        assert SECRET not in terminal.text
    assert load(here / "yes.yaml", {}, {}).applications["yes"].client_id == ID
    assert (here / "secrets" / "yes-client-secret").read_text() == SECRET + "\n"


def test_leaving_at_a_question_leaves_nothing_behind(here):
    """By Ctrl-D; Python may miss a Ctrl-C that comes in the very moment in which it begins to read."""
    with Terminal("init", "--profile", "nordea", cwd=here) as terminal:
        terminal.answer("Client id:", ID)
        terminal.answer("Client secret:", SECRET)
        terminal.answer("Key file:", "\x04")
        assert terminal.end() == 130
    assert list(here.iterdir()) == []


# --- run without a configuration

def test_run_explains_itself_where_nobody_can_be_asked(call, here):
    result = call("run")
    assert (result.exit_code, result.stderr.split(":")[1].strip()) == (1, "config_invalid")
    for words in ("signing-proxy init", "--with-emulator", "--profile nordea-sandbox"):
        assert words in result.stderr


def test_run_makes_a_configuration_for_the_sandbox_and_runs(here):
    flags = ["--port", "0", "--admin-port", "0", "--min-sigterm-delay", "0"]
    with Terminal("run", *flags, cwd=here) as terminal:
        terminal.expect("There is no configuration yet")
        terminal.answer("Which one [3]:", "2")
        terminal.answer("Client id:", ID)
        terminal.answer("Client secret:", SECRET)
        terminal.answer("Key file (Enter for none):", "")
        terminal.expect("written: proxy.yaml")
        terminal.expect("is ready")
        assert terminal.end(signal.SIGTERM) == 143
        assert SECRET not in terminal.text
    assert load(here / "proxy.yaml", {}, {}).routes[0].signature == "skip"


def test_run_offers_the_file_that_is_here(here, call, secret_file):
    assert call("init", "--client-id", ID, "--client-secret-file", secret_file, "--skip-signature").exit_code == 0
    with Terminal("run", "--port", "0", "--admin-port", "0", "--min-sigterm-delay", "0", cwd=here) as terminal:
        terminal.answer("Which one [1]:", "")
        terminal.expect("is ready")
        assert terminal.end(signal.SIGTERM) == 143


def test_run_starts_the_emulator_if_that_is_wanted(here):
    with Terminal("run", "--port", "0", "--admin-port", "0", "--min-sigterm-delay", "0", cwd=here) as terminal:
        terminal.answer("Which one [3]:", "3")
        terminal.expect("Ctrl-C stops both.")
        assert terminal.end(signal.SIGINT) == 130


def test_run_of_somebody_who_wants_nothing(here):
    with Terminal("run", cwd=here) as terminal:
        terminal.answer("Which one [3]:", "q")
        assert terminal.end() == 1
        assert "config_invalid" not in terminal.text

"""`sign` shows what the proxy would send: byte for byte for every accepted vector, and refused where that refuses."""

from __future__ import annotations

import base64
import json
import subprocess

import pytest

from tests.cli.captures import DATE, DOCUMENT, VECTORS

ACCEPTED = [vector for vector in VECTORS if vector["expect"] == "accept"]
CLIENT = DOCUMENT["client_id"]


@pytest.fixture
def sign(call, sandbox_key):
    def run(*arguments, profile="nordea-sandbox", stdin=None):
        return call("sign", "--profile", profile, "--key-file", sandbox_key, "--client-id", CLIENT, "--date", DATE,
                    *arguments, stdin=stdin)

    return run


def arguments_of(vector, directory):
    request = vector["request"]
    given = ["--json", "--method", request["method"]]
    content_type = vector["headers"].get("Content-Type")
    if content_type:
        given += ["--header", f"Content-Type: {content_type}"]
    if request["body_length"]:
        body = directory / "body"
        body.write_bytes(base64.b64decode(request["body_base64"]))
        given += ["--body-file", str(body)]
    if vector["id"].endswith("-omit"):
        given += ["--empty-body", "omit"]
    return [*given, f"https://{request['host']}{request['request_target']}"]


def matches(facts, vector):
    headers = dict(map(tuple, facts["headers"]))
    assert len(headers) == len(facts["headers"])
    return (facts["signing_string"], facts["digest"], facts["signature"], headers) == (
        vector["signing_string"], vector["digest"], vector["signature_base64"],
        {**vector["headers"], "X-IBM-Client-Secret": "***"})


@pytest.mark.parametrize("vector", ACCEPTED, ids=lambda vector: vector["id"])
def test_vector(sign, tmp_path, vector):
    profile = "nordea" if vector["request"]["host"] == "open.nordea.com" else "nordea-sandbox"
    result = sign(*arguments_of(vector, tmp_path), profile=profile)
    assert result.exit_code == 0
    assert result.stderr == ""
    assert matches(json.loads(result.stdout), vector)


def test_vector_in_a_process_of_its_own(process, sandbox_key, tmp_path):
    vector = next(vector for vector in ACCEPTED if vector["id"] == "post-json-utf8-body")
    done = process("sign", "--profile", "nordea-sandbox", "--key-file", sandbox_key, "--client-id", CLIENT, "--date",
                   DATE, *arguments_of(vector, tmp_path))
    assert (done.returncode, done.stderr) == (0, b"")
    assert matches(json.loads(done.stdout), vector)


@pytest.mark.parametrize("vector", ACCEPTED, ids=lambda vector: vector["id"])
def test_verify_accepts_what_sign_made(sign, call, sandbox_key, tmp_path, vector):
    arguments = arguments_of(vector, tmp_path)
    facts = json.loads(sign(*arguments).stdout)
    given = [part for pair in facts["headers"] for part in ("--header", ": ".join(pair))]
    body = ["--body-file", str(tmp_path / "body")] if vector["request"]["body_length"] else []
    result = call("verify", "--key-file", sandbox_key, "--method", facts["method"], "--target", facts["url"], *given,
                  *body)
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "valid")


@pytest.mark.parametrize(("arguments", "code"), [
    (["//a"], "bad_target"),
    (["/a/../b"], "bad_target"),
    (["/a b"], "bad_target"),
    (["/ä"], "bad_target"),
    (["/a#b"], "bad_target"),
    (["/a%"], "bad_target"),
    (["a"], "bad_target"),
    ([""], "bad_target"),
    (["*"], "bad_target"),
    (["https://user:secret@open.nordea.com/a"], "bad_target"),
    (["--method", "TRACE", "/a"], "method_not_supported"),
    (["--method", "get", "/a"], "method_not_supported"),
    (["--method", "GET\r\nX: y", "/a"], "method_not_supported"),
    (["--header", "X: a\r\nY: b", "/a"], "malformed_request"),
    (["--header", "X", "/a"], "malformed_request"),
    (["--header", "X : y", "/a"], "malformed_request"),
    (["--header", "Expect: miracles", "/a"], "expectation_failed"),
    (["--header", "Connection: digest", "/a"], "protected_header_in_connection"),
    (["--method", "POST", "--header", "Content-Type: a/b", "--header", "Content-Type: a/c", "/a"],
     "content_type_invalid"),
    (["--method", "GET", "--body-file", "-", "/a"], "body_not_allowed"),
])
def test_what_the_proxy_would_refuse_is_refused_with_its_code(sign, arguments, code):
    result = sign(*arguments, stdin=b"body")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"signing-proxy: {code}: ")
    assert len(result.stderr.splitlines()) == 1
    assert "secret" not in result.stderr


def test_a_body_larger_than_the_proxy_buffers(sign):
    result = sign("--body-file", "-", "/a", stdin=b"x" * (1 << 20) + b"x")
    assert (result.exit_code, result.stderr.split(":")[1].strip()) == (2, "body_too_large")


@pytest.mark.parametrize("url", ["/a?b=%C3%A5&c=d+e%20f&g=%2f", "/a/?b", "/a;b=c/:@!$'()*,=~"])
def test_the_target_is_signed_byte_for_byte(sign, url):
    facts = json.loads(sign("--json", f"https://api.nordeaopenbanking.com{url}").stdout)
    assert facts["signing_string"].splitlines()[0] == f"(request-target): get {url}"


def test_a_url_without_path_is_the_root(sign):
    facts = json.loads(sign("--json", "https://api.nordeaopenbanking.com").stdout)
    assert facts["signing_string"].splitlines()[0] == "(request-target): get /"


def test_another_host_is_signed_with_a_warning(sign):
    result = sign("--json", "https://other.example:8443/a")
    facts = json.loads(result.stdout)
    assert "x-nordea-originating-host: other.example\n" in facts["signing_string"]
    assert facts["url"] == "https://other.example:8443/a"
    assert result.stderr.startswith("signing-proxy: warning: The URL's host is not api.nordeaopenbanking.com")


def test_another_key_than_the_demo_key_gets_a_warning_for_the_sandbox(call, tmp_path, private_key):
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    path = tmp_path / "key.pem"
    path.touch(mode=0o600)
    path.write_bytes(private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    result = call("sign", "--profile", "nordea-sandbox", "--key-file", path, "--client-id", "abc", "/a")
    assert result.exit_code == 0
    assert "published demo key" in result.stderr


def test_a_missing_content_type_is_added_and_told(sign):
    result = sign("--json", "--body-file", "-", "/a", stdin=b"{}")
    facts = json.loads(result.stdout)
    assert facts["method"] == "POST"
    assert ["Content-Type", "application/json"] in facts["headers"]
    assert len(facts["notes"]) == 1


def test_text_shows_everything_but_the_secret(sign, tmp_path):
    (tmp_path / "secret").touch(mode=0o600)
    (tmp_path / "secret").write_text("very-secret\n")
    arguments = ["--client-secret-file", tmp_path / "secret", "--header", "Authorization: Bearer token-1", "/a"]
    hidden, shown = sign(*arguments), sign("--show-secret", *arguments)
    assert "(request-target): get /a" in hidden.stdout
    assert "none: content is not covered" in hidden.stdout
    assert "X-IBM-Client-Secret: ***" in hidden.stdout
    assert "very-secret" not in hidden.stdout
    assert "token-1" not in hidden.stdout
    assert "X-IBM-Client-Secret: very-secret" in shown.stdout
    assert "Authorization: Bearer token-1" in shown.stdout


def test_show_secret_without_a_secret(sign):
    result = sign("--show-secret", "/a")
    assert (result.exit_code, result.stderr.split(":")[1].strip()) == (1, "secret_missing")


class TestCurl:
    """The command is what a shell makes of it, so a shell takes it apart here."""

    def words(self, result):
        script = result.stdout.replace("curl", "printf '%s\\0'", 1)
        done = subprocess.run(["sh", "-c", script], capture_output=True, check=True, env={"CLIENT_SECRET": "s3", "PATH":
                              "/usr/bin:/bin", "AUTHORIZATION": "Bearer t"})
        return done.stdout.decode().split("\0")[:-1]

    def test_a_post_with_a_file(self, sign, tmp_path):
        body = tmp_path / "it's a body"
        body.write_text("{}")
        result = sign("--curl", "--body-file", body, "--header", "X-Note: it's", "--header", "X-Empty:",
                      "/personal/v4/payments?q=[1]")
        words = self.words(result)
        assert words[-1] == "https://api.nordeaopenbanking.com/personal/v4/payments?q=[1]"
        assert words[words.index("--data-binary") + 1] == f"@{body}"
        assert words[words.index("--request") + 1] == "POST"
        assert {"X-IBM-Client-Secret: s3", "X-Note: it's", "X-Empty;", "Content-Type: application/json"} <= set(words)

    def test_the_body_of_standard_input_stands_in_the_command(self, sign):
        assert "@{\"a\": \"it's å\"}" in self.words(sign("--curl", "--body-file", "-", "/a",
                                                         stdin="@{\"a\": \"it's å\"}".encode()))

    def test_a_sorted_form_is_sent_sorted(self, sign, tmp_path):
        (tmp_path / "form").write_text("b=2&a=1")
        result = sign("--curl", "--body-file", tmp_path / "form", "--header",
                      "Content-Type: application/x-www-form-urlencoded", "/token")
        assert "a=1&b=2" in self.words(result)

    def test_credentials_of_the_caller_become_variables(self, sign):
        result = sign("--curl", "--header", "Authorization: Bearer abc", "/a")
        assert "abc" not in result.stdout.replace(CLIENT, "")
        assert "Authorization: Bearer t" not in self.words(result) or "$AUTHORIZATION" in result.stdout

    def test_head_does_not_wait_for_a_body(self, sign):
        assert self.words(sign("--curl", "--method", "HEAD", "/a"))[0] == "--head"

    def test_a_binary_body_needs_a_file(self, sign):
        result = sign("--curl", "--body-file", "-", "/a", stdin=b"\0\xff")
        assert (result.exit_code, result.stderr.split(":")[1].strip()) == (2, "usage")


@pytest.mark.parametrize(("arguments", "option"), [
    ([], "--config-file"),
    (["--profile", "nordea"], "--key-file"),
    (["--profile", "nordea", "--key-file", "x"], "--client-id"),
    (["--profile", "nordea", "--route", "x", "--key-file", "x", "--client-id", "y"], "--route"),
    (["--profile", "volksbank", "--key-file", "x", "--client-id", "y"], "nordea-sandbox"),
    (["--config-file", "x", "--key-file", "y"], "--key-file"),
    (["--config-file", "x", "--profile", "nordea", "--key-file", "y", "--client-id", "z"], "--config-file"),
    (["--json", "--curl"], "--json"),
    (["--profile", "nordea", "--key-file", "x", "--client-id", "y", "--date", "yesterday"], "GMT"),
    (["--profile", "nordea", "--key-file", "x", "--client-id", "y", "--body-file", "/does/not/exist"], "body file"),
    (["--client-secret", "x"], "--client-secret"),
])
def test_usage(call, arguments, option):
    result = call("sign", *arguments, "/a")
    assert result.exit_code == 2
    assert result.stderr.startswith("signing-proxy: usage: ")
    assert option in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(("content", "mode", "code"), [
    (None, 0o600, "key_unreadable"), (b"nonsense", 0o600, "key_format"), (b"", 0o600, "key_format"),
    ("key", 0o644, "key_permissions")])
def test_a_key_that_cannot_be_used(call, tmp_path, sandbox_key, content, mode, code):
    path = tmp_path / "key"
    if content is not None:
        path.touch()
        path.write_bytes(sandbox_key.read_bytes() if content == "key" else content)
        path.chmod(mode)
    result = call("sign", "--profile", "nordea", "--key-file", path, "--client-id", "abc", "/a")
    assert (result.exit_code, result.stderr.split(":")[1].strip()) == (1, code)
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("client_id", ["", " ", 'a"b', "a\\b", "a\nb", "å"])
def test_a_client_id_that_cannot_stand_in_the_header(call, sandbox_key, client_id):
    result = call("sign", "--profile", "nordea", "--key-file", sandbox_key, "--client-id", client_id, "/a")
    assert (result.exit_code, result.stderr.split(":")[1].strip()) == (1, "secret_missing")

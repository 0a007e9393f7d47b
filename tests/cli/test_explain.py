"""`verify --explain` as its user meets it: what it prints, which keys it takes, and what it never shows."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
)

from proxy.cli.verification.published import demo_key
from proxy.cli.verification.verdict import spki_sha256
from proxy.core.profiles import NORDEA_SANDBOX
from proxy.emulator import Authority
from tests.cli.captures import FILES
from tests.cli.pasted_forms import curl_single, har, raw, url_of, without_host
from tests.cli.sealed_by_hand import SECRET, TOKEN, Sealer, sha256
from tests.cli.spoiled import MISTAKES, attributes, spoiled, stranger
from tests.cli.terminal import Terminal

SANDBOX = "api.nordeaopenbanking.com"


def pem_of(key, path):
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


def pasted(sealer, form=raw):
    return form(sealer, sealer.headers())


def to_the_sandbox(sealer):
    sealer.fields |= {"Host": SANDBOX, "X-Nordea-Originating-Host": SANDBOX}
    return sealer


@pytest.fixture(scope="module")
def demo():
    return load_der_private_key(base64.b64decode((FILES / "sandbox-key.b64").read_bytes()), None)


@pytest.fixture(scope="module")
def seal(tmp_path_factory):
    """A QSealC and its key, as files."""
    directory = tmp_path_factory.mktemp("seal")
    made = Authority().seal()
    made.write(directory, "key.pem", "certificate.pem")
    return load_pem_private_key(made.key_pem, None), directory / "certificate.pem", directory / "key.pem"


def test_the_whole_of_it(call, private_key, public_key_file):
    sealer = spoiled(private_key, MISTAKES["upper_case_method"][0], MISTAKES["trailing_newline"][0])
    result = call("verify", "--explain", "--public-key", public_key_file, stdin=pasted(sealer, curl_single))
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    digest = sealer.fields["Digest"]
    assert lines[:5] == [
        "wrong: upper_case_method",
        "  The method was signed in upper case. Lower-case it: '(request-target): post /…'.",
        "also: trailing_newline",
        "  The signing string ended with a line break. Join the lines; add nothing after the last.",
        "note: read as a curl command: POST /personal/v4/payments/domestic",
    ]
    assert lines[5:14] == [
        "signing string: '-' as it was signed, '+' as the bank builds it, '^' where they differ:",
        "- (request-target): POST /personal/v4/payments/domestic?a=b%2Fc\\n",
        "+ (request-target): post /personal/v4/payments/domestic?a=b%2Fc\\n",
        "                    ^^^^",
        "  x-nordea-originating-host: open.nordea.com\\n",
        "  x-nordea-originating-date: Mon, 14 Aug 2023 06:25:45 GMT\\n",
        "  content-type: application/json\\n",
        f"- digest: {digest}\\n",
        f"+ digest: {digest}",
    ]
    assert lines[14] == " " * len(f"+ digest: {digest}") + "^"
    assert lines[15].startswith("tried: ")


def test_a_right_one_says_where_to_look_next(call, seal):
    key, certificate, _ = seal
    result = call("verify", "--explain", "--certificate", certificate, stdin=pasted(Sealer(key)))
    assert result.exit_code == 0
    assert result.stdout.startswith("the signature is right\n")
    steps = [line for line in result.stdout.splitlines() if line.startswith("next: ")]
    for words in ("Compare the certificate in the bank's portal with this one, serial", "Invalid client id or secret.",
                  "The request's date is from the past"):
        assert any(words in step for step in steps), words


def test_as_json(call, private_key, public_key_file):
    sealer = spoiled(private_key, MISTAKES["no_query"][0], MISTAKES["digest_json"][0])
    result = call("verify", "--explain", "--public-key", public_key_file, "--json", stdin=pasted(sealer, har))
    found = json.loads(result.stdout)
    assert [finding["cause"] for finding in found["findings"]] == ["digest_json", "no_query"]
    assert found["input"] == {"format": "har", "entry": 3, "method": "POST", "target": sealer.target}
    assert found["signed_string"] == sealer.change(sealer.signing_string())
    assert found["right_string"] == sealer.signing_string().replace(
        sealer.fields["Digest"], "SHA-256=" + sha256(sealer.body))
    assert found["signed_by"] == "the public key"
    assert found["attempts"] > 1
    assert [row["right"].partition(":")[0] for row in found["differences"]] == ["(request-target)", "digest"]


def test_nothing_was_signed(call, private_key, public_key_file):
    sealer = spoiled(private_key, MISTAKES["nothing_signed"][0])
    result = call("verify", "--explain", "--public-key", public_key_file, stdin=pasted(sealer, curl_single))
    assert result.exit_code == 1
    assert result.stdout.startswith("wrong: nothing_signed\n  Nothing was signed: ")
    assert "(request-target): post /personal/v4/payments/domestic" in result.stdout
    assert "next: 'signing-proxy sign'" in result.stdout


# --- keys

def test_the_sandbox_needs_no_key_option(call, demo):
    result = call("verify", "--explain", stdin=pasted(to_the_sandbox(Sealer(demo))))
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "the signature is right")


def test_the_published_key_is_the_profiles():
    assert spki_sha256(demo_key().key) == NORDEA_SANDBOX.key_spki_sha256


def test_the_sandbox_takes_no_other_key(call, private_key, public_key_file):
    message = pasted(to_the_sandbox(Sealer(private_key)))
    known = json.loads(call("verify", "--explain", "--public-key", public_key_file, "--json", stdin=message).stdout)
    unknown = json.loads(call("verify", "--explain", "--json", stdin=message).stdout)
    assert (known["cause"], unknown["cause"]) == ("not_the_demo_key", "not_the_demo_key")
    assert known["findings"][0]["explanation"].endswith("it is by the public key.")
    assert "2048" not in unknown["findings"][0]["explanation"]
    assert known["signed_string"] is not None


def test_the_demo_key_is_not_for_production(call, demo, public_key_file):
    result = call("verify", "--explain", "--public-key", public_key_file, "--json", stdin=pasted(Sealer(demo)))
    assert json.loads(result.stdout)["cause"] == "demo_key"


def test_key_and_certificate_that_are_no_pair(call, seal, tmp_path):
    _, certificate, _ = seal
    own = pem_of(stranger(), tmp_path / "own.pem")
    sealer = spoiled(stranger(), MISTAKES["crlf"][0])
    result = call("verify", "--explain", "--certificate", certificate, "--key", own, "--json", stdin=pasted(sealer))
    found = json.loads(result.stdout)
    assert [finding["cause"] for finding in found["findings"]] == ["key_not_pair", "crlf"]
    assert "the certificate and the private key that were given are no pair" in found["notes"]
    assert found["signed_by"] == "the private key"


def test_a_pair_and_a_stranger(call, seal):
    _, certificate, key_file = seal
    result = call("verify", "--explain", "--certificate", certificate, "--key", key_file,
                  stdin=pasted(Sealer(stranger())))
    assert result.stdout.startswith("wrong: another_key\n")
    assert "next: The likely reasons: the certificate was renewed" in result.stdout


def test_a_file_with_the_whole_chain_in_any_order(call, tmp_path):
    authority = Authority()
    made = authority.seal()
    made.write(tmp_path, "key.pem", "certificate.pem")
    chain = tmp_path / "chain.pem"
    chain.write_bytes(authority.pem + (tmp_path / "certificate.pem").read_bytes())
    message = pasted(Sealer(load_pem_private_key(made.key_pem, None)))
    assert call("verify", "--explain", "--certificate", chain, stdin=message).exit_code == 0


def test_without_any_key_the_rest_is_judged(call, private_key):
    wrong = call("verify", "--explain", stdin=pasted(spoiled(private_key, MISTAKES["digest_json"][0])))
    assert (wrong.exit_code, wrong.stdout.splitlines()[0]) == (1, "wrong: digest_json")
    right = call("verify", "--explain", stdin=pasted(Sealer(private_key)))
    assert right.exit_code == 2
    assert right.stderr.startswith("signing-proxy: usage: No key was given")


@pytest.fixture
def config(seal, tmp_path):
    """Two applications: the seal's, and one whose key cannot be read."""
    _, certificate, key_file = seal
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    secret.write_text("s")
    text = "applications:\n"
    for name, key in (("broken", "missing.pem"), ("payments", key_file)):
        text += (f"  {name}: {{client_id: abc, client_secret_file: {secret}, key_file: {key}"
                 + (f", certificate_file: {certificate}" if name == "payments" else "") + "}\n")
    path = tmp_path / "proxy.yaml"
    path.write_text(text + "routes: [{profile: nordea, application: payments}]\n")
    return path


def test_the_key_of_an_application(call, seal, config):
    message = pasted(Sealer(seal[0]))
    all_of_them = call("verify", "--explain", "--config-file", config, "--json", stdin=message)
    assert all_of_them.exit_code == 0
    found = json.loads(all_of_them.stdout)
    assert found["signed_by"] == "application payments"
    assert any(note.startswith("the key of application broken is not tried") for note in found["notes"])
    one = call("verify", "--explain", "--config-file", config, "--application", "payments", stdin=message)
    assert one.exit_code == 0
    broken = call("verify", "--explain", "--config-file", config, "--application", "broken", stdin=message)
    assert (broken.exit_code, broken.stderr.split(":")[1].strip()) == (2, "key_unreadable")


@pytest.mark.parametrize("arguments", [
    ["--application", "payments"], ["--config-file", "CONFIG", "--application", "nobody"],
    ["--public-key", "KEY", "--entry", "7"], ["--public-key", "KEY", "--message-file", "a", "b"],
    ["--public-key", "KEY", "--body-file", "-"], ["--public-key", "KEY", "--format", "xml"]])
def test_usage(call, public_key_file, config, private_key, arguments):
    words = [{"KEY": public_key_file, "CONFIG": config}.get(word, word) for word in arguments]
    result = call("verify", "--explain", *words, stdin=pasted(Sealer(private_key)))
    assert result.exit_code == 2
    assert result.stderr.startswith("signing-proxy: usage: ")


# --- what else people do

def test_http_instead_of_https(call, private_key, public_key_file):
    sealer = Sealer(private_key)
    command = pasted(sealer, curl_single).replace(b"https://", b"http://", 1)
    result = call("verify", "--explain", "--public-key", public_key_file, "--json", stdin=command)
    assert json.loads(result.stdout)["cause"] == "plain_http"


def test_the_first_request_that_fails_is_shown(call, private_key, public_key_file):
    right, wrong = Sealer(private_key), spoiled(private_key, MISTAKES["crlf"][0])
    commands = b"\n".join(pasted(sealer, curl_single) for sealer in (right, wrong, right))
    for entry, expected in (([], (1, 2)), (["--entry", "2"], (1, 2)), (["--entry", "3"], (0, 3))):
        result = call("verify", "--explain", "--public-key", public_key_file, "--json", *entry, stdin=commands)
        assert (result.exit_code, json.loads(result.stdout)["input"]["entry"]) == expected


def test_curl_v_without_its_body(call, private_key, public_key_file, tmp_path):
    """curl does not print it; with --body-file the digest is judged too."""
    sealer = spoiled(private_key, MISTAKES["digest_json"][0])
    head = raw(sealer, sealer.headers()).partition(b"\r\n\r\n")[0].decode().split("\r\n")
    shown = "".join(f"> {line}\r\n" for line in [*head, f"Content-Length: {len(sealer.body)}", ""])
    output = f"*   Trying 192.0.2.1:443...\n{shown}< HTTP/1.1 401 Unauthorized\n< Date: x\n".encode()
    alone = json.loads(call("verify", "--explain", "--public-key", public_key_file, "--json", stdin=output).stdout)
    assert (alone["verdict"], alone["input"]["format"]) == ("valid", "http")
    assert any("--body-file adds it" in note for note in alone["notes"])
    (tmp_path / "body").write_bytes(sealer.body)
    whole = call("verify", "--explain", "--public-key", public_key_file, "--json", "--body-file", tmp_path / "body",
                 stdin=output)
    assert json.loads(whole.stdout)["cause"] == "digest_json"


def test_line_ends_that_the_clipboard_changed_are_restored(call, private_key, public_key_file):
    body = b'{\r\n  "amount": "2.00"\r\n}'
    sealer = Sealer(private_key, body=body)
    sealer.fields["Content-Length"] = str(len(body))
    sealer.body = body.replace(b"\r\n", b"\n")
    result = call("verify", "--explain", "--public-key", public_key_file, stdin=pasted(sealer, curl_single))
    assert result.exit_code == 0
    assert "note: the body's line ends were changed" in result.stdout


def test_a_curl_with_its_body_in_a_file(call, private_key, public_key_file, tmp_path):
    sealer = Sealer(private_key)
    (tmp_path / "payment.json").write_bytes(sealer.body)
    headers = " ".join(f"-H '{name}: {value}'" for name, value in without_host(sealer.headers()))
    command = f"curl {url_of(sealer, sealer.headers())!r} {headers} --data-binary @{tmp_path}/payment.json"
    assert call("verify", "--explain", "--public-key", public_key_file, stdin=command).exit_code == 0


# --- what is never shown, and what nobody can read

@pytest.mark.parametrize("spoil", [
    MISTAKES["covered_extra"][1], MISTAKES["nothing_signed"][0],
    attributes(change=lambda text: f"{text}\nauthorization: Bearer {TOKEN}"),
    attributes(change=lambda text: f"{text}\nx-ibm-client-secret: {SECRET}")])
def test_secrets_are_not_printed(call, private_key, public_key_file, spoil):
    sealer = spoiled(private_key, spoil)
    sealer.target += "&access_token=in-the-query&client_secret=there-as-well"
    for options in (["--json"], []):
        result = call("verify", "--explain", "--public-key", public_key_file, *options, stdin=pasted(sealer))
        assert result.exit_code == 1
        assert SECRET not in result.stdout + result.stderr
        assert TOKEN not in result.stdout + result.stderr
        assert "in-the-query" not in result.stdout
        assert "there-as-well" not in result.stdout


def test_plain_verify_does_not_print_them_either(call, private_key, public_key_file):
    sealer = spoiled(private_key, MISTAKES["covered_extra"][1])
    for options in (["--json"], []):
        result = call("verify", "--public-key", public_key_file, *options, stdin=pasted(sealer))
        assert TOKEN not in result.stdout + result.stderr


def test_a_message_cannot_drive_the_terminal(call, private_key, public_key_file):
    sealer = Sealer(private_key, target="/\x1b[31m\x9b")
    sealer.fields["X-Nordea-Originating-Date"] = "\x1b]0;title\x07"
    result = call("verify", "--explain", "--public-key", public_key_file, stdin=pasted(sealer))
    assert result.exit_code in (1, 2)
    assert not set("\x1b\x9b\x07") & set(result.stdout + result.stderr)


HOSTILE = {
    "nothing": b"", "white space": b" \n\t\n", "prose": b"Hello, my call fails with 401. What can I do?\n",
    "binary": bytes(range(256)) * 100, "ten megabytes": b"A" * 10_000_000, "lines": b"\n" * 5_000_000 + b"x",
    "zeros": bytes(1_000_000), "quotes": b"curl " + b"'\"" * 500_000, "dollars": b"curl " + b"$(" * 500_000,
    "here-strings": b"Invoke-WebRequest " + b"@'\n" * 300_000, "carets": b"curl " + b"^\n" * 400_000,
    "backticks": b"curl `\n" + b"`" * 400_000, "options": b"curl " + b"-H " * 300_000, "braces": b"{" * 1_000_000,
    "brackets": b"[" * 10_000_000, "a list": b"[" + b"{}," * 300_000 + b"{}]", "no archive": b'{"log": {"entries": 5}}',
    "an entry without anything": b'{"request": {}}', "numbers": b'{"request": {"method": 1, "url": 2}}',
    "half an entry": b'{"request": {"method": "GET", "url": "https://x/", "headers": [{"name": "a"', "url": b"curl http://",
    "a console": b"POST https://open.nordea.com/a: {\n\"Request Headers\": {",
    "console without request": b"Request Headers\nA: b\n", "marks": "▼Request Headers\n".encode() * 100_000,
    "utf-16": "curl".encode("utf-16"), "escapes": b"\x1b[2J" * 100, "fence": b"```\n" * 100_000,
    "requests": b"GET / HTTP/1.1\r\nno colon\r\n\r\n" * 50_000,
    "answers": b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n" + b"\nHTTP/1.1 200 OK\r\n" * 100_000,
    "invoke": b"Invoke-WebRequest -Headers @{" + b"'a'='b';" * 100_000, "typographic": "curl ‘".encode() * 1000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_cannot_be_read_is_one_sentence(call, public_key_file, text):
    result = call("verify", "--explain", "--public-key", public_key_file, stdin=text)
    if result.exit_code == 1:       # it can be read after all, and nothing in it is signed
        assert "wrong: nothing_signed" in result.stdout
        assert len(result.stdout) < 10_000
        return
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("signing-proxy: message_unreadable: The message cannot be read: ")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("header", ['"' * 100_000, "," * 100_000, "a=" * 50_000, "\\" * 100_000, "keyId=" * 20_000,
                                    "A" * 1_000_000])
def test_a_hostile_header(call, private_key, public_key_file, header):
    sealer = spoiled(private_key, lambda sealer: setattr(sealer, "write", lambda _: header))
    result = call("verify", "--explain", "--public-key", public_key_file, stdin=pasted(sealer))
    assert result.exit_code == 1
    assert "wrong: parameters" in result.stdout


def test_a_public_exponent_of_three_is_no_trouble(call, tmp_path):
    key = rsa.generate_private_key(3, 2048)
    path = tmp_path / "key.pub"
    path.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert call("verify", "--explain", "--public-key", path, stdin=pasted(Sealer(key))).exit_code == 0


def test_progress_and_colour_are_for_terminals(private_key, public_key_file, tmp_path):
    (tmp_path / "request").write_bytes(pasted(spoiled(private_key, MISTAKES["crlf"][0])))
    arguments = ("verify", "--explain", "--public-key", public_key_file, "request")
    with Terminal(*arguments, cwd=tmp_path) as terminal:
        terminal.expect("looking for the mistake …")
        terminal.expect("\r\x1b[K")
        terminal.expect("\x1b[31m\x1b[1mwrong: crlf\x1b[0m")
        assert terminal.end() == 1
    with Terminal(*arguments, cwd=tmp_path, NO_COLOR="1") as terminal:
        terminal.expect("\nwrong: crlf\n".removeprefix("\n"))
        assert terminal.end() == 1
        assert "\x1b[31m" not in terminal.text


def test_pasting_at_a_terminal(private_key, public_key_file, tmp_path):
    command = pasted(spoiled(private_key, MISTAKES["crlf"][0]), curl_single).decode()
    with Terminal("verify", "--explain", "--public-key", public_key_file, cwd=tmp_path) as terminal:
        terminal.expect("Paste the request, then press Enter and Ctrl-D.")
        terminal.type(command)
        terminal.type("\x04")
        terminal.expect("wrong: crlf")
        assert terminal.end() == 1

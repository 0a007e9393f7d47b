"""The ways into `verify`: message or parts, three kinds of key, and what cannot be read."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from proxy.emulator import Authority, Validity
from tests.cli.captures import VECTORS, raw_message
from tests.cli.sealed_by_hand import BODY, Sealer

POST = next(vector for vector in VECTORS if vector["id"] == "post-json")


@pytest.fixture
def message(private_key):
    return Sealer(private_key).message()


@pytest.fixture
def key_file(private_key, tmp_path):
    path = tmp_path / "key.pem"
    path.touch(mode=0o600)
    path.write_bytes(private_key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    return path


def test_by_private_key(call, message, key_file):
    assert call("verify", "--key-file", key_file, stdin=message).exit_code == 0


@pytest.mark.parametrize(("encoding", "form"), [(Encoding.PEM, PublicFormat.PKCS1), (Encoding.DER,
                         PublicFormat.SubjectPublicKeyInfo)])
def test_by_public_key(call, message, private_key, tmp_path, encoding, form):
    (tmp_path / "key.pub").write_bytes(private_key.public_key().public_bytes(encoding, form))
    assert call("verify", "--public-key-file", tmp_path / "key.pub", stdin=message).exit_code == 0


def test_by_certificate_and_with_a_word_about_its_dates(call, tmp_path):
    old = Validity(datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC))
    seal = Authority().seal(validity=old)
    seal.write(tmp_path, "key", "certificate")
    result = call("verify", "--certificate-file", tmp_path / "certificate", "--json",
                  stdin=Sealer(load_pem_private_key(seal.key_pem, None)).message())
    verdict = json.loads(result.stdout)
    assert (result.exit_code, verdict["verdict"]) == (0, "valid")
    assert "2021-01-01" in verdict["notes"][0]


def test_from_a_file(call, message, key_file, tmp_path):
    (tmp_path / "request").write_bytes(message)
    assert call("verify", "--key-file", key_file, "--message-file", tmp_path / "request").exit_code == 0


def test_from_parts(call, private_key, key_file, tmp_path):
    sealer = Sealer(private_key)
    (tmp_path / "body").write_bytes(BODY)
    lines = sealer.message().partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    headers = [part for line in lines for part in ("--header", line)]
    result = call("verify", "--key-file", key_file, "--method", "POST", "--target",
                  f"https://open.nordea.com{sealer.target}", *headers, "--body-file", tmp_path / "body")
    assert result.exit_code == 0
    assert "note: the request line holds a whole URL" in result.stdout


def test_a_chunked_body_is_put_together(call, private_key, key_file):
    sealer = Sealer(private_key)
    sealer.fields["Transfer-Encoding"] = "chunked"
    head = sealer.message()[:-len(BODY)]
    message = head + b"%x;a=b\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (4, BODY[:4], len(BODY) - 4, BODY[4:])
    assert call("verify", "--key-file", key_file, stdin=message).exit_code == 0


def test_what_an_editor_adds_after_the_body_is_left_out(call, private_key, key_file):
    sealer = Sealer(private_key)
    sealer.fields["Content-Length"] = str(len(BODY))
    result = call("verify", "--key-file", key_file, stdin=sealer.message() + b"\n")
    assert result.exit_code == 0
    assert "note: 1 bytes after Content-Length" in result.stdout


def test_the_text_leads_with_the_first_difference(call, sandbox_public_key):
    vector = next(vector for vector in VECTORS if vector["id"] == "neg-upper-method")
    lines = call("verify", "--public-key-file", sandbox_public_key, stdin=raw_message(vector)).stdout.splitlines()
    assert lines[:5] == [
        "invalid: upper_case_method",
        "  The method was signed in upper case.",
        "  found:    (request-target): POST /personal/v4/payments/domestic\\n",
        "  expected: (request-target): post /personal/v4/payments/domestic\\n",
        "  Lower-case it: '(request-target): post /…'.",
    ]


def test_in_a_process_of_its_own(process, sandbox_public_key):
    done = process("verify", "--public-key-file", sandbox_public_key, stdin=raw_message(POST))
    assert (done.returncode, done.stdout.splitlines()[0], done.stderr) == (0, b"valid", b"")


def test_a_message_cannot_drive_the_terminal(call, sandbox_public_key):
    message = raw_message(POST, **{"X-Nordea-Originating-Host": "\x1b[31mred\x9b"})
    result = call("verify", "--public-key-file", sandbox_public_key, stdin=message)
    assert result.exit_code == 1
    assert not set("\x1b\x9b") & set(result.stdout)


@pytest.mark.parametrize("message", [b"", b"\r\n\r\n", b"hello", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
                                     b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz"])
def test_a_message_that_cannot_be_read(call, sandbox_public_key, message):
    result = call("verify", "--public-key-file", sandbox_public_key, stdin=message)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("signing-proxy: message_unreadable: ")


@pytest.mark.parametrize(("option", "content", "code"), [
    ("--certificate-file", None, "key_unreadable"),
    ("--certificate-file", b"nonsense", "certificate_format"),
    ("--public-key-file", None, "key_unreadable"),
    ("--public-key-file", b"nonsense", "key_format"),
    ("--public-key-file", "ec", "key_type"),
    ("--key-file", b"nonsense", "key_format"),
])
def test_a_key_that_cannot_be_read(call, message, tmp_path, option, content, code):
    path = tmp_path / "key"
    if content == "ec":
        public = ec.generate_private_key(ec.SECP256R1()).public_key()
        content = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    if content is not None:
        path.touch(mode=0o600)
        path.write_bytes(content)
    result = call("verify", option, path, stdin=message)
    assert (result.exit_code, result.stderr.split(":")[1].strip()) == (2, code)


@pytest.mark.parametrize("arguments", [
    [], ["--key-file", "a", "--certificate-file", "b"], ["--public-key-file", "KEY", "--method", "GET"],
    ["--public-key-file", "KEY", "--method", "GET", "--target", "/", "--message-file", "x"],
    ["--public-key-file", "KEY", "--message-file", "/does/not/exist"]])
def test_usage(call, sandbox_public_key, arguments):
    result = call("verify", *[sandbox_public_key if word == "KEY" else word for word in arguments])
    assert result.exit_code == 2
    assert result.stderr.startswith("signing-proxy: usage: ")

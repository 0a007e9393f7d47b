"""`ssa`: a statement that openssl verifies, faults with their places, and nothing secret in any output."""

from __future__ import annotations

import base64
import json
import re
import shutil
from datetime import UTC, datetime
from uuid import UUID

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.cli.captures import ROOT
from tests.keys import making
from tests.keys.seals import Issuer, der
from tests.keys.software_statement import CLAIMS


@pytest.fixture(scope="session")
def issuer():
    return Issuer(datetime.now(UTC).replace(microsecond=0))


@pytest.fixture(scope="session")
def originals(tmp_path_factory, issuer, private_key):
    folder = tmp_path_factory.mktemp("statements")
    seal = der(issuer.issue(private_key.public_key()))
    making.write(folder / "c.pem", making.pem(seal) + making.pem(issuer.der), 0o644)
    making.write(folder / "expired.pem", making.pem(der(issuer.issue(private_key.public_key(), days=-1))), 0o644)
    making.write(folder / "k.pem", making.pkcs8(private_key))
    making.write(folder / "locked.pem", making.pkcs8(private_key, password=making.PASSWORD))
    making.write(folder / "other.pem", making.pkcs8(rsa.generate_private_key(65537, 2048)))
    making.write(folder / "password", making.PASSWORD)
    making.write(folder / "claims.yaml", yaml.safe_dump(CLAIMS).encode(), 0o644)
    making.write(folder / "garbage", b"\x00\xff: [", 0o600)
    making.write(folder / "text", b"no mapping", 0o600)
    making.write(folder / "long", b"A" * (10 << 20))
    (folder / "directory").mkdir()
    return folder


@pytest.fixture
def files(tmp_path, originals):
    return shutil.copytree(originals, tmp_path, dirs_exist_ok=True)


@pytest.fixture
def create(call, files):
    def run(*options, claims="claims.yaml", key="k.pem", certificate="c.pem"):
        return call("ssa", "create", "--claims", files / claims, "--key", files / key, "--certificate",
                    files / certificate, *options)
    return run


@pytest.fixture
def verify(call, files):
    def run(text, *options, certificate="c.pem"):
        making.write(files / "s.jwt", text.encode())
        return call("ssa", "verify", files / "s.jwt", "--certificate", files / certificate, *options)
    return run


def header_of(text):
    return json.loads(base64.urlsafe_b64decode(text.split(".")[0] + "=="))


def test_a_statement_on_standard_output(create, verify, files):
    result = create()
    assert (result.exit_code, result.stderr) == (0, "")
    text = result.stdout.removesuffix("\n")
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", text)
    signed, _, signature = text.rpartition(".")
    (files / "signature").write_bytes(base64.urlsafe_b64decode(signature + "=="))
    (files / "public").write_bytes(making.openssl("x509", "-in", str(files / "c.pem"), "-noout", "-pubkey"))
    assert making.openssl("dgst", "-sha256", "-verify", str(files / "public"), "-signature", str(files / "signature"),
                          given=signed.encode()) == b"Verified OK\n"
    assert verify(text).stdout.startswith("valid\n")
    report = json.loads(verify(text, "--json").stdout)
    assert {name: report["claims"][name] for name in CLAIMS} == CLAIMS
    assert str(UUID(report["claims"]["jti"])) == report["claims"]["jti"]
    assert isinstance(report["claims"]["iat"], int)


def test_no_two_are_the_same(create):
    assert create().stdout != create().stdout


def test_the_header(create, files):
    assert set(header_of(create().stdout)) == {"typ", "alg", "kid"}
    header = header_of(create("--kid", "mine", "--x5c").stdout)
    assert header["kid"] == "mine"
    assert making.pem(base64.b64decode(header["x5c"][0])) in (files / "c.pem").read_bytes()


def test_a_password(create, files, monkeypatch):
    monkeypatch.setenv("KEY_PASSWORD", making.PASSWORD.decode())
    for options in (("--password-file", files / "password"), ("--password-env", "KEY_PASSWORD")):
        assert create(*options, key="locked.pem").exit_code == 0
    assert create(key="locked.pem").stderr.startswith("signing-proxy: key_password: ")
    both = create("--password-file", files / "password", "--password-env", "KEY_PASSWORD")
    assert both.exit_code == 2


def test_faults_have_their_places(create, files):
    making.write(files / "claims.yaml", yaml.safe_dump({**CLAIMS, "iss": "", "software_roles": ["x"]}).encode())
    result = create()
    assert (result.exit_code, result.stdout) == (1, "")
    first, *places = result.stderr.splitlines()
    assert first.startswith("signing-proxy: claims_invalid: ")
    assert [place.split(":")[0] for place in places] == ["  iss", "  software_roles[0]"]


def test_what_the_certificate_does_not_bear_out_is_a_warning(create, verify, files):
    making.write(files / "claims.yaml", yaml.safe_dump({**CLAIMS, "software_roles": ["PSP_IC"]}).encode())
    result = create()
    assert result.exit_code == 0
    assert "PSP_IC" in result.stderr
    assert "PSP_IC" in verify(result.stdout).stderr


@pytest.mark.parametrize(("which", "name", "code"), [
    ("claims", "missing", "input_unreadable"), ("claims", "directory", "input_unreadable"),
    ("claims", "long", "input_unreadable"), ("claims", "garbage", "claims_invalid"),
    ("claims", "text", "claims_invalid"), ("claims", "k.pem", "claims_invalid"),
    ("key", "missing", "key_unreadable"), ("key", "directory", "key_unreadable"), ("key", "long", "key_unreadable"),
    ("key", "garbage", "key_format"), ("key", "other.pem", "key_pair_mismatch"),
    ("certificate", "missing", "key_unreadable"), ("certificate", "directory", "key_unreadable"),
    ("certificate", "long", "key_unreadable"), ("certificate", "garbage", "certificate_format"),
    ("certificate", "k.pem", "certificate_format"), ("certificate", "expired.pem", "certificate_expired")])
def test_bad_input_of_create(create, which, name, code):
    result = create(**{which: name})
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"signing-proxy: {code}: ")
    assert code == "claims_invalid" or result.stderr.count("\n") == 1


@pytest.mark.parametrize(("name", "code"), [
    ("missing", "input_unreadable"), ("directory", "input_unreadable"), ("long", "input_unreadable"),
    ("garbage", "assertion_invalid"), ("k.pem", "assertion_invalid"), ("c.pem", "assertion_invalid")])
def test_bad_input_of_verify(call, files, name, code):
    result = call("ssa", "verify", files / name, "--certificate", files / "c.pem")
    assert (result.exit_code, result.stdout) == (1, "")
    assert re.fullmatch(rf"signing-proxy: {code}: [^\n]+\. [^\n]+\.\n", result.stderr)


def test_the_first_fault_of_a_statement(create, verify):
    text = create().stdout.strip()
    head, body, signature = text.split(".")
    assert "two parts" not in verify(text).stderr
    assert "2 parts" in verify(f"{head}.{body}").stderr
    assert "signature was not made" in verify(f"{head}.{body}.{'A' * len(signature)}").stderr


def test_a_certificate_that_has_expired_since(create, verify):
    result = verify(create().stdout, certificate="expired.pem")
    assert result.exit_code == 0
    assert "The certificate is valid from" in result.stderr


def test_from_standard_input(create, call, files):
    result = call("ssa", "verify", "-", "--certificate", files / "c.pem", stdin=create().stdout)
    assert result.stdout.startswith("valid\n")


def test_the_claims_of_the_document_make_a_statement(create, verify, files):
    document = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8").split("## `ssa`")[1]
    claims = re.search(r"^```yaml\n(.*?)^```$", document, re.M | re.S)
    making.write(files / "claims.yaml", claims[1].encode())
    made = create()
    assert made.exit_code == 0      # it may warn: the certificate here is another company's
    assert verify(made.stdout).stdout.startswith("valid")

"""`cert` at the desk: what people paste, order and hand over, and one sentence for everything that is not right."""

from __future__ import annotations

import base64
import json
import re
import shutil
import stat
from datetime import UTC, datetime

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from proxy.keys.certificate import read_facts
from tests.keys import making
from tests.keys.seals import Issuer, der

DETAILS = {"country": "FI", "organization": "Example Oy", "organization_identifier": "PSDFI-FINFSA-1234567-8",
           "common_name": "Example", "roles": ["PSP_PI", "PSP_AI"], "authority_name": "Finanssivalvonta",
           "authority_id": "FI-FINFSA"}
FLAGS = [part for name, value in DETAILS.items() if name != "roles"
         for part in (f"--{name.replace('_', '-')}", value)] + ["--role", "PSP_PI", "--role", "PSP_AI"]


@pytest.fixture(scope="session")
def issuer():
    return Issuer(datetime.now(UTC).replace(microsecond=0))


@pytest.fixture(scope="session")
def seal(issuer, private_key):
    return der(issuer.issue(private_key.public_key()))


@pytest.fixture(scope="session")
def originals(tmp_path_factory, seal, issuer, private_key):
    """The name tells what is in it."""
    folder = tmp_path_factory.mktemp("certificates")
    making.write(folder / "seal.der", seal, 0o644)
    making.write(folder / "seal.pem", making.pem(seal), 0o644)
    making.write(folder / "seal.b64", base64.b64encode(seal), 0o644)
    making.write(folder / "issuer.pem", making.pem(issuer.der), 0o644)
    making.write(folder / "both.pem", making.pem(seal) + making.pem(issuer.der), 0o644)
    making.write(folder / "key.pem", making.pkcs8(private_key))
    making.write(folder / "key.der", making.pkcs8(private_key, Encoding.DER))
    making.write(folder / "with-key.pem", making.pem(seal) + making.pkcs8(private_key))
    making.write(folder / "store.p12", making.keystore(private_key, seal, issuer.der))
    making.write(folder / "alone.p12", making.keystore(private_key, seal))
    making.write(folder / "password", making.PASSWORD + b"\n")
    making.write(folder / "garbage", b"\x00\xffgarbage")
    making.write(folder / "text", b"This is no certificate.")
    making.write(folder / "empty", b"")
    making.write(folder / "long", b"A" * (10 << 20))
    (folder / "directory").mkdir()
    return folder


@pytest.fixture
def files(tmp_path, originals):
    return shutil.copytree(originals, tmp_path, dirs_exist_ok=True)


def one_line(result, code):
    """One sentence what is wrong, one what to do."""
    assert result.exit_code == 1
    assert result.stdout == ""
    assert re.fullmatch(rf"signing-proxy: {code}: [^\n]+\. [^\n]+\.\n", result.stderr), result.stderr
    assert making.PASSWORD.decode() not in result.stderr


class TestShow:
    @pytest.mark.parametrize("name", ["seal.der", "seal.pem", "seal.b64", "alone.p12"])
    def test_every_container(self, call, files, seal, name):
        result = call("cert", "show", files / name, "--password-file", files / "password")
        facts = read_facts(seal)
        assert result.exit_code == 0
        for value in (facts.subject, facts.issuer, facts.serial, "PSDFI-FINFSA-112233", "RSA 2048", "eseal",
                      "PSP_PI, PSP_AI", "Finanssivalvonta (FI-FINFSA)", "ecdsa-with-SHA256"):
            assert value in result.stdout

    def test_the_figures_are_those_of_openssl(self, call, files):
        (shown,) = json.loads(call("cert", "show", files / "seal.pem", "--json").stdout)["certificates"]
        for name in ("sha256", "sha1"):
            said = making.openssl("x509", "-in", str(files / "seal.pem"), "-noout", "-fingerprint", f"-{name}").decode()
            assert shown[f"fingerprint_{name}"] == said.split("=")[1].strip().replace(":", "").lower()
        public = making.openssl("x509", "-in", str(files / "seal.pem"), "-noout", "-pubkey")
        spki = making.openssl("pkey", "-pubin", "-outform", "DER", given=public)
        assert making.openssl("dgst", "-sha256", "-r", given=spki).decode().split()[0] == shown["spki_sha256"]
        assert (shown["serial"], shown["key_bits"], shown["roles"]) == ("a1b2c3d", 2048, ["PSP_PI", "PSP_AI"])

    def test_each_of_several(self, call, files):
        text = call("cert", "show", files / "both.pem").stdout
        assert "certificate 2 of 2" in text
        assert len(json.loads(call("cert", "show", files / "both.pem", "--json").stdout)["certificates"]) == 2

    def test_a_password_from_the_environment(self, call, files, monkeypatch):
        monkeypatch.setenv("STORE_PASSWORD", making.PASSWORD.decode())
        assert call("cert", "show", files / "store.p12", "--password-env", "STORE_PASSWORD").exit_code == 0
        one_line(call("cert", "show", files / "store.p12"), "key_password")
        one_line(call("cert", "show", files / "store.p12", "--password-env", "STORE_PASSWORD_2"), "key_password")

    def test_a_name_cannot_drive_the_terminal(self, call, tmp_path, issuer, private_key):
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a\x1b[31mb\nc")])
        making.write(tmp_path / "c", der(issuer.issue(private_key.public_key(), name=name)))
        for command in ("show", "lint"):
            assert "\x1b" not in call("cert", command, tmp_path / "c").stdout


class TestLint:
    def test_nothing_to_object_to(self, call, files):
        result = call("cert", "lint", files / "seal.der", "--key", files / "key.pem", "--chain", files / "issuer.pem")
        assert (result.exit_code, result.stderr) == (0, "")
        assert "nothing to object to" in result.stdout

    def test_a_store_has_all_that_is_needed(self, call, files):
        result = call("cert", "lint", files / "store.p12", "--key", files / "store.p12", "--password-file",
                      files / "password")
        assert "nothing to object to" in result.stdout

    def test_errors_end_with_1_and_warnings_do_not(self, call, files, tmp_path, issuer, private_key):
        warned = call("cert", "lint", files / "seal.pem", "--json")
        report = json.loads(warned.stdout)
        assert (warned.exit_code, report["ok"], report["status"]) == (0, True, None)
        assert [finding["id"] for finding in report["findings"]] == ["chain_incomplete"]
        bad = der(issuer.issue(private_key.public_key(), statements=making.qc_statements(("PSP_IC",)), days=-1))
        making.write(tmp_path / "bad", bad)
        refused = call("cert", "lint", tmp_path / "bad", "--chain", files / "issuer.pem", "--json")
        report = json.loads(refused.stdout)
        assert (refused.exit_code, report["ok"]) == (1, False)
        assert [finding["id"] for finding in report["findings"]] == ["only_psp_ic", "expired"]
        assert all(set(finding) == {"id", "severity", "reason", "advice"} for finding in report["findings"])
        text = call("cert", "lint", tmp_path / "bad").stdout
        assert "error only_psp_ic: " in text
        assert "warning chain_incomplete: " in text

    def test_another_key(self, call, files, tmp_path):
        making.write(tmp_path / "other", making.pkcs8(rsa.generate_private_key(65537, 2048)))
        result = call("cert", "lint", files / "both.pem", "--key", tmp_path / "other")
        assert (result.exit_code, result.stdout.count("key_pair_mismatch")) == (1, 1)

    def test_the_form_of_the_file(self, call, files, tmp_path):
        making.write(tmp_path / "cut", (files / "seal.pem").read_bytes()[:-20], 0o644)
        result = call("cert", "lint", tmp_path / "cut", "--json")
        assert result.exit_code == 1
        assert "armour_damaged" in result.stdout
        assert "private_key_in_file" in call("cert", "lint", files / "with-key.pem").stdout

    def test_a_key_that_others_can_read(self, call, files):
        (files / "key.pem").chmod(0o644)
        one_line(call("cert", "lint", files / "seal.pem", "--key", files / "key.pem"), "key_permissions")


class TestUploadForm:
    @pytest.mark.parametrize("name", ["seal.der", "seal.pem", "seal.b64", "alone.p12"])
    def test_one_line_of_base64(self, call, files, seal, name):
        result = call("cert", "upload-form", files / name, "--password-file", files / "password")
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout == base64.b64encode(seal).decode() + "\n"

    @pytest.mark.parametrize("name", ["both.pem", "with-key.pem"])
    def test_more_than_one_certificate(self, call, files, name):
        one_line(call("cert", "upload-form", files / name), "upload_refused")

    @pytest.mark.parametrize(("days", "before"), [(-1, -10), (10, 1)])
    def test_not_in_date(self, call, tmp_path, issuer, private_key, days, before):
        making.write(tmp_path / "c", der(issuer.issue(private_key.public_key(), days=days, before=before)))
        one_line(call("cert", "upload-form", tmp_path / "c"), "upload_refused")

    def test_what_the_bank_refuses_is_told_beside_it(self, call, tmp_path, issuer, private_key):
        web = der(issuer.issue(private_key.public_key(), statements=making.qc_statements(qc_type="web")))
        making.write(tmp_path / "c", web)
        result = call("cert", "upload-form", tmp_path / "c")
        assert result.exit_code == 0
        assert "(qc_type_web)" in result.stderr


BAD = [("missing", "key_unreadable"), ("directory", "key_unreadable"), ("long", "key_unreadable"),
       ("garbage", "certificate_format"), ("text", "certificate_format"), ("empty", "certificate_format"),
       ("key.pem", "certificate_format"), ("key.der", "certificate_format")]


@pytest.mark.parametrize(("name", "code"), BAD)
@pytest.mark.parametrize("command", [["show"], ["show", "--json"], ["lint"], ["lint", "--online"], ["upload-form"]])
def test_what_is_no_certificate(call, files, command, name, code):
    result = call("cert", *command, files / name)
    one_line(result, code)
    assert not name.startswith("key") or "private key" in result.stderr


@pytest.mark.parametrize(("option", "name", "code"), [
    ("--key", "missing", "key_unreadable"), ("--key", "seal.pem", "key_format"), ("--key", "garbage", "key_format"),
    ("--key", "long", "key_unreadable"), ("--key", "directory", "key_unreadable"),
    ("--chain", "missing", "key_unreadable"), ("--chain", "key.pem", "certificate_format"),
    ("--chain", "garbage", "certificate_format"), ("--password-file", "missing", "key_unreadable")])
def test_lint_beside_the_certificate(call, files, option, name, code):
    (files / "seal.pem").chmod(0o600)
    one_line(call("cert", "lint", files / "seal.pem", option, files / name), code)


class TestRequest:
    def order(self, call, folder, *options):
        return call("cert", "csr", "--out-key", folder / "k", "--out", folder / "r", *options)

    def test_by_flags(self, call, tmp_path):
        result = self.order(call, tmp_path, *FLAGS)
        assert (result.exit_code, result.stderr) == (0, "")
        assert "PRIVATE" not in result.stdout
        assert stat.S_IMODE((tmp_path / "k").stat().st_mode) == 0o600
        key = load_pem_private_key((tmp_path / "k").read_bytes(), None)
        request = x509.load_pem_x509_csr((tmp_path / "r").read_bytes())
        assert key.key_size == 3072
        assert request.public_key() == key.public_key()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["k", "r"]

    def test_by_file_where_a_flag_wins(self, call, tmp_path):
        (tmp_path / "d.yaml").write_text(yaml.safe_dump(DETAILS))
        result = self.order(call, tmp_path, "--request", tmp_path / "d.yaml", "--common-name", "Other", "--bits",
                            "2048", "--role", "PSP_AS")
        assert result.exit_code == 0
        said = making.openssl("req", "-in", str(tmp_path / "r"), "-noout", "-text", "-verify").decode()
        assert "CN = Other" in said
        assert "2048 bit" in said
        assert "PSP_AS" in said
        assert "PSP_PI" not in said

    def test_a_password_from_a_file(self, call, tmp_path, files):
        result = self.order(call, tmp_path, *FLAGS, "--bits", "2048", "--password-file", files / "password")
        assert result.exit_code == 0
        assert load_pem_private_key((tmp_path / "k").read_bytes(), making.PASSWORD).key_size == 2048

    @pytest.mark.parametrize("there", ["k", "r"])
    def test_nothing_is_overwritten_unless_forced(self, call, tmp_path, there):
        (tmp_path / there).write_text("precious")
        one_line(self.order(call, tmp_path, *FLAGS), "output_exists")
        assert [path.name for path in tmp_path.iterdir()] == [there]
        assert (tmp_path / there).read_text() == "precious"
        assert self.order(call, tmp_path, *FLAGS, "--bits", "2048", "--force").exit_code == 0
        assert stat.S_IMODE((tmp_path / "k").stat().st_mode) == 0o600

    @pytest.mark.parametrize("place", ["none/k", "directory", "/dev/null", "/dev/stdout"])
    def test_a_place_where_no_key_belongs(self, process, files, place):
        done = process("cert", "csr", "--out-key", files / place, "--out", files / "r", *FLAGS, "--bits", "2048",
                       "--force")
        assert (done.returncode, done.stdout) == (1, b"")
        assert re.fullmatch(rb"signing-proxy: output_unwritable: [^\n]+\n", done.stderr)
        assert not (files / "r").exists()

    def test_key_and_request_in_one_file(self, call, tmp_path):
        result = call("cert", "csr", "--out-key", tmp_path / "k", "--out", tmp_path / "k", *FLAGS)
        assert result.exit_code == 2

    def test_details_that_are_missing(self, call, tmp_path):
        result = self.order(call, tmp_path, "--country", "fi")
        assert result.exit_code == 1
        assert result.stderr.startswith("signing-proxy: csr_details_invalid: ")
        assert "  country: " in result.stderr
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(("name", "code"), [
        ("missing", "input_unreadable"), ("directory", "input_unreadable"), ("long", "input_unreadable"),
        ("garbage", "csr_details_invalid"), ("text", "csr_details_invalid"), ("empty", "csr_details_invalid"),
        ("key.pem", "csr_details_invalid"), ("seal.pem", "csr_details_invalid")])
    def test_a_bad_file(self, call, files, name, code):
        result = self.order(call, files, "--request", files / name)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith(f"signing-proxy: {code}: ")
        assert not (files / "k").exists()


class TestDemo:
    def test_a_seal_that_lint_accepts(self, call, tmp_path):
        result = call("cert", "demo", "--directory", tmp_path / "d", "--role", "PSP_PI", "--role", "PSP_AS",
                      "--days", 60, "--bits", "3072")
        assert result.exit_code == 0
        assert "worth nothing" in result.stdout
        assert stat.S_IMODE((tmp_path / "d" / "qseal.key").stat().st_mode) == 0o600
        lint = call("cert", "lint", tmp_path / "d" / "qseal.pem", "--key", tmp_path / "d" / "qseal.key", "--chain",
                    tmp_path / "d" / "ca.pem")
        assert "nothing to object to" in lint.stdout
        shown = json.loads(call("cert", "show", tmp_path / "d" / "qseal.pem", "--json").stdout)["certificates"][0]
        assert (shown["roles"], shown["key_bits"]) == (["PSP_PI", "PSP_AS"], 3072)
        one_line(call("cert", "demo", "--directory", tmp_path / "d"), "output_exists")
        assert call("cert", "demo", "--directory", tmp_path / "d", "--force", "--days", -3).exit_code == 0
        assert "expired" in call("cert", "lint", tmp_path / "d" / "qseal.pem").stdout

    def test_a_directory_that_cannot_be(self, call, files):
        one_line(call("cert", "demo", "--directory", files / "text" / "d"), "output_unwritable")

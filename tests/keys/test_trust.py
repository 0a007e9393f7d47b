"""Clients get our authority beside the system's, in the forms they read; Java, openssl and keytool say so."""

from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

from proxy.errors import KeyUnusable
from proxy.keys import trust
from proxy.keys.authority import load_or_make, make_anew
from proxy.keys.serving import server_context
from tests.keys.authorities import Clock, kept, leaf_of, program, served

HERE = Path(__file__).parent


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def roots(tmp_path, clock):
    """Two authorities that stand for the system's, with what such files have between them."""
    pems = [make_anew(kept(tmp_path / f"root-{name}"), [f"{name}.example"], clock=clock).pem for name in "ab"]
    file = tmp_path / "roots.pem"
    file.write_bytes(b"# Some Root\n" + pems[0] + b"\nAnother\n" + pems[1] + pems[0])
    return file, pems


@pytest.fixture
def make(tmp_path, clock, roots):
    def making(*hosts, directory=tmp_path / "ca"):
        return load_or_make(kept(directory, roots_file=str(roots[0])), hosts or ("open.nordea.com",), clock=clock)
    return making


def parsed(*pems: bytes):
    return [x509.load_pem_x509_certificate(pem) for pem in pems]


def test_the_bundle_holds_the_system_and_ours_once_each(make, roots):
    authority = make()
    assert x509.load_pem_x509_certificates(trust.bundle(authority)) == parsed(*roots[1], authority.pem)


def test_a_system_that_trusts_ours_already_gets_it_once(make, roots):
    authority = make()
    roots[0].write_bytes(roots[0].read_bytes() + authority.pem.replace(b"\n", b"\r\n"))
    assert x509.load_pem_x509_certificates(trust.bundle(authority)) == parsed(*roots[1], authority.pem)


def test_the_trust_store_holds_the_same(make, roots):
    authority = make()
    store = load_pkcs12(trust.java_store(authority), b"changeit")
    assert [entry.certificate for entry in store.additional_certs] == parsed(authority.pem, *roots[1])
    assert store.key is None


def test_our_own_bundle_is_never_taken_for_the_systems(make, tmp_path, clock, roots, monkeypatch):
    """After `ca env` SSL_CERT_FILE names it; read back, it would keep an old authority for ever."""
    old = make()
    settings = kept(tmp_path / "ca", roots_file=str(tmp_path / "ca" / "bundle.pem"))
    monkeypatch.setattr(trust, "_USUAL", (str(roots[0]),))
    new = make_anew(settings, ("open.nordea.com",), clock=clock)
    pem = trust.bundle(new)
    assert old.pem.strip() not in pem
    assert new.pem.strip() in pem
    assert pem == (tmp_path / "ca" / "bundle.pem").read_bytes()


@pytest.mark.parametrize("content", [b"", b"nonsense", None])
def test_a_file_of_roots_without_any_is_refused(make, roots, content):
    authority = make()
    roots[0].write_bytes(content) if content is not None else roots[0].unlink()
    with pytest.raises(KeyUnusable) as caught:
        trust.bundle(authority)
    assert caught.value.code == "roots_missing"
    assert "SSL_CERT_FILE" in str(caught.value)


def test_a_file_that_holds_only_ours_is_no_system(make, roots):
    authority = make()
    roots[0].write_bytes(authority.pem)
    with pytest.raises(KeyUnusable, match="this CA and no other"):
        trust.bundle(authority)


def test_a_system_without_roots(monkeypatch):
    monkeypatch.setattr(trust, "_roots_in", lambda path: b"")
    with pytest.raises(KeyUnusable) as caught:
        trust.system_roots()
    assert caught.value.code == "roots_missing"


def test_exports_are_written_when_they_differ_and_only_then(make, roots, tmp_path):
    authority = make()
    names = ("ca.pem", "bundle.pem", "truststore.p12")
    directory = tmp_path / "ca"
    before = {name: (directory / name).stat().st_mtime_ns for name in names}
    make()
    assert {name: (directory / name).stat().st_mtime_ns for name in names} == before
    roots[0].write_bytes(roots[1][1])
    make()
    assert x509.load_pem_x509_certificates((directory / "bundle.pem").read_bytes()) == parsed(
        roots[1][1], authority.pem)
    store = load_pkcs12((directory / "truststore.p12").read_bytes(), b"changeit")
    assert len(store.additional_certs) == 2
    (directory / "truststore.p12").unlink()
    make()
    assert (directory / "truststore.p12").exists()


def test_exports_elsewhere_hold_no_key(make, tmp_path):
    authority = make()
    (tmp_path / "out").mkdir()
    trust.write_exports(authority, str(tmp_path / "out"))
    files = {path.name: path for path in (tmp_path / "out").iterdir()}
    assert sorted(files) == ["bundle.pem", "ca.pem", "truststore.p12"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files.values()} == {0o644}
    assert files["ca.pem"].read_bytes() == authority.pem
    with pytest.raises(KeyUnusable, match="missing"):
        trust.write_exports(authority, str(tmp_path / "missing"))


def test_keytool_lists_it(make, tmp_path):
    make()
    done = subprocess.run([program("keytool"), "-list", "-keystore", tmp_path / "ca" / "truststore.p12", "-storepass",
                           "changeit"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "3 entries" in done.stdout
    assert done.stdout.count("trustedCertEntry") == 3


def test_java_trusts_our_hosts_and_no_other_that_the_key_signs(make, tmp_path, clock):
    java, compiler = program("java"), program("javac")
    shutil.copy(HERE / "Fetch.java", tmp_path)
    subprocess.run([compiler, "-nowarn", "-d", tmp_path, tmp_path / "Fetch.java"], check=True, capture_output=True)
    authority = make("127.0.0.1", "open.nordea.com")
    foreign, issuer = leaf_of(tmp_path / "ca", "localhost", clock.now)
    with served(authority.leaf_context("127.0.0.1")) as ours, served(
            server_context(foreign.certificate + issuer, foreign.key)) as other:
        done = subprocess.run(
            [java, f"-Djavax.net.ssl.trustStore={tmp_path / 'ca' / 'truststore.p12'}",
             "-Djavax.net.ssl.trustStorePassword=changeit", "-Djavax.net.ssl.trustStoreType=PKCS12", "-cp", tmp_path,
             "Fetch", f"https://127.0.0.1:{ours}/", f"https://localhost:{other}/"],
            capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.stderr) == (["200", "refused"], "")

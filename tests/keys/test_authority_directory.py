"""The authority is made once, kept where nobody else can read its key, and never replaced behind the clients' backs."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from proxy.errors import KeyUnusable
from proxy.keys import ca_directory
from proxy.keys.authority import load, load_or_make, make_anew
from tests.keys.authorities import HOSTS, Clock, kept, trusting

ROOT = Path(__file__).parents[2]


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "deep" / "ca"


@pytest.fixture
def authority(directory, clock):
    return load_or_make(kept(directory), HOSTS, clock=clock)


def refusal(settings, hosts, clock, how=load):
    with pytest.raises(KeyUnusable) as caught:
        how(settings, hosts, clock=clock)
    assert caught.value.problem.status == (503 if caught.value.code == "ca_unusable" else 0)
    assert "PRIVATE" not in str(caught.value)
    return caught.value


def test_only_the_owner_can_read_the_key(directory, authority):
    previous = os.umask(0)
    try:
        make_anew(kept(directory.parent / "open"), HOSTS, clock=Clock())
    finally:
        os.umask(previous)
    for place in (directory, directory.parent / "open"):
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in place.iterdir()}
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        assert modes == {"ca.key": 0o600, ".lock": 0o600, "ca.pem": 0o644, "issuer.pem": 0o644, "bundle.pem": 0o644,
                         "truststore.p12": 0o644}


def test_the_key_is_never_readable_for_others_while_it_is_written(directory, clock, monkeypatch):
    seen = []
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda source, target: (
        seen.append((Path(target).name, stat.S_IMODE(os.stat(source).st_mode))), replace(source, target)))
    load_or_make(kept(directory), HOSTS, clock=clock)
    assert dict(seen)["ca.key"] == 0o600
    assert [name for name, _ in seen][:3] == ["ca.key", "issuer.pem", "ca.pem"]     # the last one vouches for the rest


def test_a_second_start_finds_the_same(directory, authority, clock):
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    again = load_or_make(kept(directory), HOSTS, clock=clock)
    assert (again.pem, again.fingerprint_sha256) == (authority.pem, authority.fingerprint_sha256)
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == before
    assert again.warnings == ()


def test_what_it_says_about_itself(authority, clock):
    certificate = x509.load_pem_x509_certificate(authority.pem)
    assert authority.fingerprint_sha256 == hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
    assert authority.hosts == HOSTS
    assert (authority.not_after - clock.now).days == 730
    assert authority.subject == certificate.subject.rfc4514_string()


STARTER = """
import sys
from datetime import UTC, datetime
from proxy.keys.authority import AuthoritySettings, load_or_make
sys.stdin.readline()
made = load_or_make(AuthoritySettings(directory=sys.argv[1]), ("open.nordea.com",), clock=lambda: datetime.now(UTC))
made.leaf_context("open.nordea.com")
print(made.fingerprint_sha256, *made.warnings)
"""


def test_processes_that_start_at_once_end_with_one_authority(directory):
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    starting = [subprocess.Popen([sys.executable, "-c", STARTER, directory], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True, env=environ) for _ in range(4)]
    for child in starting:
        child.stdin.write("go\n")
        child.stdin.flush()
    said = [child.communicate()[0] for child in starting]
    assert [child.returncode for child in starting] == [0] * 4
    assert len(set(said)) == 1
    assert len(said[0].split()) == 1


def test_nothing_is_there_yet(directory, clock):
    error = refusal(kept(directory), HOSTS, clock)
    assert error.code == "ca_missing"
    assert "ca init" in error.problem.hint
    assert not directory.exists()


def test_an_authority_that_was_made_by_half_is_made_anew(directory, authority, clock):
    (directory / "ca.pem").unlink()
    (directory / ".ca.key.abc.new").write_bytes(b"left behind")
    again = load_or_make(kept(directory), HOSTS, clock=clock)
    assert again.fingerprint_sha256 != authority.fingerprint_sha256
    assert not (directory / ".ca.key.abc.new").exists()


def test_a_new_route_host_is_refused_and_nothing_is_replaced(directory, authority, clock):
    for how in (load, load_or_make):
        error = refusal(kept(directory), (*HOSTS, "api.nordeaopenbanking.com"), clock, how)
        assert error.code == "ca_not_for_host"
        assert "api.nordeaopenbanking.com" in error.detail
        assert "signing-proxy ca init --force" in error.problem.hint
    assert (directory / "ca.pem").read_bytes() == authority.pem
    made = make_anew(kept(directory), ("api.nordeaopenbanking.com",), clock=clock)
    assert made.fingerprint_sha256 != authority.fingerprint_sha256
    assert made.pem in (directory / "bundle.pem").read_bytes()
    assert authority.pem not in (directory / "bundle.pem").read_bytes()


def test_an_old_route_host_is_a_warning(directory, authority, clock):
    (warning,) = load(kept(directory), HOSTS[:1], clock=clock).warnings
    assert "127.0.0.1" in warning


def test_expiry_is_told_a_month_before_and_refused_after(directory, authority, clock):
    clock.now = authority.not_after
    clock.move(days=-31)
    assert load(kept(directory), HOSTS, clock=clock).warnings == ()
    clock.move(days=2)
    (warning,) = load(kept(directory), HOSTS, clock=clock).warnings
    assert f"expires on {authority.not_after:%Y-%m-%d}" in warning
    clock.move(days=29)
    assert refusal(kept(directory), HOSTS, clock, load_or_make).code == "ca_unusable"


def test_a_clock_that_is_late_is_told(directory, authority, clock):
    clock.move(days=-2)
    assert refusal(kept(directory), HOSTS, clock).code == "certificate_not_yet_valid"


@pytest.mark.parametrize(("name", "spoil", "code"), [
    ("ca.key", lambda path: path.chmod(0o644), "key_permissions"),
    ("ca.key", lambda path: path.chmod(0o640), "key_permissions"),
    ("ca.key", lambda path: path.unlink(), "key_unreadable"),
    ("ca.key", lambda path: path.write_bytes(b"nonsense"), "ca_unusable"),
    ("issuer.pem", lambda path: path.write_bytes(b"nonsense"), "key_pair_mismatch"),
    ("ca.pem", lambda path: path.write_bytes(b"nonsense"), "ca_unusable"),
    ("issuer.pem", lambda path: path.unlink(), "key_unreadable"),
])
def test_a_spoilt_directory_is_refused_and_kept(directory, authority, clock, name, spoil, code):
    spoil(directory / name)
    assert refusal(kept(directory), HOSTS, clock, load_or_make).code == code


def test_a_group_may_read_the_key_when_it_is_allowed(directory, authority, clock):
    (directory / "ca.key").chmod(0o440)
    assert load(kept(directory, allow_group_read=True), HOSTS, clock=clock).pem == authority.pem


def test_a_directory_that_anybody_may_write_to_is_a_warning(directory, authority, clock):
    directory.chmod(0o777)
    (warning,) = load(kept(directory), HOSTS, clock=clock).warnings
    assert "chmod go-w" in warning


@pytest.mark.parametrize("how", [load_or_make, make_anew])
def test_a_directory_that_cannot_be_made(tmp_path, clock, how):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below", "a\0b"):
        error = refusal(kept(place), HOSTS, clock, how)
        assert error.code == "ca_directory_unusable"


class TestReadOnly:
    """As in a container whose volume is mounted read-only; refused writing is simulated where the tests are root."""

    @pytest.fixture(autouse=True)
    def read_only(self, monkeypatch, directory):
        open_, mkstemp = os.open, ca_directory.tempfile.mkstemp

        def opening(path, flags, *rest, **more):
            if flags & (os.O_WRONLY | os.O_RDWR) and str(path).startswith(str(directory)):
                raise OSError(30, "Read-only file system", path)
            return open_(path, flags, *rest, **more)

        def making(suffix, prefix, where):
            if where == str(directory):
                raise OSError(30, "Read-only file system", where)
            return mkstemp(suffix, prefix, where)

        self.begin = lambda: (monkeypatch.setattr(os, "open", opening),
                              monkeypatch.setattr(ca_directory.tempfile, "mkstemp", making))

    def test_what_is_there_serves(self, directory, authority, clock):
        self.begin()
        assert load_or_make(kept(directory), HOSTS, clock=clock).warnings == ()

    def test_exports_that_are_out_of_date_are_a_warning(self, directory, authority, clock):
        (directory / "bundle.pem").write_bytes(b"old")
        self.begin()
        (warning,) = load_or_make(kept(directory), HOSTS, clock=clock).warnings
        assert warning.startswith("The exports of the CA are not up to date. ")

    def test_nothing_can_be_made(self, directory, clock):
        directory.mkdir(parents=True)
        self.begin()
        for how in (load_or_make, make_anew):
            assert refusal(kept(directory), HOSTS, clock, how).code == "ca_directory_unusable"


def test_without_roots_the_authority_serves_and_says_what_is_missing(directory, clock, tmp_path):
    (tmp_path / "none.pem").write_text("")
    authority = load_or_make(kept(directory, roots_file=str(tmp_path / "none.pem")), HOSTS, clock=clock)
    (warning,) = authority.warnings
    assert "ca-certificates" in warning
    assert trusting((directory / "ca.pem").read_bytes())
    assert not (directory / "bundle.pem").exists()

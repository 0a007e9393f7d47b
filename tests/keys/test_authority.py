"""The authority answers in the bank hosts' names, and in nobody else's."""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from proxy.errors import KeyUnusable
from proxy.keys import serving
from proxy.keys.authority import load, load_or_make
from tests.keys.authorities import (
    HOSTS,
    Clock,
    handshake,
    kept,
    leaf_of,
    openssl_verifies,
    program,
    served,
    trusting,
)

NO_CHECK_TIME = 0x200000    # X509_V_FLAG_NO_CHECK_TIME: the clock of the tests is not that of OpenSSL
ROOT = Path(__file__).parents[2]


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def authority(tmp_path, clock):
    return load_or_make(kept(tmp_path / "ca"), HOSTS, clock=clock)


def leaf_seen(authority, host):
    trust = trusting(authority.pem)
    trust.verify_flags |= NO_CHECK_TIME
    client, _ = handshake(authority.leaf_context(host), trust, host)
    return x509.load_der_x509_certificate(client.getpeercert(binary_form=True))


@pytest.mark.parametrize("host", HOSTS)
def test_a_client_that_trusts_only_ca_pem_accepts_every_host(authority, host):
    client, server = handshake(authority.leaf_context(host), trusting(authority.pem), host)
    assert client.version() == "TLSv1.3"
    assert server.asked == (host if host != "127.0.0.1" else None)     # an address is never asked for by SNI


def test_the_name_that_was_asked_for_is_kept_and_not_judged(authority):
    client = trusting(authority.pem)
    client.check_hostname = False
    _, server = handshake(authority.leaf_context(HOSTS[0]), client, "evil.example")
    assert server.asked == "evil.example"
    _, server = handshake(authority.leaf_context(HOSTS[0]), client, None)
    assert server.asked is None


def test_the_context_speaks_http_1_only_and_no_old_tls(authority):
    context = authority.leaf_context(HOSTS[0])
    assert (context.minimum_version, context.num_tickets) == (ssl.TLSVersion.TLSv1_2, 1)
    client = trusting(authority.pem)
    client.set_alpn_protocols(["h2", "http/1.1"])
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    side, _ = handshake(context, client, HOSTS[0])
    assert (side.version(), side.selected_alpn_protocol()) == ("TLSv1.2", "http/1.1")


def test_a_leaf_says_no_more_than_it_must(authority, clock):
    leaf = leaf_seen(authority, "open.nordea.com")
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    uses = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert names.get_values_for_type(x509.DNSName) == ["open.nordea.com"]
    assert len(names) == 1
    assert list(uses) == [x509.ExtendedKeyUsageOID.SERVER_AUTH]
    assert leaf.not_valid_before_utc == clock.now - timedelta(hours=24)
    assert leaf.not_valid_after_utc == clock.now + timedelta(days=7)


@pytest.mark.parametrize("host", ["evil.example", "OPEN.nordea.com", "sub.open.nordea.com", "127.0.0.2", ""])
def test_no_other_host_is_served(authority, host):
    with pytest.raises(KeyError):
        authority.leaf_context(host)


def test_a_leaf_is_kept_until_less_than_a_third_is_left(authority, clock):
    first = authority.leaf_context(HOSTS[0])
    clock.move(days=4, hours=15)
    assert authority.leaf_context(HOSTS[0]) is first
    clock.move(hours=2)
    assert authority.leaf_context(HOSTS[0]) is not first
    assert leaf_seen(authority, HOSTS[0]).not_valid_after_utc == clock.now + timedelta(days=7)


def test_no_leaf_outlives_its_issuer(authority, clock):
    clock.now = authority.not_after - timedelta(days=2)
    first = authority.leaf_context(HOSTS[0])
    assert leaf_seen(authority, HOSTS[0]).not_valid_after_utc == authority.not_after
    clock.move(days=1, hours=23)
    assert authority.leaf_context(HOSTS[0]) is first    # a new one would end no later
    clock.move(hours=2)
    with pytest.raises(KeyUnusable, match="it expired on"):
        authority.leaf_context(HOSTS[0])


@pytest.mark.parametrize(("hosts", "foreign"), [
    (("open.nordea.com",), ("evil.example", "nordea.com", "xopen.nordea.com", "10.0.0.1", "::1")),
    (("10.1.2.3", "2001:db8::1"), ("evil.example", "10.1.2.4", "2001:db8::2", "::1")),
    (("10.1.2.3",), ("evil.example", "10.1.2.4", "::1")),
    (("open.nordea.com", "10.1.2.3"), ("evil.example", "10.1.2.4", "::1")),
])
def test_openssl_refuses_whatever_else_the_key_signs(tmp_path, clock, hosts, foreign):
    authority = load_or_make(kept(tmp_path / "ca"), hosts, clock=clock)
    for host in (*hosts, *foreign):
        leaf, issuer = leaf_of(tmp_path / "ca", host, clock.now)
        good, said = openssl_verifies(tmp_path, authority.pem, issuer, leaf.certificate)
        assert good is (host in hosts), (host, said)
        assert good or "subtree violation" in said


def test_the_issuer_can_make_no_further_authority(tmp_path, authority):
    anchor, issuer = (x509.load_pem_x509_certificate((tmp_path / "ca" / name).read_bytes())
                      for name in ("ca.pem", "issuer.pem"))
    lengths = [c.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length for c in (anchor, issuer)]
    critical = [c.extensions.get_extension_for_class(x509.NameConstraints).critical for c in (anchor, issuer)]
    assert (lengths, critical) == ([1, 0], [True, True])
    assert len(list((tmp_path / "ca").glob("*.key"))) == 1


def test_curl_trusts_it_by_its_file(tmp_path, authority):
    with served(authority.leaf_context("127.0.0.1")) as port:
        done = subprocess.run([program("curl"), "--silent", "--show-error", "--noproxy", "*", "--cacert",
                               tmp_path / "ca" / "ca.pem", f"https://127.0.0.1:{port}/"],
                              capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "hi", "")


UNPRIVILEGED = """
import ctypes, os, sys
from proxy.keys.authority import AuthoritySettings, load
from datetime import UTC, datetime
authority = load(AuthoritySettings(directory=sys.argv[1]), ("open.nordea.com",), clock=lambda: datetime.now(UTC))
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65532); os.setuid(65532)
assert ctypes.CDLL(None).prctl(4, 0, 0, 0, 0) == 0
import tempfile
def refused(*args, **kwargs):
    raise OSError("no disk is needed")
tempfile.NamedTemporaryFile = refused
authority.leaf_context("open.nordea.com")
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), os.getuid())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory files are Linux's; elsewhere a temporary file is used")
def test_a_leaf_needs_no_disk_even_when_the_process_may_not_be_dumped(tmp_path, authority):
    done = subprocess.run([sys.executable, "-c", UNPRIVILEGED, tmp_path / "ca"], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}, check=False)
    assert done.stderr == ""
    dumpable, uid = map(int, done.stdout.split())
    assert dumpable == 0
    assert uid == (os.getuid() or 65532)


def test_without_memory_files_the_key_is_on_disk_for_a_moment_only(tmp_path, authority, monkeypatch):
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setattr(serving.tempfile, "tempdir", str(tmp_path / "ca"))
    before = sorted(os.listdir(tmp_path / "ca"))
    handshake(authority.leaf_context(HOSTS[0]), trusting(authority.pem), HOSTS[0])
    assert sorted(os.listdir(tmp_path / "ca")) == before


async def test_a_leaf_may_be_made_on_the_event_loop(authority):
    made = asyncio.get_running_loop().create_future()

    def done():
        made.set_result(authority._contexts)

    loop = asyncio.get_running_loop()
    loop.call_soon(authority.leaf_context, HOSTS[0])    # by the loop: a test that calls it may block, and is not told
    loop.call_soon(done)
    assert HOSTS[0] in await made


def test_no_key_shows_in_a_repr(tmp_path, authority, clock):
    leaf, _ = leaf_of(tmp_path / "ca", HOSTS[0], clock.now)
    assert "PRIVATE" not in repr(leaf) + repr(authority) + repr(load(kept(tmp_path / "ca"), HOSTS, clock=clock))

"""An authority that a company brings itself is judged before any client has to."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from proxy.errors import KeyUnusable
from proxy.keys.authority import AuthoritySettings, load, load_or_make, make_anew
from tests.keys.authorities import HOSTS, Clock, Given, certificate, handshake, openssl_verifies, trusting


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def given(tmp_path, clock):
    return Given(tmp_path, clock.now)


def limits(*names, networks=(), excluded=()):
    permitted = [*map(x509.DNSName, names), *(x509.IPAddress(ipaddress.ip_network(n)) for n in networks)]
    return x509.NameConstraints(permitted or None, [*map(x509.DNSName, excluded)] or None), True


BOTH = limits(*HOSTS[:1], networks=["127.0.0.1"])


def refused(settings, clock, hosts=HOSTS):
    with pytest.raises(KeyUnusable) as caught:
        load_or_make(settings, hosts, clock=clock)
    assert caught.value.problem.hint
    assert "PRIVATE" not in str(caught.value)
    return caught.value.code


@pytest.mark.parametrize("make", [lambda: ec.generate_private_key(ec.SECP384R1()),
                                  lambda: rsa.generate_private_key(65537, 2048)], ids=["ECDSA P-384", "RSA"])
def test_a_single_certificate_with_its_key(given, clock, make):
    given.key = make()
    authority = load_or_make(given.write(BOTH), HOSTS, clock=clock)
    assert authority.warnings == ()
    for host in HOSTS:
        handshake(authority.leaf_context(host), trusting(authority.pem), host)


def test_nothing_is_written_beside_given_files(given, clock):
    load_or_make(given.write(BOTH), HOSTS, clock=clock)
    assert sorted(path.name for path in given.directory.iterdir()) == ["given.key", "given.pem"]


def test_a_chain_is_sent_but_for_its_root(given, clock, tmp_path):
    root, middle = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    dates = {"begin": clock.now - timedelta(days=1), "end": clock.now + timedelta(days=90)}
    basic = (x509.BasicConstraints(ca=True, path_length=None), True)
    pems = [certificate("issuer", given.key, "middle", middle, basic, BOTH, **dates),
            certificate("middle", middle, "root", root, basic, **dates),
            certificate("root", root, "root", root, basic, **dates)]
    authority = load(given.write(pem=b"".join(pems)), HOSTS, clock=clock)
    assert (authority.pem, authority.warnings) == (pems[2], ())
    side, _ = handshake(authority.leaf_context(HOSTS[0]), trusting(pems[2]), HOSTS[0])
    leaf = ssl.DER_cert_to_PEM_cert(side.getpeercert(binary_form=True)).encode()
    assert openssl_verifies(tmp_path, pems[2], b"".join(pems[:2]), leaf, strict=False)[0]
    (warning,) = load(given.write(pem=b"".join(pems[:2])), HOSTS, clock=clock).warnings
    assert "not self-signed" in warning
    assert refused(given.write(pem=pems[0] + pems[2]), clock) == "ca_unusable"


def test_one_without_constraints_is_a_warning(given, clock):
    (warning,) = load(given.write(), HOSTS, clock=clock).warnings
    assert "no name constraints" in warning


@pytest.mark.parametrize(("constraints", "host", "permitted"), [
    (limits("nordea.com"), "open.nordea.com", True),
    (limits("open.nordea.com"), "open.nordea.com", True),
    (limits(".nordea.com"), "open.nordea.com", True),
    (limits(".nordea.com"), "nordea.com", False),
    (limits("ordea.com"), "open.nordea.com", False),
    (limits("example.com"), "open.nordea.com", False),
    (limits("nordea.com", excluded=["open.nordea.com"]), "open.nordea.com", False),
    (limits("nordea.com"), "10.0.0.1", True),       # a kind that is not mentioned is not limited
    (limits(networks=["10.0.0.0/8"]), "10.0.0.1", True),
    (limits(networks=["10.0.0.0/8"]), "11.0.0.1", False),
    (limits(networks=["10.0.0.0/8"]), "::1", False),
    (limits(excluded=[""]), "open.nordea.com", False),
])
def test_constraints_are_read_as_openssl_reads_them(given, clock, tmp_path, constraints, host, permitted):
    settings = given.write(constraints)
    if not permitted:
        assert refused(settings, clock, [host]) == "ca_not_for_host"
    authority = load(given.write(), [host], clock=clock)    # the same key, unlimited: its leaf is judged by openssl
    side, _ = handshake(authority.leaf_context(host), trusting(authority.pem), host)
    leaf = ssl.DER_cert_to_PEM_cert(side.getpeercert(binary_form=True)).encode()
    given.write(constraints)
    limited = (given.directory / "given.pem").read_bytes()
    good, said = openssl_verifies(tmp_path, limited, b"", leaf, strict=False)
    assert (good, "subtree violation" in said) == (permitted, not permitted), said


@pytest.mark.parametrize(("files", "code"), [
    ({"ca": False}, "ca_unusable"),
    ({"begin": -10, "end": -1}, "ca_unusable"),
    ({"begin": 1}, "certificate_not_yet_valid"),
    ({"mode": 0o644}, "key_permissions"),
    ({"mode": 0o640}, "key_permissions"),
    ({"key": b""}, "ca_unusable"),
    ({"pem": b""}, "ca_unusable"),
    ({"pem": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}, "ca_unusable"),
], ids=str)
def test_what_would_not_work_is_refused(given, clock, files, code):
    assert refused(given.write(BOTH, **files), clock) == code


@pytest.mark.parametrize(("make", "how", "code"), [
    (lambda: ec.generate_private_key(ec.SECP256R1()), NoEncryption(), "key_pair_mismatch"),
    (lambda: rsa.generate_private_key(65537, 1024), NoEncryption(), "ca_unusable"),
    (ed25519.Ed25519PrivateKey.generate, NoEncryption(), "ca_unusable"),
    (lambda: ec.generate_private_key(ec.SECP256R1()), BestAvailableEncryption(b"x"), "ca_unusable"),
], ids=["another", "RSA of 1024 bits", "Ed25519", "behind a password"])
def test_a_key_that_would_not_work_is_refused(given, clock, make, how, code):
    key = make().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)
    assert refused(given.write(BOTH, key=key), clock) == code


@pytest.mark.parametrize("usage", [{"crl_sign": True}, {"digital_signature": True}])
def test_a_certificate_that_may_not_sign_certificates_is_refused(given, clock, usage):
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    extension = x509.KeyUsage(**{name: usage.get(name, False) for name in names})
    assert refused(given.write((extension, True)), clock) == "ca_unusable"


def test_a_path_length_that_is_too_short_is_refused(given, clock):
    root = ec.generate_private_key(ec.SECP256R1())
    dates = {"begin": clock.now, "end": clock.now + timedelta(days=90)}
    pem = certificate("issuer", given.key, "root", root, (x509.BasicConstraints(ca=True, path_length=0), True), **dates)
    pem += certificate("root", root, "root", root, (x509.BasicConstraints(ca=True, path_length=0), True), **dates)
    assert refused(given.write(pem=pem), clock) == "ca_unusable"


def test_files_that_are_not_there(given, clock):
    assert refused(given.settings(), clock) == "key_unreadable"


def test_a_group_may_read_the_key_when_it_is_allowed(given, clock):
    given.write(BOTH, mode=0o440)
    assert load(given.settings(allow_group_read=True), HOSTS, clock=clock).hosts == HOSTS


def test_settings_that_contradict_themselves(given, clock):
    for wrong in ({}, {"certificate_file": "a"}, {"key_file": "b"},
                  {"directory": "d", "certificate_file": "a", "key_file": "b"}):
        with pytest.raises(ValueError, match="need"):
            AuthoritySettings(**wrong)
    with pytest.raises(ValueError, match="cannot be made"):
        make_anew(given.settings(), HOSTS, clock=clock)

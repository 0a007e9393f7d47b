"""Interception is on when an authority is configured, for the hosts of the routes."""

from __future__ import annotations

import pytest

from proxy.config.interception import authority_settings, intercepted_hosts


def test_nothing_is_intercepted_by_default(read, application):
    assert authority_settings(read(application + "routes: nordea"), {}) is None


def test_a_directory_beside_the_file(read, application, tmp_path):
    settings = authority_settings(read(application + "routes: nordea\nca_directory: ca"), {})
    assert settings.directory == str(tmp_path / "ca")
    assert (settings.certificate_file, settings.key_file, settings.allow_group_read) == (None, None, False)


@pytest.mark.parametrize("way", ["environ", "flags"])
def test_a_directory_by_variable_or_flag(read, application, way):
    given = {"environ": {"SIGNING_PROXY_CA_DIRECTORY": "here"}, "flags": {"ca_directory": "here"}}[way]
    assert authority_settings(read(application + "routes: nordea", **{way: given}), {}).directory == "here"


def test_given_files(read, application, tmp_path):
    text = "routes: nordea\nca_certificate_file: ca.pem\nca_key_file: ca.key\nca_allow_group_read: true"
    settings = authority_settings(read(application + text), {"SSL_CERT_FILE": "/roots.pem"})
    assert (settings.certificate_file, settings.key_file) == (str(tmp_path / "ca.pem"), str(tmp_path / "ca.key"))
    assert (settings.directory, settings.allow_group_read, settings.roots_file) == (None, True, "/roots.pem")


@pytest.mark.parametrize(("text", "places"), [
    ("ca_directory: a\nca_certificate_file: b\nca_key_file: c", ["ca_certificate_file", "ca_key_file"]),
    ("ca_directory: a\nca_key_file: c", ["ca_key_file"]),
    ("ca_certificate_file: b", ["ca_key_file"]),
    ("ca_key_file: b", ["ca_certificate_file"]),
    ("ca_directory: [a]\nca_key_file: b\nca_certificate_file: c", ["ca_directory"]),
    ("ca_directory: ''", ["ca_directory"]),
    ("ca_key: a\nca_certificate_file: c", ["ca_key"]),
])
def test_contradictions_are_problems(problems, application, text, places):
    assert [place for place, _ in problems(application + "routes: nordea\n" + text)] == places


def test_every_host_of_the_routes_once_and_sorted(read, application):
    config = read(application + """
routes:
- nordea-sandbox
- {profile: nordea, prefix: /a}
- {profile: nordea, prefix: /b}
- {profile: nordea, prefix: /c, upstream: 'https://127.0.0.1:9443', host: Bank.Example}
- {profile: nordea, prefix: /d, upstream: 'https://[::1]:9443'}
""")
    assert intercepted_hosts(config) == ("::1", "api.nordeaopenbanking.com", "bank.example", "open.nordea.com")

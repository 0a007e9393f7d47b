"""A bank is trusted by the system's certificate authorities and by those that are named, and by no other."""

from __future__ import annotations

import ssl

from proxy.app.compose import tls_context
from proxy.config.model import Config
from proxy.emulator import Authority


def trusted(config: Config) -> set[bytes]:
    return set(tls_context(config).get_ca_certs(binary_form=True))


def test_the_systems_and_the_named_ones(tmp_path, monkeypatch):
    system, named, other = Authority().pem, Authority().pem, Authority().pem
    for name, pem in (("system.pem", system), ("named.pem", named), ("other.pem", other)):
        (tmp_path / name).write_bytes(pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "system.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    ours, theirs, stranger = map(ssl.PEM_cert_to_DER_cert, (named.decode(), system.decode(), other.decode()))
    assert trusted(Config()) == {theirs}
    assert trusted(Config(upstream_ca_file=str(tmp_path / "named.pem"))) == {theirs, ours}
    (tmp_path / "directory").mkdir()
    (tmp_path / "directory" / "one.pem").write_bytes(other)
    assert trusted(Config(upstream_ca_directory=str(tmp_path / "directory"))) == {theirs, stranger}

"""A stand-in of Vault always, a real `vault` or `bao` as well where one is on PATH: ids and summary say which ran."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from proxy.keys.vault.client import Vault
from proxy.keys.vault.settings import VaultSettings
from tests.keys import making
from tests.vault import servers
from tests.vault.servers import Server
from tests.vault.standin import Standin

_versions: dict[str, str] = {}
"""Of the real servers that ran, by kind."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Which servers the contract was tested against."""
    lines = []
    for kind in servers.KINDS:
        counts = {outcome: sum("test_contract" in report.nodeid and f"[{kind}" in report.nodeid
                               for report in terminalreporter.getreports(outcome))
                  for outcome in ("passed", "failed", "skipped")}
        if any(counts.values()):
            told = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)
            about = servers.missing(kind) or _versions.get(kind, "")
            lines.append(f"{kind}: {told}" + (f" ({about})" if about else ""))
    if lines:
        terminalreporter.section("servers of the Vault contract")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session", params=servers.KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Each kind of server there is."""
    if servers.missing(request.param):
        pytest.skip(servers.missing(request.param))
    with servers.running(request.param) as server:
        if version := server.version():
            _versions[server.kind] = f"version {version}"
        yield server


@pytest.fixture
def local() -> Iterator[Server]:
    """A stand-in of this test alone, for faults on demand: local.standin."""
    with servers.running("standin") as server:
        yield server


@pytest.fixture
def standin(local: Server) -> Standin:
    assert local.standin is not None
    return local.standin


@pytest.fixture
def vault() -> Iterator[Callable[..., Vault]]:
    """vault(server, **settings): as the proxy would ask it; by default with a token of the policy `proxy`."""
    made: list[Vault] = []

    def make(server: Server, environ: dict[str, str] | None = None, **settings: object) -> Vault:
        given = {"address": server.address, "timeout": 10.0, "transit_timeout": 10.0, **settings}
        if environ is None and not VaultSettings(**given).has_auth:
            environ = {"VAULT_TOKEN": server.token()}
        vault = Vault(VaultSettings(**given), environ or {})
        made.append(vault)
        return vault

    yield make
    for vault in made:
        vault.close()
    gc.collect()        # so that a socket left open is told in this test


@pytest.fixture(scope="session")
def key() -> RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="session")
def other_key() -> RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="session")
def cert(key: RSAPrivateKey) -> bytes:
    return making.certificate(key)


@pytest.fixture(scope="session")
def other_cert(other_key: RSAPrivateKey) -> bytes:
    return making.certificate(other_key, serial=0x77)

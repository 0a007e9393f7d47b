"""A stand-in of Vault always, a real `vault` or `bao` as well where one is on PATH: ids and summary say which ran."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator

import pytest
import uvloop
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from proxy.keys.vault.client import Vault
from proxy.keys.vault.settings import VaultSettings
from tests.keys import making
from tests.vault import servers
from tests.vault.asking import MESSAGE, Sign, ended, signed_on_the_loop
from tests.vault.servers import Server
from tests.vault.standin import Standin


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, object]:
    """How a transport ends differs between the two loops."""
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.SelectorEventLoop}


@pytest.fixture(scope="session", params=servers.KINDS)
def each_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Each kind of server there is."""
    if servers.missing(request.param):
        pytest.skip(servers.missing(request.param))
    with servers.running(request.param) as server:
        yield server


@pytest.fixture(scope="session")
def version(each_server: Server) -> str:
    return each_server.version()


@pytest.fixture
def server(each_server: Server, version: str, record_property: Callable[[str, object], None]) -> Server:
    record_property("version of the server", version)
    return each_server


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
def runner() -> Iterator[asyncio.Runner]:
    """Its loop is made at the first need."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield runner


@pytest.fixture(params=["in a thread", "on the loop"])
def sign(request: pytest.FixtureRequest, runner: asyncio.Runner) -> Sign:
    """sign(signer, message=MESSAGE): as whoever calls sign() gets a signature, and as the proxy does for a request."""
    if request.param == "in a thread":
        return lambda signer, message=MESSAGE: signer.sign(message)
    return lambda signer, message=MESSAGE: runner.run(signed_on_the_loop(signer, message))


@pytest.fixture
def vault(runner: asyncio.Runner) -> Iterator[Callable[..., Vault]]:
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
        runner.run(ended(vault))
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

"""Both event loops the proxy may run on, a throw-away authority, and contexts for either side of TLS."""

from __future__ import annotations

import asyncio
import ssl

import pytest
import uvloop

from proxy.emulator import Authority
from tests.wire.bank import Bank, pool_to


def pytest_asyncio_loop_factories(config, item):
    return {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def authority():
    return Authority()


@pytest.fixture(scope="session")
def server_context(authority, tmp_path_factory):
    key, certificate = authority.server(("bank.test",)).write(tmp_path_factory.mktemp("bank"), "key.pem", "cert.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


@pytest.fixture(scope="session")
def client_context(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=authority.pem.decode())
    return context


@pytest.fixture
async def bank(server_context):
    async with Bank.open(server_context) as bank:
        yield bank


@pytest.fixture
async def pool(bank, client_context):
    async with pool_to(bank.origin, client_context) as pool:
        yield pool

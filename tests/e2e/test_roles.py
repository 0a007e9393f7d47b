"""A payment that the bank would refuse for want of a role is refused here, where the operator asks for that."""

from __future__ import annotations

import pytest

from proxy.emulator.authority import Seal
from tests.e2e.line import get, post
from tests.e2e.standing import CLIENT_ID, Party


@pytest.fixture
def reader(authority, tmp_path) -> Party:
    """An application that may read accounts only."""
    return Party.make(tmp_path / "reader", CLIENT_ID, "emulated-secret", authority.seal(holder=Seal(roles=("PSP_AI",))))


@pytest.mark.parametrize("path", ["/personal/v4/payments/domestic", "/personal/v4/PAYMENTS/x", "/x/paym%65nts/y",
                                  "/personal/v4/payments;a/domestic", "/corporate/v2/payments"])
async def test_a_payment_without_the_role(bank, start_proxy, reader, path):
    proxy = await start_proxy(bank, applications={"shop": reader.application()}, route={"check_roles": True})
    assert (await proxy.ask(post(path))).problem == (403, "role_missing", "no")
    assert bank.received.total == 0


async def test_what_needs_no_role_passes(bank, start_proxy, reader):
    proxy = await start_proxy(bank, applications={"shop": reader.application()}, route={"check_roles": True})
    bank.register(**reader.registration())
    assert (await proxy.ask(get("/personal/v5/accounts"))).status == 200
    assert (await proxy.ask(get("/personal/v5/accounts?of=/payments/"))).status == 200


async def test_with_the_role_or_without_the_setting_it_is_the_banks_to_judge(bank, start_proxy, reader):
    proxy = await start_proxy(bank, route={"check_roles": True})
    assert (await proxy.ask(post("/personal/v4/payments/domestic"))).status == 201
    proxy = await start_proxy(bank, applications={"shop": reader.application()})
    await proxy.ask(post("/personal/v4/payments/domestic"))
    assert bank.received.total == 2


async def test_the_last_one_to_be_loaded_counts(bank, start_proxy, reader, files):
    """As a certificate is replaced."""
    proxy = await start_proxy(bank, applications={"shop": reader.application()}, route={"check_roles": True})
    assert (await proxy.ask(post("/personal/v4/payments/domestic"))).status == 403
    reader.key.write_bytes(files.shop.key.read_bytes())
    reader.certificate.write_bytes(files.shop.certificate.read_bytes())
    await proxy.running.reload()
    assert (await proxy.ask(post("/personal/v4/payments/domestic"))).status == 201

"""Nobody but the proxy writes what the bank takes as sealed, whatever the caller sends and however it is spelled."""

from __future__ import annotations

import pytest

from tests.e2e.line import get, post

NAMES = ("Signature", "Digest", "X-IBM-Client-Id", "X-IBM-Client-Secret", "X-Nordea-Originating-Host",
         "X-Nordea-Originating-Date")


def spellings(name: str) -> list[str]:
    return [name, name.upper(), name.replace("-", "_"), name.replace("-", "."), name.lower().replace("-", "_", 1)]


def values(received, name: str) -> list[str]:
    """Of every field that a gateway might take for this one."""
    plain = name.lower()
    return [value for field, value in received.fields if field.lower().replace("_", "-").replace(".", "-") == plain]


@pytest.mark.parametrize("spelling", [spelling for name in NAMES for spelling in dict.fromkeys(spellings(name))])
async def test_a_callers_own_is_replaced(bank, proxy, spelling):
    answer = await proxy.ask(post("/echo", b"{}", f"{spelling}: forged"))
    assert answer.status == 200
    received = bank.received[-1]
    name = spelling.replace("_", "-").replace(".", "-")
    assert len(values(received, name)) == 1
    assert b"forged" not in received.head


@pytest.mark.parametrize("name", ["X-IBM-Client-Certificate", "x_ibm_client_anything", "X.IBM.Client-Id"])
async def test_other_client_headers_of_the_gateway_are_removed(bank, proxy, name):
    assert (await proxy.ask(get("/echo", f"{name}: forged"))).status == 200
    assert b"forged" not in bank.received[-1].head


async def test_a_digest_on_a_get_is_removed_and_none_is_made(bank, proxy):
    assert (await proxy.ask(get("/echo", "Digest: SHA-256=AAAA"))).status == 200
    assert values(bank.received[-1], "digest") == []


async def test_what_was_replaced_is_noted(proxy):
    await proxy.ask(post("/echo", b"{}", "Signature: forged", "X-IBM-Client-Secret: forged"))
    assert (await proxy.lines.last()).notes == ("replaced:signature", "replaced:x-ibm-client-secret")


async def test_the_applications_own_headers_pass(bank, proxy):
    mine = ["Authorization: Bearer abc", "X-Nordea-Originating-User-Ip: 192.0.2.7", "X-Response-Scenarios: Overdraft",
            "Agreement-Number: 12", "X-Nordea-Originating-User-Agent: Mozilla/5.0 (x)"]
    from tests.e2e.line import request

    assert (await proxy.ask(request("GET", "/echo", *mine))).status == 200
    for line in mine:
        assert line.encode() + b"\r\n" in bank.received[-1].head


async def test_the_secrets_reach_the_bank_and_nobody_else(bank, proxy, files):
    answer = await proxy.ask(get("/personal/v5/accounts"))
    assert files.shop.secret.encode() in bank.received[-1].head
    assert files.shop.secret.encode() not in answer.raw
    for path in ("/status", "/metrics"):
        assert files.shop.secret.encode() not in (await proxy.admin(path)).raw

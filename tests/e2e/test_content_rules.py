"""The settings of a route that change what is covered: skipped signatures, empty bodies, forms, content types."""

from __future__ import annotations

import base64
import hashlib

import pytest

from proxy.emulator import Policy
from proxy.emulator.verify import SKIP
from tests.e2e.line import get, post, request

FORM = "Content-Type: application/x-www-form-urlencoded"
BARE = b"(request-target) x-nordea-originating-host x-nordea-originating-date"
FULL = BARE + b" content-type digest"


def covered(bank) -> bytes:
    return bank.received[-1].head.partition(b'headers="')[2].partition(b'"')[0]


def field(bank, name: str) -> list[str]:
    return [value for given, value in bank.received[-1].fields if given == name]


def digest(body: bytes) -> str:
    return "SHA-256=" + base64.b64encode(hashlib.sha256(body).digest()).decode()


@pytest.fixture
async def sandbox(start_bank):
    return await start_bank(policy=Policy(sandbox=True), certificate=None)


async def test_a_skipped_signature_needs_no_key(sandbox, start_proxy, files):
    shop = files.shop.application(key_file=None, certificate_file=None)
    proxy = await start_proxy(sandbox, applications={"shop": shop},
                              route={"profile": "nordea-sandbox", "host": "api.nordeaopenbanking.com",
                                     "signature": "skip"})
    assert (await proxy.ask(get("/personal/v5/accounts"))).status == 200
    assert field(sandbox, "Signature") == [SKIP]
    assert (await proxy.ask(post("/echo"))).status == 200
    assert field(sandbox, "Digest") == [digest(b'{"amount":"2.00"}')]
    assert (await proxy.admin("/readyz")).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_an_empty_body_has_the_digest_of_nothing(bank, proxy, method):
    assert (await proxy.ask(request(method, "/echo"))).status == 200
    assert covered(bank) == FULL
    assert field(bank, "Digest") == [digest(b"")]
    assert field(bank, "Content-Length") == ["0"]
    assert field(bank, "Content-Type") == ["application/json"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_an_empty_body_may_be_left_out_of_the_signature(bank, start_proxy, method):
    proxy = await start_proxy(bank, route={"empty_body": "omit"})
    assert (await proxy.ask(request(method, "/echo"))).status == 200
    assert covered(bank) == BARE
    assert field(bank, "Digest") == []
    assert field(bank, "Content-Length") == ["0"]
    assert (await proxy.ask(post("/echo", method=method))).status == 200
    assert covered(bank) == FULL


async def test_delete_is_covered_when_it_has_a_body(bank, proxy):
    assert (await proxy.ask(request("DELETE", "/echo"))).status == 200
    assert covered(bank) == BARE
    assert (await proxy.ask(request("DELETE", "/echo", body=b"{}"))).status == 200
    assert covered(bank) == FULL


async def test_a_content_type_is_signed_as_it_came(bank, proxy):
    given = 'application/json;  charset="UTF-8"'
    assert (await proxy.ask(request("POST", "/echo", f"content-type: {given}", body=b"{}"))).status == 200
    assert f"\ncontent-type: {given}\n".encode() in bank.received[-1].verdict.signing_string


async def test_a_missing_content_type_is_the_routes(bank, start_proxy):
    proxy = await start_proxy(bank, route={"default_content_type": "application/vnd.bank+json"})
    assert (await proxy.ask(request("POST", "/echo", body=b"{}"))).status == 200
    assert field(bank, "Content-Type") == ["application/vnd.bank+json"]
    assert (await proxy.lines.last()).notes == ("content_type_added",)


@pytest.mark.parametrize(("body", "sent", "hashed", "notes"), [
    (b"grant_type=authorization_code&code=abc", b"code=abc&grant_type=authorization_code",
     b"code=abc&grant_type=authorization_code", ("form_sorted",)),
    (b"code=abc&grant_type=x", b"code=abc&grant_type=x", b"code=abc&grant_type=x", ()),
    (b"redirect_uri=https%3A%2F%2Fa.example%2Fcb&code=abc", b"code=abc&redirect_uri=https://a.example/cb",
     b"code=abc&redirect_uri=https://a.example/cb", ("form_sorted",)),
    (b"scope=a+b&code=c%2Bd", b"scope=a+b&code=c%2Bd", b"code=c+d&scope=a b", ("form_digest_over_decoded",)),
], ids=["sorted", "as it is", "unencoded", "decoded digest"])
async def test_a_form_is_canonical(start_bank_form, start_proxy, body, sent, hashed, notes):
    bank = start_bank_form
    proxy = await start_proxy(bank)
    assert (await proxy.ask(request("POST", "/echo", FORM, body=body))).status == 200
    assert bank.received[-1].body == sent
    assert field(bank, "Digest") == [digest(hashed)]
    assert (await proxy.lines.last()).notes == notes


@pytest.fixture
async def start_bank_form(start_bank):
    """It knows the normalised string alone."""
    return await start_bank(policy=Policy(form="either"))


async def test_a_raw_form_is_hashed_as_sent(bank, start_proxy):
    proxy = await start_proxy(bank, route={"form": "raw"})
    body = b"grant_type=authorization_code&code=c%2Bd"
    assert (await proxy.ask(request("POST", "/echo", FORM, body=body))).status == 200
    assert bank.received[-1].body == body
    assert field(bank, "Digest") == [digest(body)]


async def test_a_token_is_fetched(proxy):
    answer = await proxy.ask(request("POST", "/personal/v5/authorize/token", FORM,
                                     body=b"grant_type=authorization_code&code=a-b&redirect_uri=https%3A%2F%2Fx.example"))
    assert answer.status == 200
    assert answer.json["access_token"]


async def test_a_key_id_may_be_literal(start_bank, start_proxy, sandbox_with_key):
    proxy = await start_proxy(sandbox_with_key, route={"profile": "nordea-sandbox", "key_id": "clientId"})
    assert (await proxy.ask(get("/echo"))).status == 200
    assert b'keyId="clientId"' in sandbox_with_key.received[-1].head


@pytest.fixture
async def sandbox_with_key(start_bank):
    return await start_bank(policy=Policy(sandbox=True))

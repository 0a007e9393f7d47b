"""The collection in config/postman/ runs without any script that signs, as base URL and as proxy; and a request that
the bank's own script has signed already is signed anew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.line import post
from tests.e2e.matrix import BY_NAME, NODE, ROOT
from tests.e2e.through import TRUST, clean, environment, ran

FOLDER = ROOT / "config" / "postman"
COLLECTION = json.loads((FOLDER / "psd2.postman_collection.json").read_text(encoding="utf-8"))
NEWMAN = Path(NODE, "newman", "bin", "newman.js")
ASKED = ["GET /personal/v5/accounts", "GET /personal/v5/accounts/", "POST /personal/v4/payments/domestic",
         "GET /personal/v4/payments/domestic/"]

newman = pytest.mark.skipif(bool(BY_NAME["newman"].missing), reason=BY_NAME["newman"].missing)


async def run_newman(named, environ, home, *options):
    """named: which environment file."""
    return await ran("node", str(NEWMAN), "run", str(FOLDER / "psd2.postman_collection.json"), "--environment",
                     str(FOLDER / f"{named}.postman_environment.json"), "--env-var", "access_token=demo",
                     "--reporters", "cli", "--color", "off", *options, environ=environ, home=home)


async def check_accepted(answered, bank, lines, form):
    assert answered.code == 0, answered.output
    assert len(bank.received) == len(ASKED)
    assert all(f"{received.method} {received.target}".startswith(asked)
               for received, asked in zip(bank.received, ASKED, strict=True))
    assert bank.received[0].target.endswith("?limit=10&name=Caf%C3%A9%20One")
    assert all(received.verdict.accepted and received.verdict.signature_checked for received in bank.received)
    assert json.loads(bank.received[2].body)["amount"] == "2.00"
    await lines.last(len(ASKED))
    assert {record.form for record in lines.records} == {form}


@newman
async def test_the_proxy_as_base_url(bank, proxy, lines, tmp_path):
    answered = await run_newman("base-url", clean(tmp_path), tmp_path,
                                "--env-var", f"base_url=http://127.0.0.1:{proxy.port()}")
    await check_accepted(answered, bank, lines, "")


@newman
async def test_the_banks_own_urls_through_the_proxy(bank, intercepting, lines, tmp_path):
    """As Postman's settings do it: a proxy and a CA certificate, nothing in the environment about trust."""
    proxy = await intercepting()
    environ = {name: value for name, value in environment(proxy, tmp_path).items() if name not in TRUST}
    answered = await run_newman("proxy", environ, tmp_path,
                                "--ssl-extra-ca-certs", str(Path(proxy.config.ca_directory, "ca.pem")))
    await check_accepted(answered, bank, lines, "connect")


def test_nothing_in_the_collection_signs():
    listened = [event["listen"] for item in (COLLECTION, *COLLECTION["item"]) for event in item.get("event", ())]
    assert "prerequest" not in listened
    headers = {header["key"] for item in COLLECTION["item"] for header in item["request"]["header"]}
    assert headers == {"Accept", "Content-Type"}


@pytest.mark.parametrize("named", ["base-url", "proxy"])
def test_an_environment_holds_no_token(named):
    values = json.loads((FOLDER / f"{named}.postman_environment.json").read_text(encoding="utf-8"))["values"]
    assert {value["key"]: value["value"] for value in values}["access_token"] == ""


async def test_what_the_banks_script_has_signed_is_signed_anew(bank, proxy, lines):
    """Its pre-request script writes these; the collection that has it works unchanged."""
    answer = await proxy.ask(post(
        "/personal/v4/payments/domestic", b'{"amount":"3.00"}',
        'Signature: keyId="nobody",algorithm="rsa-sha256",headers="(request-target)",signature="AAAA"',
        "Digest: SHA-256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "X-IBM-Client-Id: nobody",
        "X-IBM-Client-Secret: nothing", "X-Nordea-Originating-Host: example.com",
        "X-Nordea-Originating-Date: Sun, 06 Nov 1994 08:49:37 GMT"))
    assert answer.status == 201
    assert bank.received[-1].verdict.signature_checked
    record = await lines.last()
    assert {note.removeprefix("replaced:") for note in record.notes if note.startswith("replaced:")} == {
        "signature", "digest", "x-ibm-client-id", "x-ibm-client-secret", "x-nordea-originating-host",
        "x-nordea-originating-date"}

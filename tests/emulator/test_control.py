"""The control port tells what the bank would not."""

from __future__ import annotations

import aiohttp
import pytest

from proxy.emulator import Authority


@pytest.fixture
async def control(bank):
    async with aiohttp.ClientSession(bank.control_url) as session:
        yield session


async def fetch(control, method, path, **how):
    async with control.request(method, path, **how) as answer:
        text = await answer.text()
        return answer.status, await answer.json() if answer.content_type == "application/json" else text


async def test_help_lists_every_fault(control):
    status, text = await fetch(control, "GET", "/")
    assert status == 200
    assert "POST   /faults" in text
    assert "length_and_chunked" in text


async def test_executions_are_listed_counted_and_forgotten(bank, caller, control):
    await caller.get("/echo/1")
    await caller.post("/personal/v4/payments/domestic", b"{}")
    _, shown = await fetch(control, "GET", "/executions", params={"method": "POST", "path": "/personal", "last": "1"})
    assert (shown["count"], shown["total"]) == (1, 2)
    assert shown["executions"][0]["target"] == "/personal/v4/payments/domestic"
    assert shown["executions"][0]["signature_checked"] is True
    assert (await fetch(control, "DELETE", "/executions"))[0] == 204
    assert (bank.executions.total, bank.received.total, bank.bank.payments.made) == (0, 0, 0)


async def test_received_explains_without_credentials(bank, caller, control):
    parts = caller.parts("GET", "/echo/x")
    parts["Signature"] = caller.seal("GET", "/echo/y", parts)
    await caller.ask(caller.raw("GET", "/echo/x", parts))
    _, shown = await fetch(control, "GET", "/received")
    one = shown["received"][-1]
    assert one["code"] == "error.signature.invalid"
    assert "no known mistake" in one["explanation"]
    assert one["signing_string"].startswith("(request-target): get /echo/x\nx-nordea-originating-host: localhost\n")
    assert (one["status"], one["executed"], one["accepted"]) == (401, False, False)
    assert ["X-IBM-Client-Secret", "…"] in one["headers"]
    assert "some-token" not in str(shown)
    assert bank.options.client_secret not in str(shown)


async def test_faults_are_armed_shown_and_disarmed(caller, control):
    status, fault = await fetch(control, "POST", "/faults", json={"kind": "unavailable", "method": "GET"})
    assert (status, fault["times"]) == (201, 1)
    assert (await fetch(control, "GET", "/faults"))[1]["faults"] == [fault]
    assert (await caller.get("/echo/x")).status == 503
    await fetch(control, "POST", "/faults", json={"kind": "unavailable"})
    assert (await fetch(control, "DELETE", "/faults"))[0] == 204
    assert (await caller.get("/echo/x")).status == 200


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b'{"kind":"nonsense"}', b"[]"])
async def test_a_bad_fault_is_explained(control, data):
    status, answer = await fetch(control, "POST", "/faults", data=data)
    assert status == 400
    assert answer["error"]


async def test_release(bank, caller, control):
    bank.faults.add("stall")
    async with caller.connect() as line:
        await line.send(caller.request("GET", "/echo/x"))
        await bank.until(lambda: bank.executions.total == 1)
        assert (await fetch(control, "POST", "/release"))[0] == 204
        assert (await line.answer()).status == 200


async def test_the_portals_upload(bank, caller, caller_of, other_seal, control):
    assert (await fetch(control, "POST", "/certificate", data=other_seal.certificate_pem))[0] == 204
    assert (await caller.get("/echo/x")).code == "error.signature.invalid"
    assert (await caller_of(bank, other_seal).get("/echo/x")).status == 200
    for wrong in (b"", b"nonsense", other_seal.key_pem):
        status, answer = await fetch(control, "POST", "/certificate", data=wrong)
        assert status == 400
        assert answer["error"].startswith(("this is a private key", "the certificate is neither"))
    assert (await caller_of(bank, other_seal).get("/echo/x")).status == 200


async def test_an_upload_that_goes_wrong(caller, control, seal):
    for state, status in (("revoked", 204), ("nonsense", 400)):
        assert (await fetch(control, "POST", "/certificate", params={"state": state}, data=seal.certificate_pem)
                )[0] == status
        assert (await caller.get("/echo/x")).code == "error.certificate.invalid"


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Host": "evil.example"},
                                     {"Host": "evil.example:80"}, {"Host": "localhost.evil.example"}])
async def test_web_pages_stay_outside(control, headers):
    assert (await fetch(control, "GET", "/received", headers=headers))[0] == 403


async def test_no_control_port_unless_asked(seal):
    from proxy.emulator import Emulator, Options

    async with Emulator(Options(tls=False)) as bank:
        assert bank.control_url == ""


async def test_half_an_upload_is_known_to_every_other_machine(bank, caller, control):
    known = bank.applications[bank.options.client_id].registered
    pem = Authority().seal().certificate_pem
    assert (await fetch(control, "POST", "/certificate", params={"half": "1"}, data=pem))[0] == 204
    application = bank.applications[bank.options.client_id]
    assert [application.known_to(node) for node in (1, 3)] == [known, known]
    assert application.known_to(2) is application.registered is not known
    assert (await fetch(control, "POST", "/certificate", data=pem))[0] == 204
    assert bank.applications[bank.options.client_id].former is None

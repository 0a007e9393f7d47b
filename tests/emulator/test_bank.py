"""The API as an application meets it."""

from __future__ import annotations

import gzip
import hashlib
import json

import pytest

from proxy.emulator import Emulator, Options
from proxy.emulator.probes import pattern

PAYMENT = json.dumps({"amount": "2.00", "currency": "EUR"}).encode()
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("base", ["/personal/v5", "/corporate/premium/v4"])
async def test_accounts_and_their_pages(caller, base):
    accounts = (await caller.get(f"{base}/accounts")).json["response"]["accounts"]
    identity = accounts[0]["_id"]
    assert (await caller.get(f"{base}/accounts/{identity}")).json["response"]["_id"] == identity
    first = (await caller.get(f"{base}/accounts/{identity}/transactions")).json["response"]
    assert first["continuation_key"] == "a+b=="
    target = f"{base}/accounts/{identity}/transactions?from_date=2023-08-01&continuation_key=a%2Bb%3D%3D"
    second = (await caller.get(target)).json["response"]
    assert "continuation_key" not in second
    assert second["transactions"] != first["transactions"]
    mistaken = await caller.get(f"{base}/accounts/{identity}/transactions?continuation_key=a+b==")
    assert mistaken.status == 400


async def test_a_payment_has_a_life(bank, caller):
    base = "/personal/v4/payments/domestic"
    made = await caller.post(base, PAYMENT)
    payment = made.json["response"]
    assert made.status == 201
    assert payment["payment_status"] == "PendingConfirmation"
    target = f"{base}/{payment['_id']}"
    assert (await caller.ask(caller.request("PUT", target, b"{}"))).json["response"]["payment_status"] == "Confirmed"
    assert (await caller.get(target)).json["response"]["payment_status"] == "Confirmed"
    assert (await caller.ask(caller.request("DELETE", target))).status == 204
    assert (await caller.get(target)).status == 404
    assert bank.bank.payments.made == 1
    assert bank.executions.count("POST") == 1
    assert bank.executions.total == 4


async def test_a_premium_payment_is_signed(caller):
    made = await caller.post("/corporate/premium/v2/payments", PAYMENT)
    target = f"/corporate/premium/v2/payments/{made.json['response']['_id']}/sign"
    assert (await caller.ask(caller.request("PATCH", target))).json["response"]["payment_status"] == "Signed"


async def test_the_same_payment_twice_is_two_payments(bank, caller):
    raw = caller.request("POST", "/personal/v4/payments/domestic", PAYMENT)
    assert {(await caller.ask(raw)).status for _ in range(2)} == {201}
    assert bank.bank.payments.made == 2


@pytest.mark.parametrize(
    ("token", "code"),
    [(None, "error.token.missing"), ("Bearer ", "error.token.missing"), ("Basic abc", "error.token.missing"),
     ("Bearer my-expired-token", "error.token.expired"), ("Bearer invalid", "error.token.invalid")],
)
async def test_the_access_token_is_the_applications(bank, caller, token, code):
    answer = await caller.get("/personal/v5/accounts", authorization=token)
    assert (answer.status, answer.code) == (401, code)
    assert bank.received[-1].verdict.code == code
    assert bank.executions.total == 0


@pytest.mark.parametrize("base", ["/personal/v5/authorize", "/corporate/v2/authorize"])
async def test_authorize_redirects_and_the_code_buys_a_token(seal, caller_of, base):
    async with Emulator(Options(certificate=seal.certificate_pem, tls=False, tokens="issued")) as bank:
        caller = caller_of(bank)
        assert (await caller.get("/personal/v5/accounts")).code == "error.token.invalid"
        wanted = {"redirect_uri": "https://app.example/back?x=1", "scope": ["ACCOUNTS_BASIC"], "state": "ä b"}
        answer = await caller.post(base, json.dumps(wanted).encode())
        assert answer.status == 302
        location = answer["location"]
        assert location.startswith("https://app.example/back?x=1&code=")
        assert location.endswith("&state=%C3%A4+b")
        code = location.partition("code=")[2].partition("&")[0]
        form = f"code={code}&grant_type=authorization_code&redirect_uri=x".encode()
        given = await caller.post(f"{base}/token", form, content_type=FORM)
        token = given.json["access_token"]
        assert (await caller.get("/personal/v5/accounts", authorization=f"Bearer {token}")).status == 200


@pytest.mark.parametrize("body", [b"{}", b"not json", b"[]", b'{"redirect_uri":"x","scope":"y","state":""}'])
async def test_authorize_without_parameters_is_a_bad_signature_as_the_faq_says(caller, body):
    answer = await caller.post("/corporate/v2/authorize", body)
    assert (answer.status, answer.code) == (401, "error.signature.invalid")
    assert answer.json["error"]["request"]["url"] == "/v2/authorize"


@pytest.mark.parametrize("form", [b"", b"grant_type=magic", b"grant_type=authorization_code", b"code=x"])
async def test_a_token_request_must_be_complete(caller, form):
    answer = await caller.post("/personal/v5/authorize/token", form, content_type=FORM)
    assert (answer.status, answer.code) == (400, "error.validation")


async def test_the_envelope_of_a_refusal(caller):
    answer = await caller.get("/personal/v5/accounts", signature="wrong")
    group = answer.json["group_header"]
    assert group["http_code"] == 401
    assert group["creation_date_time"] == "2023-08-14T06:25:45.000000000Z"
    assert len(group["message_identification"]) == 32
    failure = {"code": "error.signature.invalid", "description": "Signature is invalid."}
    assert answer.json["error"] == {"request": {"url": "/personal/v5/accounts"}, "failures": [failure]}
    assert b"expected" not in answer.body


async def test_the_headers_of_every_answer(caller):
    async with caller.connect() as line:
        first = await line.ask(caller.request("GET", "/echo/x"))
        second = await line.ask(caller.request("GET", "/nowhere"))
    assert first["date"] == "Mon, 14 Aug 2023 06:25:45 GMT"
    assert first["x-burstlimit-limit"] == "name=burst-limit-1,130;name=auth-v5-api-burstlimit,30;"
    assert first["x-ratelimit-remaining"] != second["x-ratelimit-remaining"]
    assert first["x-global-transaction-id"] != second["x-global-transaction-id"]


@pytest.mark.parametrize(
    ("method", "target"),
    [("GET", "/nowhere"), ("POST", "/personal/v5/accounts"), ("GET", "/personal/v4/payments/domestic/none"),
     ("GET", "/status/999"), ("GET", "/personal/v5/accounts/none"), ("GET", "/personal/v5/accounts/none/transactions"),
     ("PUT", "/personal/v4/payments/domestic/none"), ("DELETE", "/personal/v4/payments/domestic/none")],
)
async def test_what_is_not_there_is_not_executed(bank, caller, method, target):
    answer = await caller.ask(caller.request(method, target))
    assert (answer.status, answer.code) == (404, "error.resource.notfound")
    assert bank.executions.total == 0
    assert bank.received[-1].verdict.accepted


async def test_a_payment_that_is_no_object(caller):
    assert (await caller.post("/personal/v4/payments/domestic", b"[1]")).status == 400


async def test_echo_tells_what_arrived(caller):
    target = "/echo/a%2Fb/%c3%a5?x=+&y=%20&&z"
    answer = await caller.post(target, b"\x00\xff", content_type="application/octet-stream", X_Odd_Case="\xe5")
    assert answer.json["method"] == "POST"
    assert answer.json["target"] == target
    assert ["X-Odd-Case", "\xe5"] in answer.json["headers"]
    assert answer.json["body_sha256"] == hashlib.sha256(b"\x00\xff").hexdigest()


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("count", [0, 1, 65536, 200_001])
async def test_bytes_come_in_every_framing(caller, framing, count):
    answer = await caller.get(f"/bytes/{count}?framing={framing}")
    assert answer.body == b"".join(pattern(count))
    assert len(answer.body) == count
    names = [name for name, _ in answer.fields]
    assert ("content-length" in names) == (framing == "length")
    assert ("transfer-encoding" in names) == (framing == "chunked")


def test_each_line_of_the_pattern_is_its_own():
    whole = b"".join(pattern(2_000_000))
    assert whole == b"".join(b"%015x\n" % number for number in range(125_000))


@pytest.mark.parametrize("code", [200, 204, 302, 304, 404, 418, 500])
async def test_any_status(caller, code):
    async with caller.connect() as line:
        answer = await line.ask(caller.request("GET", f"/status/{code}"))
        assert answer.status == code
        assert ("location" in dict(answer.fields)) == (code == 302)
        assert (await line.ask(caller.request("GET", "/echo/x"))).status == 200


async def test_head_has_no_body(caller):
    async with caller.connect() as line:
        answer = await line.ask(caller.request("HEAD", "/bytes/1000"), head_only=True)
        assert answer["content-length"] == "1000"
        assert (await line.ask(caller.request("GET", "/echo/x"))).status == 200


async def test_gzip_stays_as_it_is(caller):
    answer = await caller.get("/gzip")
    assert answer["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(answer.body))["compressed"] is True


async def test_repeated_and_odd_headers(caller):
    fields = (await caller.get("/cookies")).fields
    assert [value for name, value in fields if name == "set-cookie"][2] == b"c=3"
    assert [value for name, value in fields if name == "x-twice"] == [b"first", b"second"]
    assert (dict(fields)["x-latin"], dict(fields)["x-empty"]) == (b"\xc5sa \xff", b"")

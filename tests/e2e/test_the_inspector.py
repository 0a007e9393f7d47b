"""What the inspector shows is what happened, to its developer alone, within its bounds."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import stat
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from proxy.config.model import Destination
from proxy.errors import ProxyError
from proxy.serve.inspection import viewers
from proxy.serve.inspection.tape import UNWATCHED
from tests.e2e import inspecting
from tests.e2e.inspecting import HOST, ask, exchange, exchanges, marks, replay, token, values, watching
from tests.e2e.line import eventually, get, post, request, reset
from tests.e2e.tunnels import connect

ACCOUNT = "/personal/v5/accounts/FI6593857450293470-EUR/transactions?continuation_key=a%2Bb%3D%3D"
PAYMENT = b'{"amount":"2.00","currency":"EUR"}'


@pytest.fixture
async def proxy(bank, start_proxy):
    return await start_proxy(bank, inspect=True)


def paying(body: bytes = PAYMENT) -> bytes:
    return request("POST", "/personal/v4/payments/domestic", "Authorization: Bearer token",
                   "Content-Type: application/json", body=body)


# --- it shows what happened

async def test_what_came_in_beside_what_went_out(bank, proxy):
    await proxy.ask(request("GET", ACCOUNT, "Authorization: Bearer token", "digest: mine", "X-Forwarded-For: 10.0.0.1",
                            "x-ODD-case: v", "Accept: a", "Accept: b"))
    shown = await exchange(proxy)
    assert [name for name, *_ in shown["asked_headers"]] == [
        "Host", "Authorization", "digest", "X-Forwarded-For", "x-ODD-case", "Accept", "Accept"]
    assert marks(shown["asked_headers"]) == {
        "Host": "replaced", "Authorization": "passed", "digest": "removed", "X-Forwarded-For": "removed",
        "x-ODD-case": "passed", "Accept": "passed"}
    sent = bank.received[-1]
    there = [line.partition(b": ")[::2] for line in sent.head.split(b"\r\n")[1:] if line]
    assert [name for name, *_ in shown["sent_headers"]] == [name.decode() for name, _ in there]
    for (name, value, _), (_, real) in zip(shown["sent_headers"], there, strict=True):
        assert value == real.decode() or name in ("X-IBM-Client-Secret", "Authorization", "x-ODD-case")
    assert marks(shown["sent_headers"]) == {
        "Host": "replaced", "X-IBM-Client-Id": "added", "X-IBM-Client-Secret": "added", "Signature": "added",
        "X-Nordea-Originating-Host": "added", "X-Nordea-Originating-Date": "added", "Authorization": "caller",
        "x-ODD-case": "caller", "Accept": "caller"}
    assert (shown["asked_target"], shown["sent_target"]) == (ACCOUNT, ACCOUNT)


async def test_the_signing_string_is_the_one_that_was_signed(bank, proxy, files):
    await proxy.ask(paying())
    shown = await exchange(proxy)
    signature = dict(part.split("=", 1) for part in values(shown["sent_headers"], "signature")[0].split('",'))
    certificate = x509.load_pem_x509_certificate(files.shop.pair.certificate_pem)
    certificate.public_key().verify(
        base64.b64decode(signature["signature"].strip('"')), shown["signing_string"].encode(),
        padding.PKCS1v15(), hashes.SHA256())
    assert shown["signing_string"].split("\n")[0] == "(request-target): post /personal/v4/payments/domestic"
    assert shown["covered"] == [line.partition(": ")[0] for line in shown["signing_string"].split("\n")]
    assert (shown["digest_over"], shown["sent_body"]["text"]) == ("body", PAYMENT.decode())
    assert shown["digest"] == "SHA-256=" + base64.b64encode(hashlib.sha256(PAYMENT).digest()).decode()
    assert shown["certificate"]["not_after"] == certificate.not_valid_after_utc.isoformat()
    assert len(shown["key_spki_sha256"]) == 64


async def test_the_answer_and_how_long_each_step_took(bank, proxy):
    answer = await proxy.ask(get(ACCOUNT))
    shown = await exchange(proxy)
    assert shown["answer_body"]["text"] == answer.body.decode()
    assert (shown["status"], shown["answer_reason"], shown["verdict"]) == (200, "OK", "accepted")
    limits = {one["name"]: (one["limit"], one["remaining"]) for one in shown["rate_limits"]}
    assert limits["burst-limit-1"][0] == 130
    assert 0 <= limits["burst-limit-1"][1] < 130
    assert abs(shown["clock_ahead_s"]) < 60
    for step in ("queue_ms", "connect_ms", "sign_ms", "first_byte_ms", "total_ms"):
        assert shown[step] > 0, step
    assert shown["queue_ms"] >= shown["connect_ms"]
    await proxy.ask(get(ACCOUNT))
    assert (await exchange(proxy))["connect_ms"] == 0


async def test_a_form_whose_digest_is_over_something_else_than_its_bytes(bank, proxy):
    await proxy.ask(request("POST", "/echo", "Authorization: Bearer t",
                            "Content-Type: application/x-www-form-urlencoded", body=b"b=2%2B3&a=1"))
    shown = await exchange(proxy)
    assert (shown["digest_over"], shown["digest_input"]) == ("form", "a=1&b=2+3")
    assert shown["digest"] == "SHA-256=" + base64.b64encode(hashlib.sha256(b"a=1&b=2+3").digest()).decode()


async def test_what_the_proxy_refuses_is_shown_with_its_reason(bank, proxy):
    await proxy.ask(get("/personal//accounts"))
    shown = await exchange(proxy)
    assert (shown["code"], shown["verdict"], shown["sent"]) == ("bad_target", "stopped", "no")
    assert shown["signing_string"] == shown["sent_target"] == ""
    assert "double slash" in shown["detail"]
    assert shown["hint"]
    assert shown["asked_url"] == "/personal//accounts"
    async with proxy.connect() as line:
        await line.ask(b"GET  /two-spaces HTTP/1.1\r\n\r\n")
    assert (await exchanges(proxy))[0]["code"] == "malformed_request"


async def test_what_went_wrong_on_the_way_is_uncertain(bank, proxy):
    bank.faults.add("close_after")
    await proxy.ask(paying())
    (shown, *_) = await exchanges(proxy)
    assert (shown["verdict"], shown["sent"], shown["code"]) == ("uncertain", "maybe", "upstream_closed")


async def test_tunnels_and_their_failures_are_listed(bank, start_proxy):
    rule = Destination(host="127.0.0.1", policy="tunnel", ports=(bank.port,), allow_addresses=("127.0.0.0/8",))
    proxy = await start_proxy(bank, inspect=True, destinations=(rule,))
    async with proxy.connect() as line:
        assert (await line.ask(connect(f"127.0.0.1:{bank.port}"), bodiless=True)).status == 200
    await eventually(lambda: proxy.running.passages.open == 0)
    await proxy.ask(connect("elsewhere.example:443"))
    denied, tunnelled = await exchanges(proxy)
    assert (tunnelled["verdict"], tunnelled["path"]) == ("unsigned", f"127.0.0.1:{bank.port}")
    assert (denied["verdict"], denied["code"], denied["path"]) == (
        "stopped", "destination_denied", "elsewhere.example:443")


async def test_the_banks_own_url_is_shown_as_it_was_asked(bank, proxy):
    await proxy.ask(request("GET", "http://open.nordea.com/personal/v5/accounts?x=1", "Authorization: Bearer token",
                            host="open.nordea.com"))
    shown = await exchange(proxy)
    assert (shown["asked_url"], shown["form"]) == ("http://open.nordea.com/personal/v5/accounts?x=1", "absolute")
    assert shown["asked_target"] == shown["sent_target"] == "/personal/v5/accounts?x=1"


async def test_a_stripped_prefix_is_seen_before_and_after(bank, start_proxy):
    proxy = await start_proxy(bank, inspect=True, route={"prefix": "/nordea", "strip_prefix": True})
    await proxy.ask(get("/nordea/personal/v5/accounts?x=1"))
    shown = await exchange(proxy)
    assert (shown["asked_url"], shown["asked_target"]) == ("/nordea/personal/v5/accounts?x=1",) * 2
    assert shown["sent_target"] == "/personal/v5/accounts?x=1"


async def test_compressed_answers_are_read(bank, proxy):
    answer = await proxy.ask(get("/gzip"))
    body = (await exchange(proxy))["answer_body"]
    assert body["text"] == gzip.decompress(answer.body).decode()
    assert (body["decoded_from"], body["bytes"]) == ("gzip", len(answer.body))


async def test_every_reported_body_is_as_long_as_it_was(bank, start_proxy):
    proxy = await start_proxy(bank, inspect=True, inspect_body_bytes=1024)
    await proxy.ask(post("/echo", b"x" * 5000))
    await proxy.ask(get("/bytes/1000000"))
    got, sent = await exchange(proxy), await exchange(proxy, 1)
    assert (sent["asked_body"]["bytes"], sent["asked_body"]["kept"]) == (5000, 1024)
    assert len(sent["asked_body"]["text"]) == 1024
    assert (sent["sent_body"]["bytes"], values(sent["sent_headers"], "content-length")) == (5000, ["5000"])
    assert (got["answer_body"]["bytes"], got["answer_body"]["kept"]) == (1_000_000, 1024)
    assert "first 1024 of 1000000 bytes" in got["answer_body"]["note"]


# --- to its developer alone

@pytest.mark.parametrize("path", ["exchanges", "exchange?id=1", "curl?id=1", "har", "bundle?id=1", "events", "health"])
async def test_nothing_is_told_without_the_token(proxy, path):
    for wrong in ("", "wrong", token(proxy)[:-1]):
        answer = await ask(proxy, path, given=wrong)
        assert (answer.status, answer.json["code"]) == (401, "inspector_unauthenticated")


@pytest.mark.parametrize("path", ["replay", "clear"])
async def test_nothing_is_done_without_the_token(proxy, path):
    assert (await ask(proxy, path, method="POST", body=b"{}", given="wrong")).status == 401


async def test_other_origins_and_names_are_refused_although_they_have_the_token(proxy):
    port = proxy.port("admin")
    for header in ("Origin: http://evil.example", f"Origin: http://evil.example:{port}", "Origin: null",
                   f"Origin: http://127.0.0.1:{port}", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site"):
        assert (await ask(proxy, "exchanges", header)).json["code"] == "browser_origin", header
    own = (f"Origin: http://{inspecting.HOST}", "Sec-Fetch-Site: same-origin")
    assert (await ask(proxy, "exchanges", *own)).status == 200
    rebound = b"GET /inspector/api/exchanges HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer %b\r\n\r\n"
    assert (await proxy.ask(rebound % token(proxy).encode(), listener="admin")).status == 421


async def test_a_page_is_no_way_to_the_rest_of_the_admin_port(proxy):
    lines = b"GET /status HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n\r\n"
    assert (await proxy.ask(lines, listener="admin")).json["code"] == "browser_origin"


async def test_only_this_machine(proxy):
    proxy.running._admin._pages._local = lambda peer: False     # as for a caller from elsewhere
    for path in ("/inspector", "/inspector/app.js", "/inspector/api/exchanges"):
        raw = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token(proxy)}\r\n\r\n".encode()
        assert (await proxy.ask(raw, listener="admin")).json["code"] == "route_denied"


async def test_the_page_itself_has_no_data_and_lets_nothing_in(proxy):
    page = await proxy.admin("/inspector")
    assert page.status == 200
    assert token(proxy).encode() not in page.body
    policy = page["Content-Security-Policy"]
    for part in ("default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "base-uri 'none'",
                 "frame-ancestors 'none'", "form-action 'none'", "require-trusted-types-for 'script'"):
        assert part in policy
    assert "unsafe" not in policy
    assert (page["X-Content-Type-Options"], page["Referrer-Policy"], page["Cross-Origin-Opener-Policy"]) == (
        "nosniff", "no-referrer", "same-origin")
    for name in ("app.js", "base.css", "icon.svg"):
        asset = await proxy.admin(f"/inspector/{name}")
        assert (asset.status, asset["Content-Security-Policy"]) == (200, policy)
    for name in ("../desk.py", "%2e%2e/desk.py", "nothing.js", "api/nothing"):
        assert (await proxy.admin(f"/inspector/{name}")).status in (400, 404)


async def test_the_admin_token_opens_it_where_there_is_one(bank, start_proxy, tmp_path):
    (tmp_path / "token").write_text("the-admin-token-of-this-test\n")
    (tmp_path / "token").chmod(0o600)
    proxy = await start_proxy(bank, inspect=True, admin_token_file=str(tmp_path / "token"))
    assert (await ask(proxy, "exchanges", given="the-admin-token-of-this-test")).status == 200
    assert "#" not in proxy.running.inspector.url(token=False)


async def test_off_there_is_nothing(bank, start_proxy):
    proxy = await start_proxy(bank)
    assert (proxy.running.inspector, proxy.running.gateway.kept) == (None, 0)
    assert (await proxy.admin("/inspector")).status == 404


# --- what else is made of an exchange

async def test_curl_through_the_proxy_does_the_same_again(bank, proxy):
    await proxy.ask(paying(b'{"amount":"2.00","note":"it\'s \\u00e4\\n"}'))
    command = (await ask(proxy, "curl?id=1")).body.decode()
    assert "Bearer token" not in command
    out = await inspecting.curl(command.replace("curl ", "curl -s -w '%{http_code}' ", 1), TOKEN="token")
    assert out.endswith(b"201")
    first, second = bank.received
    assert first.body == second.body
    assert (await exchange(proxy, 2))["sent_target"] == (await exchange(proxy, 1))["sent_target"]


async def test_the_signed_curl_is_what_was_sent(bank, proxy, files):
    await proxy.ask(paying())
    command = (await ask(proxy, "curl?id=1&signed=1")).body.decode()
    assert "https://open.nordea.com/personal/v4/payments/domestic" in command
    direct = command.replace("curl ", f"curl -s -w '%{{http_code}}' --cacert {files.ca} --connect-to "
                             f"open.nordea.com:443:127.0.0.1:{bank.port} ", 1)
    out = await inspecting.curl(direct, TOKEN="token", CLIENT_SECRET=files.shop.secret)
    assert out.endswith(b"201")
    first, second = bank.received
    assert {line for line in first.head.split(b"\r\n") if b"ection" not in line} == set(second.head.split(b"\r\n"))
    assert first.body == second.body


@pytest.mark.parametrize("body", [b"'\\'' $(id) `id` $HOME !", b"@file", b"\x01\x1b[2J\xff\xfe", "ää €".encode(),
                                  b"a\nb\n\n", b"=?&", b" lead and trail "])
async def test_curl_quotes_anything(bank, proxy, body):
    await proxy.ask(post("/echo/x'y%22[1-3]{a,b}?q='z", body))
    await inspecting.curl((await ask(proxy, "curl?id=1")).body.decode().replace("curl ", "curl -s ", 1), TOKEN="token")
    first, second = bank.received
    assert first.body == second.body == body
    assert first.head.split(b"\r\n")[0] == second.head.split(b"\r\n")[0]


async def test_the_archive_is_one(bank, proxy):
    await proxy.ask(paying())
    await proxy.ask(get("/personal//accounts"))
    log = (await ask(proxy, "har")).json["log"]
    assert (log["version"], len(log["entries"])) == ("1.2", 2)
    sent, refused = log["entries"]
    assert sent["request"]["url"] == "https://open.nordea.com/personal/v4/payments/domestic"
    assert sent["request"]["postData"]["text"] == PAYMENT.decode()
    assert sent["response"]["status"] == 201
    assert json.loads(sent["response"]["content"]["text"])["group_header"]["http_code"] == 201
    assert sent["time"] == pytest.approx(sum(max(0, one) for one in sent["timings"].values()), abs=0.01)
    assert datetime.fromisoformat(sent["startedDateTime"]).tzinfo == UTC
    assert refused["request"]["url"] == "http://localhost/personal//accounts"
    assert [entry["request"]["method"] for entry in (await ask(proxy, "har?id=1")).json["log"]["entries"]] == ["POST"]


async def test_the_support_bundle_has_what_the_bank_asks_for_and_no_person(bank, proxy):
    await proxy.ask(get(ACCOUNT).replace(b"Bearer token", b"Bearer expired"))
    text = (await ask(proxy, "bundle?id=1")).body.decode()
    shown = await exchange(proxy)
    answer = json.loads(shown["answer_body"]["text"])
    for wanted in ("endpoint:                 GET https://open.nordea.com/personal/v5/accounts/*/transactions",
                   answer["group_header"]["message_identification"], answer["group_header"]["creation_date_time"],
                   shown["bank_id"], "(request-target): get /personal/v5/accounts/*/transactions?continuation_key=*",
                   shown["signing_string"].split("\n")[2], "error.token.expired", shown["key_spki_sha256"],
                   values(shown["sent_headers"], "signature")[0]):
        assert wanted in text, wanted
    assert "FI6593857450293470" not in text
    await proxy.ask(get(ACCOUNT))
    assert "FI6593857450293470" not in (await ask(proxy, "bundle?id=2")).body.decode()
    assert "Kahvila" not in (await ask(proxy, "bundle?id=2")).body.decode()


# --- replay

async def test_a_replay_is_signed_anew_and_marked(bank, proxy):
    await proxy.ask(get(ACCOUNT, "X-Kept: no", "Agreement-Number: 7"))
    assert (await replay(proxy, 1, headers={"Authorization": "Bearer token"})).status == 202
    record = await proxy.lines.last(2)
    assert (record.form, record.client, record.status) == ("replay", "inspector", 200)
    again, first = await exchanges(proxy)
    assert (again["replay_of"], first["replay_of"], again["form"]) == (1, None, "replay")
    two = bank.received[1]
    assert two.verdict.accepted
    assert b"Authorization: Bearer token\r\nAgreement-Number: 7\r\n" in two.head
    assert b"X-Kept" not in two.head      # it was masked, and was not given again


async def test_a_replay_asks_where_the_bank_may_act_twice(bank, proxy):
    await proxy.ask(paying())
    for order in ({}, {"again": "yes"}, {"again": "GET"}, {"again": ""}):
        answer = await replay(proxy, 1, headers={"Authorization": "Bearer token"}, **order)
        assert (answer.status, answer.json["code"]) == (428, "replay_unconfirmed")
    assert bank.executions.total == 1
    assert (await replay(proxy, 1, headers={"Authorization": "Bearer token"}, again="POST")).status == 202
    await proxy.lines.last(2)
    assert bank.executions.total == 2
    assert bank.received[0].body == bank.received[1].body


async def test_a_replay_obeys_the_rules_of_the_route(bank, start_proxy):
    proxy = await start_proxy(bank, inspect=True, route={"allow": ("GET /personal/**",)})
    await proxy.ask(paying())
    answer = await replay(proxy, 1, again="POST")
    assert (answer.status, answer.json["code"]) == (409, "not_replayable")      # it was no call of a route
    await proxy.ask(get(ACCOUNT))
    proxy.running.gateway.limits = type(proxy.running.gateway.limits)(in_flight=1)
    proxy.running.gateway.in_flight = 1
    assert (await replay(proxy, 2)).json["code"] == "overloaded"
    proxy.running.gateway.in_flight = 0
    assert (await exchanges(proxy))[0]["code"] == "overloaded"


@pytest.mark.parametrize(("raw", "why"), [
    (post("/echo", b"x" * 3000), "only its beginning"),
    (post("/echo", b'{"password":"x"}'), "secret in its body"),
    (get("/echo?access_token=abc"), "secret in its URL"),
    (get("/personal//accounts"), "Only calls of a route"),
    (post("/echo", gzip.compress(b"abc", mtime=0), "Content-Encoding: gzip"), "decoded"),
])
async def test_what_is_not_whole_any_more_is_not_sent(bank, start_proxy, raw, why):
    proxy = await start_proxy(bank, inspect=True, inspect_body_bytes=1024)
    await proxy.ask(raw)
    shown = await exchange(proxy)
    assert not shown["replayable"]
    assert why in shown["why_not_replayable"]
    seen = len(bank.received)
    answer = await replay(proxy, 1, again=shown["method"])
    assert (answer.status, answer.json["code"]) == (409, "not_replayable")
    assert answer.json["detail"] == shown["why_not_replayable"]
    assert len(bank.received) == seen


@pytest.mark.parametrize("order", [b"", b"[]", b'{"id":"1"}', b'{"id":1,"more":1}', b"\xff",
                                   b'{"id":1,"headers":{"a b":"c"}}',
                                   b'{"id":1,"headers":{"Authorization":"a\\r\\nX: y"}}'])
async def test_an_order_that_is_none(bank, proxy, order):
    await proxy.ask(get(ACCOUNT))
    answer = await ask(proxy, "replay", method="POST", body=order)
    assert (answer.status, answer.json["code"]) == (400, "malformed_request")
    assert len(bank.received) == 1


# --- live

async def test_calls_arrive_while_a_page_is_open(bank, proxy, monkeypatch):
    monkeypatch.setattr(viewers, "_BEAT", 0.05)         # what is written to a page that has left shows that it has
    async with watching(proxy) as page, watching(proxy) as other:
        await proxy.ask(get("/personal//accounts"))
        (told,) = await page.calls()
        assert (told["code"], told["verdict"]) == ("bad_target", "stopped")
        assert await other.calls() == [told]
        await ask(proxy, "clear", method="POST")
        assert (await page.next())[0] == "cleared"
    assert await exchanges(proxy) == []
    await eventually(lambda: len(proxy.running.inspector._viewers) == 0)


async def test_head_asks_for_no_stream(proxy):
    answer = await proxy.ask(f"HEAD /inspector/api/events HTTP/1.1\r\nHost: localhost\r\n"
                             f"Authorization: Bearer {token(proxy)}\r\n\r\n".encode(), listener="admin", bodiless=True)
    assert (answer.status, answer["Content-Type"]) == (200, "text/event-stream")
    assert len(proxy.running.inspector._viewers) == 0


async def test_a_fault_of_the_inspector_costs_no_call(bank, proxy, monkeypatch, caplog):
    monkeypatch.setattr("proxy.serve.inspection.tape.Developer.develop", lambda self, raw: 1 / 0)
    assert (await proxy.ask(get("/echo"))).status == 200
    assert await exchanges(proxy) == []
    monkeypatch.undo()
    assert (await proxy.ask(get("/echo"))).status == 200
    assert len(await exchanges(proxy)) == 1
    assert "could not keep a call (ZeroDivisionError)" in caplog.text


async def test_pages_are_limited(bank, proxy, stack):
    for _ in range(8):
        await stack.enter_async_context(watching(proxy))
    assert (await ask(proxy, "events")).json["code"] == "overloaded"


async def test_the_head_of_live_updates_is_no_more_than_a_head(proxy):
    """Whatever came behind it would be read as the next answer on this connection."""
    head = f"HEAD /inspector/api/events HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {token(proxy)}\r\n\r\n"
    async with proxy.connect("admin") as line:
        await line.send(head.encode())
        assert (await line.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        assert (await line.ask(get("/livez"))).status == 200


async def test_a_page_that_does_not_read_holds_up_nobody(bank, proxy):
    """Its events are dropped at a bound; it is told when it reads on."""
    viewers = proxy.running.inspector._viewers
    async with watching(proxy) as slow:
        slow.line.writer.transport.pause_reading()
        (viewer,) = viewers._viewers
        while not viewer._lost:
            viewers._tell(b"event: calls\ndata: [%b]\n\n" % (b" " * 60000))
            assert (await proxy.ask(get("/echo"))).status == 200
        assert viewer._queued == 0
        slow.line.writer.transport.resume_reading()
        while (await slow.next())[0] != "lost":
            pass
        assert not viewer._lost


async def test_pages_end_with_the_proxy(bank, proxy):
    async with watching(proxy) as page:
        await proxy.running.inspector.close()
        assert await page.line.reader.readuntil(b"0\r\n\r\n") == b"0\r\n\r\n"


# --- within its bounds

async def test_only_the_last_calls_are_kept(bank, start_proxy):
    proxy = await start_proxy(bank, inspect=True, inspect_exchanges=5)
    async with proxy.connect() as line:
        for number in range(12):
            await line.ask(get(f"/echo/{number}"))
            if number == 6:
                await exchanges(proxy)
    assert [call["path"] for call in await exchanges(proxy)] == [f"/echo/{number}" for number in (11, 10, 9, 8, 7)]
    assert (await ask(proxy, "exchange?id=1")).json["code"] == "exchange_unknown"
    for wrong in ("", "x", "-1", "9" * 30, "1%00"):
        assert (await ask(proxy, f"exchange?id={wrong}")).json["code"] in ("exchange_unknown", "bad_target")


async def test_memory_is_bounded_before_and_after(bank, start_proxy):
    proxy = await start_proxy(bank, inspect=True, inspect_body_bytes=65536, inspect_memory=262144)
    tape, store = proxy.running.inspector.tape, proxy.running.inspector._store
    async with proxy.connect() as line:
        for _ in range(10):
            await line.ask(post("/echo", b"x" * 500_000))
            assert tape._raw_bytes <= 262144
            assert all(len(raw.recording.request.body) <= 65536 for raw in tape._raw)
    kept = await exchanges(proxy)
    assert store.size <= 262144
    assert [call["id"] for call in kept] == sorted((call["id"] for call in kept), reverse=True)
    assert kept[0]["id"] == 10


async def test_raw_calls_do_not_stay_although_nobody_looks(bank, proxy):
    await proxy.ask(get("/echo"))
    tape = proxy.running.inspector.tape
    assert len(tape._raw) == 1
    await eventually(lambda: not tape._raw and len(proxy.running.inspector._store) == 1, UNWATCHED * 20)


async def test_the_spool_file_is_its_owners_and_bounded(bank, start_proxy, tmp_path):
    path = tmp_path / "spool"
    proxy = await start_proxy(bank, inspect=True, inspect_spool_file=str(path), inspect_spool_bytes=20480)
    async with proxy.connect() as line:
        for _ in range(12):
            await line.ask(get(ACCOUNT))
            await exchanges(proxy)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_size + (tmp_path / "spool.1").stat().st_size <= 20480
    last = json.loads(path.read_text().splitlines()[-1])
    assert last == await exchange(proxy)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["spool", "spool.1"]


@pytest.mark.parametrize("spoil", ["others", "link", "folder"])
async def test_a_spool_file_that_others_read_is_refused(bank, start_proxy, tmp_path, spoil):
    path = tmp_path / "spool"
    if spoil == "folder":
        path.mkdir()
    else:
        (tmp_path / "real").touch(0o644 if spoil == "others" else 0o600)
        (tmp_path / "real").rename(path) if spoil == "others" else path.symlink_to(tmp_path / "real")
    with pytest.raises(ProxyError) as raised:
        await start_proxy(bank, inspect=True, inspect_spool_file=str(path))
    assert raised.value.code == "spool_unusable"


async def test_a_caller_that_leaves_is_shown(bank, proxy):
    bank.faults.add("stall")
    async with proxy.connect() as line:
        await line.send(paying())
        await bank.until(lambda: bank.faults.taken == 1)
        reset(line)
        await eventually(lambda: not proxy.running.server.connections)
    bank.faults.release()
    await proxy.lines.last()
    shown = await exchange(proxy)
    assert (shown["verdict"], shown["sent"], shown["asked_body"]["bytes"]) == ("left", "yes", len(PAYMENT))
    assert "the caller left" in shown["asked_body"]["note"]


async def test_the_header_tells_how_things_stand(bank, proxy, files):
    await proxy.ask(get(ACCOUNT))
    health = (await ask(proxy, "health")).json
    (shop,) = health["applications"]
    assert (shop["name"], shop["ready"], shop["key"]["bits"]) == ("shop", True, 2048)
    assert shop["certificate"]["days_left"] > 0
    assert {one["name"] for one in health["rate_limits"]} >= {"rate-limit-1", "burst-limit-1"}
    assert abs(health["clock_ahead"][0]["seconds"]) < 60
    assert health["listeners"] == [{"name": "main", "url": f"http://127.0.0.1:{proxy.port()}"}]



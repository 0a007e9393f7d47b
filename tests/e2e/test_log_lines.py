"""One line per request, from which a person can tell what happened, and nobody a secret or an account."""

from __future__ import annotations

import signal

from proxy.serve.logline import FIELDS
from tests.e2e.line import connected, get, post

ACCOUNT = "FI6593857450293470-EUR"


async def ask(child, raw):
    async with connected(child.port) as line:
        return await line.ask(raw)


async def test_an_answered_call(bank, start_child, files):
    child = await start_child(bank)
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    await ask(child, get(f"/personal/v5/accounts/{ACCOUNT}?secret=1", "X-Request-ID: mine", f"traceparent: {trace}"))
    line = await child.told(event="request")
    assert list(line) == [name for name in FIELDS if name in line]
    assert line["path"] == "/personal/v5/accounts/*"
    wanted = {"level": "info", "request_id": "mine", "client": "127.0.0.1", "listener": "main", "route": "nordea",
              "application": "shop", "method": "GET", "status": 200, "outcome": "answered", "sent": "yes",
              "attempts": 1, "traceparent": trace}
    assert {name: line[name] for name in wanted} == wanted
    for name in ("total_ms", "sign_ms", "upstream_ms", "response_bytes"):
        assert line[name] > 0
    assert len(line["key"]) == 16
    assert line["bank_id"]
    assert "refused_by" not in line


async def test_a_refusal_by_the_bank(bank, start_child):
    child = await start_child(bank)
    await ask(child, get("/personal/v5/accounts").replace(b"Bearer token", b"Bearer expired"))
    line = await child.told(event="request")
    assert (line["refused_by"], line["code"], line["status"]) == ("bank", "error.token.expired", 401)
    assert len(line["bank_message_id"]) == 32


async def test_a_refusal_by_the_proxy_says_what_to_do(bank, start_child):
    child = await start_child(bank)
    await ask(child, get("/personal//accounts"))
    line = await child.told(event="request")
    assert (line["refused_by"], line["code"], line["outcome"], line["level"]) == (
        "proxy", "bad_target", "refused", "warning")
    assert "double slash" in line["detail"]
    assert line["hint"]


async def test_paths_in_full_on_request_and_never_the_query(bank, start_child):
    child = await start_child(bank, log_paths="full")
    await ask(child, get(f"/personal/v5/accounts/{ACCOUNT}?q=hidden"))
    assert (await child.told(event="request"))["path"] == f"/personal/v5/accounts/{ACCOUNT}"


async def test_nothing_secret_is_written_whatever_happens(bank, start_child, files):
    child = await start_child(bank)
    bank.faults.add("close_after", path="/echo/cut")
    for raw in (post("/echo"), post("/echo/cut"), get("/a//secret7-path?secret7-query"),
                get("/echo", "Signature: secret7-forged", "Connection: Digest"), b"secret7-garbage\r\n\r\n"):
        await ask(child, raw.replace(b"Bearer token", b"Bearer secret7-token"))
    child.signal(signal.SIGTERM)
    await child.ended()
    await child.finished()
    text = "\n".join(map(str, child.logged))
    assert len([line for line in child.logged if line.get("event") == "request"]) == 5
    assert "secret7-" not in text
    assert files.shop.secret not in text


async def test_quiet_says_nothing_of_requests(bank, start_child):
    child = await start_child(bank, quiet=True)
    assert (await ask(child, get("/a//b"))).status == 400
    child.signal(signal.SIGTERM)
    await child.ended()
    await child.finished()
    assert child.logged == []


async def test_text_lines_hold_the_same(bank, start_child):
    child = await start_child(bank, structured_logs=False)
    await ask(child, get("/a//b", "X-Request-ID: mine"))
    line = (await child.told(text="time="))["text"]
    while "event=request" not in line:
        child.logged.remove({"text": line})
        line = (await child.told(text="time="))["text"]
    assert " request_id=mine " in line
    assert " code=bad_target " in line
    assert ' hint="' in line

"""Secrets go through the proxy all the time; none is in anything the inspector says, in whatever spelling, or keeps."""

from __future__ import annotations

import base64
import gzip
import json
from urllib.parse import quote

import pytest

from tests.e2e import inspecting
from tests.e2e.inspecting import answering, ask, exchanges, watching
from tests.e2e.line import get, post, request

CANARIES = {name: f"canary-{name}-8c1f{number:02d}/+e=7Q" for number, name in enumerate((
    "bearer", "cookie", "api-key", "proxy-token", "basic", "query-token", "query-code", "form-code", "form-secret",
    "form-refresh", "json-password", "json-token", "answer-access", "answer-refresh", "answer-cookie", "location-code",
    "custom", "nested", "cut"))}


def spellings(secret: str) -> list[bytes]:
    raw = secret.encode()
    return [raw, raw[::-1], base64.b64encode(raw), base64.b64encode(b"x" + raw)[4:-4],
            base64.b64encode(b"xx" + raw)[4:-4], base64.urlsafe_b64encode(raw), raw.hex().encode(),
            raw.hex().upper().encode(), quote(secret, safe="").encode(), json.dumps(secret)[1:-1].encode(), raw[:12]]


@pytest.fixture
async def proxy(bank, start_proxy, tmp_path):
    token = tmp_path / "client-token"
    token.write_text("the-token-of-the-callers-1234\n")
    token.chmod(0o600)
    return await start_proxy(bank, inspect=True, client_token_file=str(token), inspect_body_bytes=4096,
                             inspect_spool_file=str(tmp_path / "spool"))


async def secretive(proxy) -> None:
    """Calls that carry a canary in every place where secrets are."""
    c = CANARIES
    knock = "Proxy-Authorization: Bearer the-token-of-the-callers-1234"
    await proxy.ask(request(
        "GET", f"/personal/v5/accounts?access_token={quote(c['query-token'])}&code={quote(c['query-code'])}", knock,
        f"Authorization: Bearer {c['bearer']}", f"Cookie: session={c['cookie']}; other=1", f"X-Api-Key: {c['api-key']}",
        f"X-Company-Thing: {c['custom']}"))
    await proxy.ask(request("GET", "/echo", knock, "Authorization: Basic " + base64.b64encode(
        f"user:{c['basic']}".encode()).decode(), f"X-Company-Thing: {c['custom']}"))
    form = (f"grant_type=authorization_code&code={quote(c['form-code'])}&client_secret={quote(c['form-secret'])}"
            f"&refresh_token={quote(c['form-refresh'])}")
    await proxy.ask(request("POST", "/personal/v5/authorize/token", knock, f"Authorization: Bearer {c['bearer']}",
                            "Content-Type: application/x-www-form-urlencoded", body=form.encode()))
    body = {"password": c["json-password"], "deep": [{"credentials": {"a": c["nested"]}}],
            "accessToken": c["json-token"], "note": f"Bearer {c['bearer']}"}
    await proxy.ask(post("/echo", json.dumps(body).encode(), knock).replace(b"Bearer token", b"Bearer " +
                                                                             c["bearer"].encode()))
    await proxy.ask(post("/echo", json.dumps({"pad": "x" * 4070, "secret": c["cut"]}).encode(), knock))
    await proxy.ask(request("GET", f"/not//signed?token={quote(c['query-token'])}", knock,
                            f"Authorization: Bearer {c['bearer']}"))
    await proxy.ask(request("GET", "/personal/v5/accounts", f"Proxy-Authorization: Bearer {c['proxy-token']}"))


async def everything(proxy) -> bytes:
    """All that the inspector says of all that it has kept."""
    said = []
    calls = await exchanges(proxy)
    paths = ["exchanges", "har", "health", *[f"{path}id={call['id']}" for call in calls for path in (
        "exchange?", "curl?", "curl?signed=1&", "har?", "bundle?")]]
    for path in paths:
        answer = await ask(proxy, path)
        said.append(answer.raw)
        if path.startswith("exchange?"):    # what is base64 in it is looked at as well
            said += [base64.b64decode(part["text"]) for part in answer.json.values()
                     if isinstance(part, dict) and part.get("encoding") == "base64"]
    assert len(calls) >= 6
    return b"\n".join(said)


def secrets_of(files, proxy) -> list[str]:
    return [*CANARIES.values(), files.shop.secret, "the-token-of-the-callers-1234", inspecting.token(proxy)]


async def test_nothing_secret_is_said_in_any_spelling(bank, proxy, files, tmp_path):
    async with watching(proxy) as page:
        await secretive(proxy)
        told = [await page.next()]
        while sum(len(data) for _, data in told) < 7:
            told.append(await page.next())
    said = await everything(proxy) + json.dumps(told).encode() + (tmp_path / "spool").read_bytes()
    for secret in secrets_of(files, proxy):
        for spelled in spellings(secret):
            assert spelled not in said, spelled
    assert b"/personal/v5/authorize/token" in said
    assert b"grant_type=authorization_code" in said


async def test_nothing_secret_is_kept(bank, proxy, files):
    """What is remembered once it has settled, as bytes: every field of every record."""
    await secretive(proxy)
    await exchanges(proxy)
    inspector = proxy.running.inspector
    assert not inspector.tape._raw
    kept = repr(list(inspector._store)).encode() + b"".join(
        part.body.data for call in inspector._store for part in (call.asked, call.sent, call.answered) if part)
    for secret in secrets_of(files, proxy):
        assert secret.encode() not in kept, secret
    assert b"grant_type" in kept


@pytest.mark.parametrize("coding", ["", "gzip", "zstd"])
async def test_what_the_bank_answers_is_looked_at_too(start_proxy, files, coding):
    c = CANARIES
    plain = json.dumps({"access_token": c["answer-access"], "refresh_token": c["answer-refresh"],
                        "echo": f"you sent {c['bearer']}", "key": files.shop.secret}).encode()
    body = gzip.compress(plain) if coding == "gzip" else plain
    head = (f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"Set-Cookie: sid={c['answer-cookie']}; Path=/\r\nLocation: https://a.example/?code={c['location-code']}\r\n"
            + (f"Content-Encoding: {coding}\r\n" if coding else "") + "\r\n")
    async with answering(files, head.encode() + body) as url:
        proxy = await start_proxy(url, inspect=True)
        await proxy.ask(request("GET", "/a", f"Authorization: Bearer {c['bearer']}"))
        said = b"".join([(await ask(proxy, path)).raw for path in ("exchange?id=1", "har", "bundle?id=1")])
    for name in ("answer-access", "answer-refresh", "answer-cookie", "location-code", "bearer"):
        for spelled in spellings(c[name]):
            assert spelled not in said, (name, spelled)
    assert files.shop.secret.encode() not in said
    assert (b"none that this proxy reads" in said) == (coding == "zstd")


async def test_a_secret_that_is_cut_by_the_cap_leaves_no_beginning(bank, start_proxy):
    secret = "a-very-long-secret-of-this-caller-0123456789"
    proxy = await start_proxy(bank, inspect=True, inspect_body_bytes=1024)
    await proxy.ask(post("/echo", b"x" * (1024 - 20) + secret.encode() + b"y" * 50).replace(
        b"Bearer token", b"Bearer " + secret.encode()))
    (call,) = await exchanges(proxy)
    text = (await ask(proxy, f"exchange?id={call['id']}")).json["asked_body"]["text"]
    assert text.endswith("x")


async def test_equal_tokens_can_be_told_from_others(bank, proxy):
    knock = "Proxy-Authorization: Bearer the-token-of-the-callers-1234"
    for bearer in ("first-token-1", "first-token-1", "second-token-2"):
        await proxy.ask(get("/echo", knock).replace(b"Bearer token", b"Bearer " + bearer.encode()))
    tags = [inspecting.values((await inspecting.exchange(proxy, number))["asked_headers"], "authorization")[0]
            for number in (1, 2, 3)]
    assert tags[0] == tags[1] != tags[2]

"""What an operator asks of the admin port happens, is told truthfully, and is done for nobody without a token."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import signal
import threading

import pytest

from proxy.app.reloads import Reloads
from proxy.emulator import Authority, Pair
from proxy.emulator.authority import write_private
from proxy.keys.aside import Lane
from proxy.keys.rotation import NextKey, Rotation
from tests.e2e.line import connected, eventually, get, post, request
from tests.e2e.standing import Party

TOKEN = "an-admin-token"


@pytest.fixture(scope="session")
def successor() -> Pair:
    return Authority().seal()


@pytest.fixture
def mine(files, tmp_path) -> Party:
    """The shop's files, to be changed."""
    directory = tmp_path / "own"
    shutil.copytree(files.shop.key.parent, directory)
    return Party(files.shop.client_id, files.shop.secret, files.shop.pair, directory / "seal.key",
                 directory / "seal.crt", directory / "secret")


@pytest.fixture
def token_file(tmp_path):
    write_private(tmp_path / "admin-token", TOKEN.encode() + b"\n")
    return tmp_path / "admin-token"


@pytest.fixture
def start(bank, start_proxy, mine, successor, token_file, tmp_path):
    """start(both=True, **settings): a proxy that takes commands; both: the shop has a next key."""
    key, certificate = successor.write(tmp_path, "next.key", "next.crt")

    async def starting(*, both: bool = True, **changes):
        following = NextKey(key_file=str(key), certificate_file=str(certificate)) if both else None
        application = mine.application(next=following, rotation=Rotation(retry="off"))
        return await start_proxy(bank, **{"applications": {"shop": application},
                                          "admin_token_file": str(token_file), **changes})

    return starting


async def shop(proxy) -> dict:
    return (await proxy.admin("/status")).json["applications"]["shop"]


# --- who may

@pytest.mark.parametrize("path", ["/reload", "/rotate", "/log-level?level=debug"])
async def test_nothing_happens_without_the_token(start, path):
    proxy = await start()
    assert (await proxy.act(path)).problem == (401, "admin_unauthenticated", "no")
    assert (await proxy.act(path, token="another")).problem == (401, "admin_unauthenticated", "no")
    assert (await proxy.act(path, "Origin: http://localhost", token=TOKEN)).problem == (403, "browser_origin", "no")
    assert (await proxy.admin(path)).problem == (405, "admin_method", "no")
    status = (await proxy.admin("/status")).json
    assert (status["applications"]["shop"]["revision"], status["applications"]["shop"]["slot"]) == (1, "current")
    assert status["log_level"] == "info"


@pytest.mark.parametrize("path", ["/reload", "/rotate", "/log-level?level=debug"])
async def test_nothing_happens_where_no_token_is_configured(start, path):
    proxy = await start(admin_token_file=None)
    assert (await proxy.act(path, token=TOKEN)).problem == (403, "admin_token_unset", "no")


async def test_the_token_may_come_from_the_environment(start, monkeypatch):
    monkeypatch.setenv("ADMIN", TOKEN)
    proxy = await start(admin_token_file=None, admin_token_env="ADMIN")
    assert (await proxy.act("/reload", token=TOKEN)).status == 200


async def test_a_token_that_was_replaced_counts_no_more(start, token_file):
    proxy = await start()
    write_private(token_file.with_name("fresh"), b"new-token\nother-token\n")
    os.replace(token_file.with_name("fresh"), token_file)
    answer = await proxy.act("/reload", token=TOKEN)
    assert answer.json["tokens"] == [{"name": "admin token", "outcome": "reloaded"}]
    assert (await proxy.act("/reload", token=TOKEN)).status == 401
    for token in ("new-token", "other-token"):
        assert (await proxy.act("/reload", token=token)).json["tokens"][0]["outcome"] == "unchanged"
    token_file.chmod(0o644)
    answer = await proxy.act("/reload", token="new-token")
    assert answer.problem == (409, "reload_failed", "no")
    row = answer.json["tokens"][0]
    assert (row["outcome"], row["code"], answer.json["failed"]) == ("kept-old", "key_permissions", ["admin token"])
    assert "new-token" not in answer.body.decode()


# --- reload

async def test_a_reload_says_what_it_has_brought(bank, start, mine, successor):
    proxy = await start()
    answer = await proxy.act("/reload", token=TOKEN)
    assert answer.status == 200
    assert answer["Cache-Control"] == "no-store"
    assert answer.json["applications"] == {"shop": {"current": {"outcome": "unchanged", "revision": 2},
                                                    "next": {"outcome": "unchanged", "revision": 2}}}
    assert (answer.json["failed"], answer.json["listeners"]) == ([], {"outcome": "unchanged"})
    other = Authority().seal()
    other.write(mine.key.parent, "seal.key", "seal.crt")
    answer = await proxy.act("/reload", token=TOKEN)
    assert answer.json["applications"]["shop"]["current"] == {"outcome": "reloaded", "revision": 3}
    bank.register(other.certificate_pem)
    assert (await proxy.ask(post("/echo"))).status == 200


async def test_a_reload_goes_on_when_its_caller_has_left(start):
    proxy = await start()
    async with proxy.connect("admin") as line:
        await line.send(request("POST", "/reload", f"Authorization: Bearer {TOKEN}"))
        line.writer.close()
    await eventually(lambda: proxy.running.rings["shop"].current.revision == 2)
    assert (await proxy.admin("/livez")).status == 200


@pytest.mark.parametrize(("spoil", "code"), [
    (lambda mine, other: mine.certificate.write_bytes(other.certificate_pem), "key_pair_mismatch"),
    (lambda mine, other: mine.key.write_bytes(mine.key.read_bytes()[:300]), "key_format"),
    (lambda mine, other: mine.secret_file.unlink(), "key_unreadable")])
async def test_what_does_not_fit_keeps_the_old_and_says_so(start, mine, successor, spoil, code):
    proxy = await start()
    before = (await shop(proxy))["key"]
    spoil(mine, successor)
    answer = await proxy.act("/reload", token=TOKEN)
    assert answer.problem == (409, "reload_failed", "no")
    assert answer.json["failed"][0] == "application shop, current"
    row = answer.json["applications"]["shop"]["current"]
    assert (row["outcome"], row["code"], row["revision"]) == ("kept-old", code, 1)
    assert row["sentence"].endswith(".")
    assert "BEGIN" not in answer.body.decode()
    status = await shop(proxy)
    assert (status["key"], status["last_error"]["code"]) == (before, code)
    assert await proxy.metric("signing_proxy_key_reloads_total", application="shop", outcome="failed") >= 1
    assert (await proxy.ask(post("/echo"))).status == 200


async def test_a_next_key_that_there_never_was_is_unusable(start, tmp_path):
    proxy = await start()
    proxy.running.rings["shop"].spare.current = None
    (tmp_path / "next.key").write_bytes(b"no key")
    row = (await proxy.act("/reload", token=TOKEN)).json["applications"]["shop"]["next"]
    assert (row["outcome"], row["code"], row["revision"]) == ("unusable", "key_format", 0)
    assert (await proxy.admin("/readyz")).status == 200


async def test_a_listeners_certificate_that_cannot_be_used_is_told_each_time(start, tmp_path):
    from proxy.config.model import ListenerTls
    from tests.e2e.company import Company

    Company(tmp_path).server("proxy", "localhost")
    (tmp_path / "proxy.key").chmod(0o600)
    proxy = await start(tls=ListenerTls(certificate_file=str(tmp_path / "proxy.crt"),
                                        key_file=str(tmp_path / "proxy.key")))
    (tmp_path / "proxy.crt").write_bytes(b"nothing")
    for _ in range(2):
        answer = await proxy.act("/reload", token=TOKEN)
        assert (answer.status, answer.json["failed"]) == (409, ["listeners"])
        assert answer.json["listeners"]["code"] == "listener_certificate_unusable"


# --- rotate

async def test_rotate_changes_the_key_that_signs(bank, start, files, successor):
    proxy = await start()
    before = await shop(proxy)
    answer = await proxy.act("/rotate", token=TOKEN)
    assert answer.json == {"application": "shop", "outcome": "rotated", "slot": "next",
                           "spki_sha256": before["other"]["key"]["spki_sha256"]}
    assert (await proxy.ask(post("/echo"))).status == 401
    bank.register(successor.certificate_pem)
    assert (await proxy.ask(post("/echo"))).status == 200
    after = await shop(proxy)
    assert (after["slot"], after["last_rotation"]["how"]) == ("next", "command")
    assert await proxy.metric("signing_proxy_key_rotations_total", application="shop", how="command") == 1


async def test_rotate_goes_where_it_is_told_and_once(start):
    proxy = await start()
    for to, outcome in (("current", "unchanged"), ("next", "rotated"), ("next", "unchanged"), ("current", "rotated")):
        answer = await proxy.act(f"/rotate?application=shop&to={to}", token=TOKEN)
        assert (answer.status, answer.json["outcome"], answer.json["slot"]) == (200, outcome, to)
    body = json.dumps({"application": "shop", "to": "next"}).encode()
    assert (await proxy.act("/rotate", token=TOKEN, body=body)).json["slot"] == "next"
    assert await proxy.metric("signing_proxy_key_rotations_total", application="shop", how="command") == 3


async def test_too_early_a_command_fails_no_call_where_evidence_counts(bank, start, mine, tmp_path):
    """The bank still holds the first certificate: each call is signed again, and then the keys change back."""
    following = NextKey(key_file=str(tmp_path / "next.key"), certificate_file=str(tmp_path / "next.crt"))
    proxy = await start(applications={"shop": mine.application(next=following, rotation=Rotation(retry="all"))})
    assert (await proxy.ask(get("/echo"))).status == 200
    assert (await proxy.act("/rotate", token=TOKEN)).json["outcome"] == "rotated"
    async with proxy.connect() as line:
        for number in range(25):
            assert (await line.ask(post(f"/echo/{number}"))).status == 200
    assert (await shop(proxy))["slot"] == "current"
    assert bank.executions.count("POST") == 25


async def test_without_a_next_key_there_is_nothing_to_rotate_to(start):
    proxy = await start(both=False)
    answer = await proxy.act("/rotate", token=TOKEN)
    assert answer.problem == (409, "rotation_no_next", "no")
    assert "next" in answer.json["hint"]


@pytest.mark.parametrize("why", ["gone", "expired", "early"])
async def test_a_key_that_cannot_sign_is_not_rotated_to(start, why):
    from dataclasses import replace
    from datetime import UTC, datetime

    proxy = await start()
    spare = proxy.running.rings["shop"].spare
    dates = {"gone": None, "expired": {"not_after": datetime(2020, 1, 1, tzinfo=UTC)},
             "early": {"not_before": datetime(2100, 1, 1, tzinfo=UTC)}}[why]
    key = spare.current.key
    spare.current = replace(spare.current, key=replace(key, certificate=replace(key.certificate, **dates))
                            ) if dates else None
    answer = await proxy.act("/rotate", token=TOKEN)
    assert answer.problem == (409, "rotation_unusable", "no")
    assert {"gone": "'next': it is not loaded", "expired": "'next': its certificate has expired on 2020-01-01",
            "early": "'next': its certificate is valid from 2100-01-01"}[why] in answer.json["detail"]
    assert (await shop(proxy))["slot"] == "current"


@pytest.mark.parametrize(("path", "body", "outcome"), [
    ("/rotate?application=till", b"", (404, "application_unknown", "no")),
    ("/rotate?to=other", b"", (400, "admin_request_invalid", "no")),
    ("/rotate?To=next", b"", (400, "admin_request_invalid", "no")),
    ("/rotate?to", b"", (400, "admin_request_invalid", "no")),
    ("/rotate?to=next&to=next", b"", (400, "admin_request_invalid", "no")),
    ("/rotate?to=next", b'{"to":"next"}', (400, "admin_request_invalid", "no")),
    ("/rotate", b"to=next", (400, "admin_request_invalid", "no")),
    ("/rotate", b'["to"]', (400, "admin_request_invalid", "no")),
    ("/rotate", b'{"to":1}', (400, "admin_request_invalid", "no")),
    ("/rotate", b"\xff", (400, "admin_request_invalid", "no")),
    ("/rotate", b"x" * 16385, (413, "body_too_large", "no")),
    ("/reload?application=shop", b"", (400, "admin_request_invalid", "no")),
    ("/log-level", b"", (400, "admin_request_invalid", "no")),
    ("/log-level?level=loud", b"", (400, "admin_request_invalid", "no"))])
async def test_what_is_not_understood_changes_nothing(start, path, body, outcome):
    proxy = await start()
    answer = await proxy.act(path, token=TOKEN, body=body)
    assert answer.problem == outcome
    assert ((await shop(proxy))["slot"], (await shop(proxy))["revision"]) == ("current", 1)


async def test_of_several_applications_one_is_named(start, files, mine):
    proxy = await start(applications={"shop": mine.application(), "till": files.till.application()},
                        route={"application": "shop"})
    assert (await proxy.act("/rotate", token=TOKEN)).problem == (400, "admin_request_invalid", "no")
    assert (await proxy.act("/rotate?application=till", token=TOKEN)).problem == (409, "rotation_no_next", "no")


# --- log level

async def test_the_log_level_decides_which_lines_there_are(start, lines):
    proxy = await start()
    seen = []
    for level in ("debug", "warning", "error", "info"):
        answer = await proxy.act("/log-level", token=TOKEN, body=json.dumps({"level": level}).encode())
        assert (answer.status, answer.json["level"]) == (200, level)
        assert (await proxy.admin("/status")).json["log_level"] == level
        for raw in (get("/echo"), get("/a//b")):
            await proxy.ask(raw)
        seen.append([record.status for record in lines.records])
        lines.records.clear()
    assert seen == [[200, 400], [400], [], [200, 400]]
    assert logging.getLogger("proxy").level == logging.INFO


@pytest.mark.parametrize(("configured", "steps"), [
    ({}, ["debug", "info", "debug"]), ({"debug_logs": True}, ["info", "debug"]), ({"quiet": True}, ["debug", "error"])])
async def test_a_signal_makes_the_log_say_more_and_less_again(start, configured, steps):
    proxy = await start(**configured)
    level = proxy.running.level
    for step in steps:
        os.kill(os.getpid(), signal.SIGUSR1)
        await eventually(lambda step=step: level.current == step)


# --- the end

async def test_it_is_ended_only_where_that_is_allowed(start):
    proxy = await start()
    for token in ("", TOKEN):
        answer = await proxy.act("/quitquitquit", token=token)
        assert answer.problem == (403, "quit_off", "no")
        assert "quitquitquit" in answer.json["hint"]
    assert (await proxy.admin("/readyz")).status == 200


async def test_quitquitquit_drains_like_a_signal_and_ends_with_0(bank, start_child):
    child = await start_child(bank, quitquitquit=True)
    bank.faults.add("stall")
    async with connected(child.port) as line, connected(child.listeners["admin"]) as admin:
        await line.send(post("/echo"))
        await bank.until(lambda: bank.faults.taken == 1)
        assert (await admin.ask(request("POST", "/quitquitquit"))).json == {"outcome": "ending"}
        await child.told(message="draining: 1 requests in hand")
        assert (await admin.ask(request("GET", "/readyz"))).body == b"draining\n"
        assert (await admin.ask(request("POST", "/quitquitquit"))).status == 200        # hurries nobody
        bank.faults.release()
        answer = await line.answer()
        assert (answer.status, answer["Connection"]) == (200, "close")
    assert await child.ended() == 0
    assert bank.executions.total == 1


# --- several at a time, and the end


@pytest.fixture
def held_back(monkeypatch):
    """Reloads that begin and wait: -> the event that each sets, the one that lets them go on, and how many began."""
    begun, goes_on, count = asyncio.Event(), asyncio.Event(), []
    really = Reloads._everything

    async def waits(self):
        count.append(1)
        begun.set()
        await goes_on.wait()
        return await really(self)

    monkeypatch.setattr(Reloads, "_everything", waits)
    return begun, goes_on, count


async def test_those_who_ask_while_one_is_under_way_share_the_next(start, held_back):
    begun, goes_on, count = held_back
    proxy = await start()
    first = asyncio.create_task(proxy.act("/reload", token=TOKEN))
    await begun.wait()
    others = [asyncio.create_task(proxy.act("/reload", token=TOKEN)) for _ in range(3)]
    await eventually(lambda: len(proxy.running._admin.server.connections) == 4)
    await eventually(lambda: proxy.running._reloads._next is not None)
    goes_on.set()
    answers = await asyncio.gather(first, *others)
    assert [answer.status for answer in answers] == [200] * 4
    revisions = [answer.json["applications"]["shop"]["current"]["revision"] for answer in answers]
    assert (revisions, len(count)) == ([2, 3, 3, 3], 2)


async def test_a_reload_that_the_end_overtakes_says_so(start, held_back):
    begun, _, _ = held_back
    proxy = await start()
    asked = asyncio.create_task(proxy.act("/reload", token=TOKEN))
    await begun.wait()
    await proxy.running._reloads.stop()
    assert (await asked).problem == (503, "proxy_ending", "no")


async def test_a_token_file_that_hangs_holds_up_no_key(start, token_file, monkeypatch):
    """It is no reload of the keys that waits for it, and the answer says which place could not be read."""
    proxy = await start()
    monkeypatch.setattr("proxy.app.token_files.LONGEST_READ_S", 0.1)
    goes_on = threading.Event()
    tokens = proxy.running._admin.tokens.file
    tokens._lane = Lane("a test", 0.1)
    monkeypatch.setattr(tokens, "_read", lambda: goes_on.wait(30))
    answer = await proxy.act("/reload", token=TOKEN)
    goes_on.set()
    assert answer.problem == (409, "reload_failed", "no")
    assert answer.json["failed"] == ["admin token"]
    assert answer.json["tokens"][0]["code"] == "key_unreadable"
    assert answer.json["applications"]["shop"]["current"]["revision"] == 2

"""Nothing is signed that is not on record before it leaves, whenever the process dies and whatever the disk does."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import random
import resource
import signal
import sys
import threading
from pathlib import Path

import pytest

from proxy.audit.reading import find
from proxy.audit.settings import AuditSettings
from proxy.audit.verification import Report, verify
from proxy.emulator import Authority
from proxy.errors import ProxyError
from proxy.keys.rotation import NextKey, Rotation
from tests.e2e.line import Cut, connected, eventually, get, post, request, reset

PAYMENT = "/personal/v4/payments/domestic"


@pytest.fixture
def trail(tmp_path) -> Path:
    return tmp_path / "trail" / "audit.jsonl"


def audit(trail: Path, **changes: object) -> AuditSettings:
    return AuditSettings(**{"file": str(trail), "fsync": "never", **changes})


def lines(trail: Path) -> list[dict]:
    """Whole lines about requests; others may be cut, or written just now."""
    found = [line for file in find([trail]) for line in file.read_bytes().split(b"\n")[:-1] if line.endswith(b"}")]
    return [line for line in map(json.loads, found) if line["event"] in ("intent", "outcome")]


async def finished(trail: Path, count: int = 1) -> list[dict]:
    """The outcomes, once there are as many."""
    def outcomes() -> list[dict]:
        return [line for line in lines(trail) if line["event"] == "outcome"]

    await eventually(lambda: len(outcomes()) >= count)
    return outcomes()


def judged(trail: Path) -> Report:
    return verify(find([trail]))


async def test_a_payment_has_a_line_before_and_a_line_after(bank, start_proxy, files, trail, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.touch(mode=0o600)
    tokens.write_text("first-token\nsecond-token\n")
    proxy = await start_proxy(bank, audit=audit(trail), client_token_file=str(tokens))
    await proxy.ask(post(PAYMENT + "?q=1", b'{"amount":"2.00"}', "X-Request-ID: mine",
                         "Proxy-Authorization: Bearer second-token"))
    (outcome,) = await finished(trail)
    (intent,) = [line for line in lines(trail) if line["event"] == "intent"]
    received = dict(bank.received[-1].fields)
    wanted = {"request_id": "mine", "client": "127.0.0.1", "token": 2, "listener": "main", "route": "nordea",
              "application": "shop", "method": "POST", "path": PAYMENT, "attempt": 1, "digest": received["Digest"],
              "covered": "(request-target) x-nordea-originating-host x-nordea-originating-date content-type digest"}
    assert {name: intent[name] for name in wanted} == wanted
    shop = (await proxy.admin("/status")).json["applications"]["shop"]
    assert (intent["key"], intent["certificate"]) == (shop["key"]["spki_sha256"], shop["certificate"]["serial"])
    after = {"status": 201, "outcome": "answered", "sent": "yes", "call": intent["call"]}
    assert {name: outcome[name] for name in after} == after
    assert outcome["bank_id"]
    assert {name: outcome[name] for name in wanted} == wanted
    assert outcome["seq"] == intent["seq"] + 1


async def test_nothing_that_is_secret_or_personal_is_in_it(bank, start_proxy, files, trail, tmp_path):
    canaries = ["c4nary-bearer", "c4nary-query", "c4nary-body", "c4nary-cookie", "c4nary-token", "FI6593857450293470",
                "emulated-secret"]
    tokens = tmp_path / "tokens"
    tokens.touch(mode=0o600)
    tokens.write_text("c4nary-token\n")
    proxy = await start_proxy(bank, audit=audit(trail), client_token_file=str(tokens), log_paths="full")
    fields = ("Cookie: c4nary-cookie", "Proxy-Authorization: Bearer c4nary-token", "X-Request-ID: c4nary cannot be one")
    raw = post("/personal/v5/accounts/FI6593857450293470?x=c4nary-query", b'{"x":"c4nary-body"}', *fields)
    await proxy.ask(raw.replace(b"Bearer token", b"Bearer c4nary-bearer"))
    bank.faults.add("close_after")
    await proxy.ask(raw)
    await finished(trail, 2)
    written = b"".join(file.read_bytes() for file in trail.parent.iterdir()).decode()
    assert "/personal/v5/accounts/*" in written
    assert [canary for canary in (*canaries, "c4nary") if canary in written] == []


async def test_what_was_signed_and_failed_has_its_truth(bank, start_proxy, trail):
    proxy = await start_proxy(bank, audit=audit(trail))
    for fault in ("close_after", "too_many", "garbage_status"):
        bank.faults.add(fault)
        await proxy.ask(post("/echo"))
    await proxy.ask(get("/personal/v5/accounts").replace(b"Bearer token", b"Bearer expired"))
    found = [(line["outcome"], line.get("status"), line.get("code"), line["sent"]) for line in await finished(trail, 4)]
    assert found == [("failed", 502, "upstream_closed", "maybe"), ("answered", 429, "gateway.rate_limit", "yes"),
                     ("failed", 502, "upstream_malformed", "maybe"), ("answered", 401, "error.token.expired", "yes")]
    assert lines(trail)[-1]["bank_message_id"]


async def test_what_is_not_signed_has_no_line(bank, start_proxy, trail):
    proxy = await start_proxy(bank, audit=audit(trail), route={"allow": ("GET /personal/**", "POST /echo")})
    await proxy.ask(get("/personal//x"))
    await proxy.ask(get("/echo"))
    await proxy.ask(request("GET", "/personal/x", "Origin: https://page.example"))
    await proxy.ask(post("/echo"))
    await finished(trail)
    assert [line["method"] for line in lines(trail)] == ["POST", "POST"]


async def test_a_request_that_is_signed_twice_has_two_intents(bank, start_proxy, files, trail, tmp_path):
    successor = Authority().seal()
    key, certificate = successor.write(tmp_path, "next.key", "next.crt")
    application = files.shop.application(next=NextKey(key_file=str(key), certificate_file=str(certificate)),
                                         rotation=Rotation(retry="all"))
    proxy = await start_proxy(bank, audit=audit(trail), applications={"shop": application})
    await proxy.ask(post("/echo"))
    bank.register(successor.certificate_pem)
    assert (await proxy.ask(post("/echo"))).status == 200
    await finished(trail, 2)
    before, again, after = lines(trail)[2:]
    assert [line["event"] for line in (before, again, after)] == ["intent", "intent", "outcome"]
    assert before["call"] == again["call"] == after["call"]
    assert (before["attempt"], again["attempt"], after["attempt"]) == (1, 2, 2)
    assert before["key"] != again["key"] == after["key"]


class _HungDisk:
    """A disk that takes nothing until it is let go."""

    def __init__(self, proxy, monkeypatch) -> None:
        self._go, self.asked = threading.Event(), threading.Event()
        write = proxy.running.audit._trail._scribe.write
        monkeypatch.setattr(proxy.running.audit._trail._scribe, "write", lambda entries: self._late(write, entries))

    def _late(self, write, entries):
        self.asked.set()
        self._go.wait(30)
        return write(entries)

    def release(self) -> None:
        self._go.set()


async def test_a_disk_that_hangs_signs_nothing_and_stops_nobody(bank, start_proxy, trail, monkeypatch):
    proxy = await start_proxy(bank, audit=audit(trail, timeout=0.1))
    disk = _HungDisk(proxy, monkeypatch)
    try:
        assert (await proxy.ask(post("/echo"))).problem == (503, "audit_unavailable", "no")
        assert (await proxy.admin("/livez")).status == 200
    finally:
        disk.release()
    (outcome,) = await finished(trail)          # its intent was under way, so it has an end
    assert (outcome["code"], outcome["sent"], outcome["status"]) == ("audit_unavailable", "no", 503)
    assert (await proxy.ask(post("/echo"))).status == 200
    assert bank.received.total == 1
    assert await proxy.metric("signing_proxy_audit_failures_total", kind="late") == 1


async def test_a_caller_that_leaves_meanwhile_has_nothing_signed(bank, start_proxy, trail, monkeypatch):
    proxy = await start_proxy(bank, audit=audit(trail))
    disk = _HungDisk(proxy, monkeypatch)
    try:
        async with proxy.connect() as line:
            await line.send(post("/echo"))
            await eventually(disk.asked.is_set)
            reset(line)
        await proxy.lines.last()
    finally:
        disk.release()
    (outcome,) = await finished(trail)
    assert (outcome["outcome"], outcome["sent"]) == ("client_gone", "no")
    assert bank.received.total == 0
    assert proxy.pool.counts[0] == proxy.pool.counts[1]     # the connection is free again


@pytest.mark.parametrize("policy", ["refuse", "continue"])
async def test_more_than_may_wait(bank, start_proxy, trail, monkeypatch, policy):
    monkeypatch.setattr("proxy.audit.trail.ROOM", 2)
    proxy = await start_proxy(bank, audit=audit(trail, on_failure=policy, timeout=30.0))
    trail_ = proxy.running.audit._trail
    trail_._room = 2
    disk = _HungDisk(proxy, monkeypatch)
    try:
        calls = [asyncio.create_task(proxy.ask(post("/echo"))) for _ in range(2)]
        await eventually(lambda: trail_.waiting >= 2)
        if policy == "refuse":
            assert (await proxy.ask(post("/echo"))).problem == (503, "audit_unavailable", "no")
        else:
            assert [(await call).status for call in calls] == [200, 200]
            assert (await proxy.ask(post("/echo"))).status == 200
    finally:
        disk.release()
    assert [(await call).status for call in calls] == [200, 200]
    await eventually(lambda: trail_.waiting == 0)
    lost = await proxy.metric("signing_proxy_audit_failures_total", kind="full")
    assert lost == (0 if policy == "refuse" else 2)
    await proxy.ask(post("/echo"))              # the next batch tells how many are missing
    await eventually(lambda: trail_.waiting == 0)
    assert judged(trail).lost == lost


async def test_a_second_proxy_does_not_start_with_the_same_trail(bank, start_proxy, trail):
    await start_proxy(bank, audit=audit(trail))
    with pytest.raises(ProxyError) as refused:
        await start_proxy(bank, audit=audit(trail))
    assert refused.value.code == "audit_locked"


async def test_status_tells_the_head(bank, start_proxy, trail):
    proxy = await start_proxy(bank, audit=audit(trail))
    await proxy.ask(post("/echo"))
    await finished(trail)
    told = (await proxy.admin("/status")).json["audit"]
    assert told["head"] == str(judged(trail).last)
    assert (told["waiting"], told["lost"], told["failure"], told["on_failure"]) == (0, 0, "", "refuse")


@pytest.mark.parametrize("fsync", ["interval", "always"])
async def test_the_other_ways_onto_the_disk(bank, start_proxy, trail, fsync):
    proxy = await start_proxy(bank, audit=audit(trail, fsync=fsync, fsync_interval=0.01))
    answers = await asyncio.gather(*[proxy.ask(post("/echo")) for _ in range(8)])
    assert {answer.status for answer in answers} == {200}
    assert len(await finished(trail, 8)) == 8


async def test_a_disk_that_forgets_signs_nothing(bank, start_proxy, trail, monkeypatch):
    """fsync fails: the line is in the file, and may be gone with the machine."""
    proxy = await start_proxy(bank, audit=audit(trail, fsync="always"))
    with monkeypatch.context() as patch:
        patch.setattr("proxy.audit.place.sync", _fails)
        answer = await proxy.ask(post("/echo"))
        assert answer.problem == (503, "audit_unavailable", "no")
        assert "input/output error" in answer.json["detail"]
        assert (await proxy.ask(post("/echo"))).problem[1] == "audit_unavailable"
    await eventually(lambda: not proxy.running.audit._trail.failure)
    assert (await proxy.ask(post("/echo"))).status == 200
    assert bank.received.total == 1
    found = [(line["outcome"], line["sent"]) for line in await finished(trail, 2)]
    assert found == [("refused", "no"), ("answered", "yes")]    # what came into the file has its end


def _fails(descriptor: int) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


# --- a process of its own

def room(child, size: int | None) -> None:
    """No file of the child can grow beyond that; None: as far as it may."""
    _, hard = resource.prlimit(child.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(child.process.pid, resource.RLIMIT_FSIZE, (hard if size is None else size, hard))


async def ask(child, raw, listener: str = "main"):
    async with connected(child.listeners[listener]) as line:
        return await line.ask(raw)


@pytest.mark.skipif(sys.platform != "linux", reason="needs prlimit, which Linux has: run it there")
async def test_a_full_disk_signs_nothing_until_there_is_room(bank, start_child, trail):
    child = await start_child(bank, audit=audit(trail))
    assert (await ask(child, post("/echo"))).status == 200
    await finished(trail)
    room(child, trail.stat().st_size + 100)
    for _ in range(3):
        answer = await ask(child, post("/echo"))
        assert answer.problem == (503, "audit_unavailable", "no")
        assert "too large" in answer.json["detail"]
    assert bank.received.total == 1
    ready = await ask(child, request("GET", "/readyz"), "admin")
    assert (ready.status, ready.body) == (503, b"audit trail: it cannot be written (file too large)\n")
    await child.told(message="audit trail: it cannot be written", level="error")
    room(child, None)
    await child.told(message="audit trail: it is written again")
    assert (await ask(child, request("GET", "/readyz"), "admin")).status == 200
    assert (await ask(child, post("/echo"))).status == 200
    await finished(trail, 2)
    report = judged(trail)
    assert (report.broken, report.outcomes, report.open) == (None, 2, {})


@pytest.mark.skipif(sys.platform != "linux", reason="needs prlimit, which Linux has: run it there")
async def test_a_full_disk_does_not_stop_who_wants_to_go_on(bank, start_child, trail):
    child = await start_child(bank, audit=audit(trail, on_failure="continue"))
    room(child, trail.stat().st_size + 100)
    for _ in range(5):
        assert (await ask(child, post("/echo"))).status == 200
    await child.told(message="audit trail: it cannot be written (file too large); requests are signed without a record")
    assert (await ask(child, request("GET", "/readyz"), "admin")).status == 200
    room(child, None)
    await child.told(message="audit trail: it is written again")
    assert len(await finished(trail, 5)) == 5           # they had waited
    assert judged(trail).broken is None


async def test_sigterm_leaves_no_outcome_behind(bank, start_child, trail):
    child = await start_child(bank, audit=audit(trail), max_sigterm_delay=0.5)
    for _ in range(5):
        assert (await ask(child, post("/echo"))).status == 200
    bank.faults.add("stall")
    async with connected(child.port) as line:
        await line.send(post("/echo"))
        await bank.until(lambda: bank.faults.taken == 1)
        child.signal(signal.SIGTERM)
        with pytest.raises(Cut):
            await line.answer()
    assert await child.ended() == 143
    bank.faults.release()
    report = judged(trail)
    assert (report.broken, report.notes, report.open) == (None, [], {})
    assert (report.intents, report.outcomes) == (6, 6)
    assert lines(trail)[-1]["sent"] == "maybe"
    await child.finished()
    assert child.logged[-1]["message"] == f"audit trail ends at head {report.last}"


async def test_sigkill_between_sending_and_the_answer(bank, start_child, trail):
    child = await start_child(bank, audit=audit(trail))
    bank.faults.add("stall")
    async with connected(child.port) as line:
        await line.send(post(PAYMENT, b"{}", "X-Request-ID: lost-one"))
        await bank.until(lambda: bank.faults.taken == 1)
        os.kill(child.process.pid, signal.SIGKILL)
        with pytest.raises(Cut):
            await line.answer()
    bank.faults.release()
    report = judged(trail)
    assert report.broken is None
    assert [link.fields["request_id"] for link in report.open.values()] == ["lost-one"]


async def test_sigkill_at_any_moment_loses_no_record_of_what_the_bank_has_done(bank, start_child, trail):
    """Four callers pay without a pause; what the bank has executed is on record, and the chain goes on."""
    for generation in range(2):
        child = await start_child(bank, audit=audit(trail, rotate_bytes=20_000))
        enough = bank.executions.total + random.Random(generation).randrange(20, 60)
        callers = [asyncio.create_task(_pay(child, f"{generation}-{caller}")) for caller in range(4)]
        await bank.until(lambda wanted=enough: bank.executions.total >= wanted)
        os.kill(child.process.pid, signal.SIGKILL)
        await asyncio.gather(*callers)
        await child.ended()
    report = judged(trail)
    assert report.broken is None
    executed = {dict(one.fields).get("X-Request-ID") for one in bank.received if one.executed}
    assert len(executed) >= 40
    assert executed <= {line["request_id"] for line in lines(trail) if line["event"] == "intent"}


async def _pay(child, name: str) -> None:
    try:
        async with connected(child.port) as line:
            for number in range(10_000):
                await line.ask(post("/echo", b"{}", f"X-Request-ID: {name}-{number}"))
    except (Cut, OSError):
        return


async def test_logrotate_and_sighup(bank, start_child, trail):
    child = await start_child(bank, audit=audit(trail))
    await ask(child, post("/echo"))
    await finished(trail)
    trail.rename(trail.with_name("audit.jsonl.1"))
    child.signal(signal.SIGHUP)
    await child.told(message="audit trail: audit.jsonl had been moved away")
    assert trail.exists()
    await ask(child, post("/echo"))
    await finished(trail)
    assert verify([trail.with_name("audit.jsonl.1"), trail]).broken is None


async def test_a_place_that_cannot_be_used_is_said_at_the_start(bank, start_proxy, trail):
    trail.parent.mkdir()
    trail.touch(mode=0o644)
    trail.chmod(0o644)
    with pytest.raises(ProxyError) as refused:
        await start_proxy(bank, audit=audit(trail))
    assert refused.value.code == "audit_unusable"
    assert "mode 0644" in str(refused.value)

"""Several workers are one proxy: one port, one set of numbers, one key that signs, one end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from proxy.audit.settings import AuditSettings
from proxy.emulator import Authority
from proxy.emulator.authority import write_private
from proxy.keys.rotation import NextKey, Rotation
from tests.e2e.child import Child
from tests.e2e.line import connected, eventually, get, post, request, within
from tests.e2e.standing import configuration, samples

TOKEN = "an-admin-token"


class Crew:
    """A child with two workers, and how to ask it."""

    def __init__(self, child: Child) -> None:
        self.child = child

    async def ask(self, raw: bytes, listener: str = "main"):
        async with connected(self.child.listeners[listener]) as line:
            return await line.ask(raw)

    async def admin(self, path: str):
        return await self.ask(request("GET", path), "admin")

    async def act(self, path: str):
        return await self.ask(request("POST", path, f"Authorization: Bearer {TOKEN}"), "admin")

    async def workers(self) -> list[dict]:
        return (await self.admin("/status")).json["workers"]

    async def metric(self, name: str, **labels: str) -> float:
        return samples((await self.admin("/metrics")).body).get((name, tuple(sorted(labels.items()))), 0.0)

    async def answered(self) -> float:
        return await self.metric("signing_proxy_requests_total", route="nordea", method="GET", status_class="2xx",
                                 refused_by="none")

    async def until(self, condition) -> None:
        async with asyncio.timeout(30):
            while not condition(await self.admin("/readyz")):
                await asyncio.sleep(0.02)

    def said(self, beginning: str) -> int:
        """How many messages of the log begin so."""
        return sum(str(line.get("message", "")).startswith(beginning) for line in self.child.logged)

    async def until_process(self, number: int, state: str) -> None:
        async with asyncio.timeout(30):
            while (await self.workers())[number - 1]["process"] != state:
                await asyncio.sleep(0.02)


@pytest.fixture
def start(bank, start_child, tmp_path):
    async def starting(**changes) -> Crew:
        write_private(tmp_path / "admin-token", TOKEN.encode() + b"\n")
        return Crew(await start_child(bank, workers=2, admin_token_file=str(tmp_path / "admin-token"), **changes))

    return starting


async def test_they_share_callers_and_numbers_and_one_may_be_killed(bank, start, tmp_path):
    crew = await start(audit=AuditSettings(file=str(tmp_path / "trail" / "audit.jsonl")))
    assert (await crew.admin("/readyz")).body == b"ok\n"
    async with AsyncExitStack() as stack:
        for _ in range(8):
            line = await stack.enter_async_context(connected(crew.child.port))
            assert (await line.ask(get("/echo"))).status == 200
        held = [worker["connections"] for worker in await crew.workers()]
        assert (min(held) > 0, sum(held)) == (True, 8)
        assert await crew.metric("signing_proxy_connections") == 8
    assert await crew.answered() == 8
    files = [tmp_path / "trail" / f"audit-{number}.jsonl" for number in (1, 2)]
    assert [sum(json.loads(row).get("event") == "intent" for row in file.read_text().splitlines())
            for file in files] == held

    os.kill((await crew.workers())[0]["pid"], signal.SIGKILL)
    for _ in range(8):      # while there is one worker only
        assert (await crew.ask(get("/echo"))).status == 200
        assert await crew.answered() >= 8
    await crew.child.told(message="worker 1 was killed by signal 9; it is started again")
    await crew.until(lambda ready: ready.status == 200)
    assert await crew.answered() == 16
    assert await crew.metric("signing_proxy_worker_restarts_total") == 1
    assert await crew.metric("signing_proxy_workers_ready") == 2
    assert bank.executions.total == 16


async def test_the_end_loses_no_request_of_any_worker(bank, start):
    crew = await start()
    bank.faults.add("stall", times=6)
    async with AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(connected(crew.child.port)) for _ in range(6)]
        for line in lines:
            await line.send(post("/echo"))
        await bank.until(lambda: bank.faults.taken == 6)
        assert all(worker["in_flight"] for worker in await crew.workers())
        crew.child.signal(signal.SIGTERM)
        await crew.until(lambda ready: ready.body == b"draining\n")
        await eventually(lambda: crew.said("draining: ") == 2)      # one is enough for the readiness of all
        bank.faults.release()
        for line in lines:
            answer = await line.answer()
            assert (answer.status, answer["Connection"]) == (200, "close")
    assert await crew.child.ended() == 143
    await crew.child.finished()
    assert not [line for line in crew.child.logged if line.get("level") in ("warning", "error")]


async def test_what_one_learns_about_keys_the_others_follow(bank, start, files, tmp_path):
    pair = Authority().seal()
    key, certificate = pair.write(tmp_path, "next.key", "next.crt")
    application = files.shop.application(next=NextKey(key_file=str(key), certificate_file=str(certificate)),
                                         rotation=Rotation(retry="all"))
    crew = await start(applications={"shop": application}, quitquitquit=True)
    async with connected(crew.child.port) as one, connected(crew.child.port) as other:
        assert [(await line.ask(get("/echo"))).status for line in (one, other)] == [200, 200]
        bank.register(pair.certificate_pem)
        assert (await one.ask(get("/echo"))).status == 200      # signed twice: that is the evidence

        async def slots() -> list[str]:
            return [worker["applications"]["shop"]["slot"] for worker in await crew.workers()]

        async with asyncio.timeout(30):
            while await slots() != ["next", "next"]:
                await asyncio.sleep(0.02)
        received = bank.received.total
        assert (await other.ask(get("/echo"))).status == 200
        assert bank.received.total == received + 1
    assert await crew.metric("signing_proxy_key_rotations_total", application="shop", how="evidence") == 1

    os.kill((await crew.workers())[1]["pid"], signal.SIGKILL)
    await crew.until_process(2, "starting")
    rotated = await crew.act("/rotate")     # between its first words and its being ready
    assert (rotated.status, rotated.json["slot"]) == (200, "current")
    await crew.until_process(2, "ready")
    async with asyncio.timeout(30):
        while await slots() != ["current", "current"]:
            await asyncio.sleep(0.02)
    assert await crew.metric("signing_proxy_key_rotations_total", application="shop", how="command") == 1
    assert (await crew.act("/rotate?to=elsewhere")).problem[:2] == (400, "admin_request_invalid")

    assert (await crew.act("/log-level?level=error")).status == 200
    assert [worker["log_level"] for worker in await crew.workers()] == ["error", "error"]
    assert (await crew.ask(request("POST", "/quitquitquit"), "admin")).status == 200
    assert await crew.child.ended() == 0


async def test_a_reload_reaches_all_and_says_what_failed_where(start, files, tmp_path):
    secret = tmp_path / "secret"
    write_private(secret, b"one\n")
    crew = await start(applications={"shop": files.shop.application(client_secret_file=str(secret))})
    write_private(secret, b"two\n")
    assert (await crew.act("/reload")).json["failed"] == []
    assert [worker["applications"]["shop"]["revision"] for worker in await crew.workers()] == [2, 2]
    secret.unlink()
    refused = await crew.act("/reload")
    assert refused.problem[:2] == (409, "reload_failed")
    assert refused.json["failed"] == ["worker 1: application shop, current", "worker 2: application shop, current"]
    crew.child.signal(signal.SIGINT)
    assert await crew.child.ended() == 130


async def test_workers_end_when_their_supervisor_is_killed(bank, start):
    crew = await start()
    pids = [worker["pid"] for worker in await crew.workers()]
    async with connected(crew.child.port) as line:
        assert (await line.ask(get("/echo"))).status == 200
        crew.child.process.kill()
        await crew.child.ended()
        await eventually(lambda: not any(_lives(pid) for pid in pids))


def _lives(pid: int) -> bool:
    """A zombie has ended; who reaps it is not ours to say."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_one_that_cannot_start_says_why_as_a_single_process_would(bank, files, start_child, tmp_path):
    (tmp_path / "no.key").touch(0o600)
    config = configuration(bank, files, workers=2,
                           applications={"shop": files.shop.application(key_file=str(tmp_path / "no.key"))})
    async with Child(config, tmp_path / "config.json", serving=False) as child:
        assert await child.ended() == 1
        await within(child.finished())
    assert "proxy.errors.ProxyError: " in child.logged[-1]["text"]
    assert "application shop" in child.logged[-1]["text"]

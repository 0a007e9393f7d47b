"""What the supervisor makes of its workers, each piece by itself; tests/e2e/test_workers has the whole."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
from pathlib import Path

import msgspec
import pytest

from proxy.app.workers import shared, sums, together
from proxy.app.workers.channel import Channel, ChannelClosed, pair
from proxy.app.workers.patience import Patience, Tries
from proxy.app.workers.rotations import Rotations
from proxy.app.workers.supervisor import Supervisor
from proxy.app.workers.worker import share
from proxy.audit.settings import AuditSettings
from proxy.config.checks import check
from proxy.config.model import Application, Config
from proxy.config.problems import Problems
from proxy.config.vault_checks import check_vault
from proxy.errors import ProxyError
from proxy.keys.vault.settings import VaultAppRole, VaultSettings
from proxy.serve.shaping import ShapingSettings
from proxy.wire.queue import NOBODY, Board, SharedQueue

OPERATIONS = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")


# --- what is asked of all


class Sitting:
    """A seat that answers.  asked: what it was asked."""

    def __init__(self, number: int, state: str) -> None:
        self.number, self.state, self.asked = number, state, []

    async def ask(self, name, value=None, *, seconds):
        self.asked.append(name)
        return {"failed": [], "applications": {"shop": {}}}


async def test_a_reload_reaches_workers_that_drain_and_never_claims_what_nobody_did():
    ready, ending, ended = (Sitting(number, state) for number, state in enumerate(("ready", "ending", "ended"), 1))
    assert (await together.reload([ready, ending, ended])).failed == []
    assert (ready.asked, ending.asked, ended.asked) == (["reload"], ["reload"], [])
    assert (await together.reload([ended])).failed == ["no worker is there to read anything"]
    with pytest.raises(ProxyError) as refused:
        await together.rotate([ending], {})
    assert refused.value.code == "proxy_ending"


# --- numbers


def counter(value: float) -> tuple:
    return ("signing_proxy_requests", "Requests.", "counter", [("signing_proxy_requests_total", {"route": "r"}, value)])


def gauge(name: str, value: float) -> tuple:
    return (f"signing_proxy_{name}", "A gauge.", "gauge", [(f"signing_proxy_{name}", {}, value)])


def collected(found: sums.Sums) -> dict[str, float]:
    return {sample.name: sample.value for family in found.collect() for sample in family.samples}


def test_a_worker_that_ends_takes_nothing_back():
    found = sums.Sums(tuple)
    found.keep(1, [counter(5), gauge("connections", 2), gauge("log_lines_dropped", 1)])
    found.keep(2, [counter(3), gauge("connections", 1), gauge("log_lines_dropped", 0)])
    found.ended(1)
    assert collected(found) == {"signing_proxy_requests_total": 8, "signing_proxy_connections": 1,
                                "signing_proxy_log_lines_dropped": 1}
    found.keep(1, [counter(1), gauge("connections", 0), gauge("log_lines_dropped", 0)])
    assert collected(found)["signing_proxy_requests_total"] == 9


def test_each_gauge_is_combined_as_it_is_meant():
    found = sums.Sums(tuple)
    names = ("rate_limit_remaining", "clock_skew_seconds", "loop_lag_seconds")
    for worker, values in ((1, (7.0, -3.0, 10.0)), (2, (4.0, 2.0, 20.0)), (2, (4.0, 2.0, 0.0))):
        found.keep(worker, [gauge(name, value) for name, value in zip(names, values, strict=True)])
    assert collected(found) == {"signing_proxy_rate_limit_remaining": 4.0, "signing_proxy_clock_skew_seconds": -3.0,
                                "signing_proxy_loop_lag_seconds": 20.0}
    assert collected(found)["signing_proxy_loop_lag_seconds"] == 10.0      # the worst since the last scrape


def test_of_clocks_the_furthest_off_is_told():
    clocks = ((None, 0.0), (3.0, 0.0), (-41.0, 41.0), (None, 0.0))
    rows = [{"upstreams": {"a:443": {"idle": 1, "breaker": "closed", "clock_ahead_s": ahead,
                                     "clock_correction_s": moved}}} for ahead, moved in clocks]
    assert together._upstreams(rows) == {
        "a:443": {"idle": 4, "breaker": "closed", "clock_ahead_s": -41.0, "clock_correction_s": 41.0}}
    assert together._upstreams(rows[:1])["a:443"]["clock_ahead_s"] is None


def test_every_gauge_of_the_program_has_a_rule():
    gauges = set(re.findall(r"^\| `signing_proxy_(\w+)` \| gauge ", OPERATIONS, re.MULTILINE))
    assert gauges - {"workers_ready"} == set(sums.RULES)


# --- keys, order, crashes


def test_the_last_word_about_a_key_is_the_same_for_all_and_counts_once():
    told: list[tuple[str, str, str]] = []
    rotations = Rotations(["shop"], lambda *change: told.append(change))
    rotations.told("shop", "next", "evidence")
    rotations.told("shop", "next", "evidence")      # another worker has found out at the same time
    assert told == [("shop", "next", "evidence")]
    rotations.told("shop", "current", "command")
    assert rotations.now == {"shop": ("current", "command")}
    counted = {sample.labels["how"]: sample.value for sample in rotations.family().samples}
    assert (counted["evidence"], counted["command"]) == (1, 1)


def test_pauses_grow_and_end():
    tries = Tries(Patience(first=1, most=3, quick=10, crashes=4))
    assert [tries.ended(0.5) for _ in range(3)] == [1, 2, 3]
    assert not tries.hopeless
    assert tries.ended(60) == 1     # it has lived: from the beginning
    for _ in range(3):
        tries.ended(0.5)
    assert tries.hopeless


async def test_a_worker_that_crashes_again_and_again_ends_everything_with_one_sentence():
    config = Config(port=0, admin=False, workers=2)
    supervisor = Supervisor(config, os.environ, command=(sys.executable, "-c", "raise SystemExit(7)"),
                            patience=Patience(first=0.0, crashes=2))
    try:
        assert not await supervisor.start()
        with pytest.raises(ProxyError, match=r"A worker has crashed again and again.*worker \d ended with code 7"):
            await supervisor.end()
        assert max(seat.restarts for seat in supervisor.seats) == 1
    finally:
        await supervisor.close()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
            asyncio.get_running_loop().remove_signal_handler(number)


async def test_a_worker_that_was_on_its_way_catches_up(monkeypatch):
    """Whatever was changed between its first words and its being ready."""
    asked: asyncio.Queue[tuple] = asyncio.Queue()
    supervisor = Supervisor(Config(port=0, admin=False, workers=2, applications={"shop": Application()}), os.environ)
    late = supervisor.seats[1]

    async def ask(name: str, value: object = None, *, seconds: float) -> bool:
        asked.put_nowait((name, value))
        return True

    monkeypatch.setattr(late, "ask", ask)
    late.state = "starting"
    supervisor.rotations.now["shop"] = "next", "command"
    late._hear("ready", None)
    assert await asyncio.wait_for(asked.get(), 30) == ("follow", ["shop", "next", "command"])
    await supervisor.close()


# --- what cannot be split


def problems_of(config: Config) -> list[tuple[str, str]]:
    problems = Problems()
    check(config, problems)
    check_vault(config, {}, problems)
    return [(place, sentence) for place, sentence in problems.found if place == "workers"]


@pytest.mark.parametrize(("changes", "word"), [
    ({"inspect": True}, "inspector"),
    ({"vault": VaultSettings(approle=VaultAppRole(wrapped=True))}, "unwrapped once")])
def test_what_only_one_process_can_do_is_refused(changes, word):
    assert problems_of(Config(**changes)) == []
    ((_, sentence),) = problems_of(Config(workers=2, **changes))
    assert word in sentence


def test_each_worker_has_an_audit_trail_of_its_own_and_no_admin_port():
    config = Config(workers=2, quitquitquit=True, audit=AuditSettings(file="/var/lib/trail.d/audit.jsonl"),
                    shaping=ShapingSettings(share=0.5))
    mine = share(config, 2)
    assert mine.audit.file == "/var/lib/trail.d/audit-2.jsonl"
    assert mine.shaping.share == 0.25       # the bank counts the calls of all of them
    assert (mine.admin, mine.quitquitquit, mine.workers) == (False, False, 1)
    assert msgspec.convert(msgspec.msgpack.decode(msgspec.msgpack.encode(config)), Config) == config


# --- the channel and the queue


async def nothing(name: str, value: object) -> object:
    raise ProxyError("rotation_no_next", str(value))


async def test_an_answer_a_refusal_and_the_end_come_through_the_channel():
    async def answer(name: str, value: object) -> object:
        return [name, value]

    here, there = pair()
    one = await Channel.over(here, lambda name, value: None, nothing)
    other = await Channel.over(there, lambda name, value: None, answer)
    assert await one.ask("numbers", 7, seconds=30) == ["numbers", 7]
    with pytest.raises(ProxyError, match="detail") as refused:
        await other.ask("rotate", "detail", seconds=30)
    assert refused.value.code == "rotation_no_next"
    await other.close()
    await asyncio.wait_for(one.closed(), 30)
    with pytest.raises(ChannelClosed):
        await one.ask("numbers", seconds=30)
    await one.close()


async def test_a_new_connection_is_left_to_whoever_has_fewer_and_taken_if_nobody_comes():
    """Two queues on one socket, as in two processes; the second one does not accept."""
    descriptor = shared.made()
    numbers = shared.numbers(descriptor)
    taken = asyncio.Event()
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        board = Board(numbers, 0)
        board.tell(3)
        numbers[1] = 1
        assert board.ahead() == 2
        queue = SharedQueue(sock.dup(), asyncio.Protocol, 8, board, taken.set)
        reader, writer = await asyncio.open_connection(*sock.getsockname())
        await asyncio.wait_for(taken.wait(), 30)
        assert queue.arriving == 1
        numbers[1] = NOBODY
        assert board.ahead() == 0
        queue.close()
        writer.close()
        await writer.wait_closed()
        assert await reader.read() == b""
    numbers.release()
    os.close(descriptor)

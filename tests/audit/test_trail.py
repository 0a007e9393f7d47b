"""The loop's side of a trail: who waits is told once, what is kept comes later, and nothing waits without a bound."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from proxy.audit.settings import AuditSettings
from proxy.audit.trail import Trail
from tests.audit.trails import intent, judged, outcome


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "trail" / "audit.jsonl"


@pytest.fixture
async def begin(path):
    """begin(room=…, **settings): a trail that runs."""
    running = []

    async def begin(room: int = 100, **settings) -> Trail:
        trail = Trail(AuditSettings(**{"file": str(path), "fsync": "never", **settings}), "run", room=room)
        await asyncio.to_thread(trail.open)
        trail.start()
        running.append(trail)
        return trail

    yield begin
    for trail in running:
        await trail.close()


class Told:
    """What somebody who waits was told."""

    def __init__(self) -> None:
        self.all: list[tuple[str, bool]] = []
        self._event = asyncio.Event()

    def __call__(self, failure: str, on_record: bool) -> None:
        self.all.append((failure, on_record))
        self._event.set()

    async def once(self) -> tuple[str, bool]:
        await asyncio.wait_for(self._event.wait(), 30)
        (told,) = self.all
        return told


async def test_who_waits_is_told_when_the_line_is_in_the_file(begin, path):
    trail, told = await begin(), Told()
    trail.put(intent(1), told)
    assert await told.once() == ("", True)
    assert b'"call":"run-1"' in path.read_bytes()
    assert (trail.waiting, trail.lines) == (0, {("intent",): 1, ("outcome",): 0})


async def test_what_gathers_becomes_one_batch_in_its_order(begin, path, monkeypatch):
    trail, told = await begin(room=1000), Told()
    sizes, write = [], trail._scribe.write
    monkeypatch.setattr(trail._scribe, "write", lambda entries: sizes.append(len(entries)) or write(entries))
    for call in range(700):
        trail.put(intent(call) if call < 699 else outcome(call), told if call == 699 else None)
    await told.once()
    assert sum(sizes) == 700
    assert max(sizes) <= 512
    assert len(sizes) < 700
    report = judged(path)
    assert [link.fields["call"] for link in report.open.values()] == [f"run-{call}" for call in range(699)]


async def test_a_fault_of_ours_is_no_success_and_no_end(begin, path, monkeypatch):
    trail, told, later = await begin(), Told(), Told()
    with monkeypatch.context() as patch:
        patch.setattr(trail._scribe, "write", lambda entries: 1 // 0)
        trail.put(intent(1), told)
        assert await told.once() == ("internal error: ZeroDivisionError", True)
    trail.put(intent(2), later)
    assert await later.once() == ("", True)
    await trail.close()
    assert judged(path).intents == 2            # the first one was kept


async def test_who_need_not_be_kept_is_not_tried_again(begin, path, monkeypatch):
    trail, told = await begin(), Told()
    with monkeypatch.context() as patch:
        patch.setattr(trail._scribe, "write", lambda entries: trail._scribe.broke("no room"))
        trail.put(intent(1), told, keep=False)
        assert await told.once() == ("no room", False)
    await trail.close()
    assert judged(path).intents == 0
    assert trail.waiting == 0


async def test_late_ones_are_told_in_their_order_and_once(begin, path, monkeypatch):
    trail = await begin(timeout=0.05)
    go, write = threading.Event(), trail._scribe.write
    monkeypatch.setattr(trail._scribe, "write", lambda entries: (go.wait(30), write(entries))[1])
    told = [Told() for _ in range(3)]
    try:
        for call, one in enumerate(told):
            trail.put(intent(call), one)
        assert [await one.once() for one in told] == [("the line was not written in time", True)] * 3
    finally:
        go.set()
    await trail.close()
    assert [one.all for one in told] == [[("the line was not written in time", True)]] * 3
    assert trail.failures["late",] == 3
    assert judged(path).intents == 3


async def test_beyond_twice_the_room_lines_are_lost_and_the_trail_says_how_many(begin, path, monkeypatch):
    trail, told = await begin(room=2), Told()
    go, write = threading.Event(), trail._scribe.write
    monkeypatch.setattr(trail._scribe, "write", lambda entries: (go.wait(30), write(entries))[1])
    try:
        for call in range(6):
            trail.put(intent(call))
        assert trail.full
        trail.put(intent(6), told)
        assert await told.once() == ("too many lines wait to be written", False)
    finally:
        go.set()
    await trail.close()
    report = judged(path)
    assert (report.broken, report.intents, report.lost, trail.lost) == (None, 4, 3, 3)


async def test_the_end_writes_what_waits(begin, path):
    trail = await begin(fsync="always")
    told = [Told() for _ in range(50)]
    for call, one in enumerate(told):
        trail.put(intent(call), one)
    await trail.close()
    assert [one.all for one in told] == [[("", True)]] * 50
    assert (judged(path).intents, judged(path).notes) == (50, [])

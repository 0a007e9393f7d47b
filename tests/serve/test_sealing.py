"""A signer that says how parallel it is gets that many threads and no more; the loop never waits for any."""

from __future__ import annotations

import asyncio
import threading

import pytest

from proxy.errors import KeyUnusable
from proxy.keys.source import Lanes
from proxy.serve.sealing import Sealing, signing_failure


class Slow:
    """A signer whose signatures a test lets go.  most: how many were in hand at a time."""

    inline = False
    bits = 2048
    spki_sha256 = ""

    def __init__(self, lanes: Lanes | None = None) -> None:
        if lanes is not None:
            self.lanes = lanes
        self.gate = threading.Semaphore(0)
        self.entered = threading.Semaphore(0)
        self.now = self.most = 0
        self._lock = threading.Lock()

    def sign(self, message: bytes) -> bytes:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.entered.release()
        assert self.gate.acquire(timeout=30)
        with self._lock:
            self.now -= 1
        if message == b"break":
            raise LookupError("CANARY")
        return message


class Elsewhere:
    """A signer that is asked on the loop.  asked: what it has in hand, message and whom to tell, oldest first."""

    inline = False
    bits = 2048
    spki_sha256 = ""

    def __init__(self, lanes: Lanes) -> None:
        self.lanes = lanes
        self.asked: list[tuple[bytes, object]] = []

    def begin(self, message: bytes, told) -> None:
        if message == b"break":
            raise LookupError("CANARY")
        self.asked.append((message, told))

    def answer(self) -> None:
        message, told = self.asked.pop(0)
        told(message)


@pytest.fixture
def sealing():
    return Sealing(64)


async def submitted(sealing, signer, *messages):
    loop = asyncio.get_running_loop()
    futures = []
    for message in messages:
        futures.append(loop.create_future())
        sealing.submit(signer, message, futures[-1].set_result)
    return futures


async def entered(signer, count):
    for _ in range(count):
        assert await asyncio.to_thread(signer.entered.acquire, timeout=30)


async def test_as_many_lanes_as_it_says(sealing):
    signer = Slow(Lanes("slow", 8, 100))
    futures = await submitted(sealing, signer, *(b"%d" % number for number in range(20)))
    await entered(signer, 8)
    signer.gate.release(20)
    assert await asyncio.gather(*futures) == [b"%d" % number for number in range(20)]
    assert signer.most == 8
    sealing.close()


async def test_two_threads_without_a_word(sealing):
    signer = Slow()
    futures = await submitted(sealing, signer, *[b"x"] * 6)
    await entered(signer, 2)
    signer.gate.release(6)
    await asyncio.gather(*futures)
    assert signer.most == 2
    sealing.close()


async def test_a_slow_source_holds_up_no_other(sealing):
    slow, quick = Slow(Lanes("slow", 1, 10)), Slow()
    first = await submitted(sealing, slow, b"slow")
    await entered(slow, 1)
    second = await submitted(sealing, quick, b"quick")
    quick.gate.release()
    assert await asyncio.gather(*second) == [b"quick"]
    slow.gate.release()
    await asyncio.gather(*first)
    sealing.close()


async def test_a_line_that_is_full_refuses(sealing):
    signer = Slow(Lanes("slow", 1, 2))
    futures = await submitted(sealing, signer, *[b"x"] * 4)
    refused = await futures[3]
    assert isinstance(refused, KeyUnusable)
    assert (refused.code, refused.problem.status) == ("signing_busy", 503)
    signer.gate.release(4)
    assert await asyncio.gather(*futures[:3]) == [b"x"] * 3
    (again,) = await submitted(sealing, signer, b"y")
    assert await again == b"y"
    sealing.close()


async def test_who_has_waited_too_long_is_not_signed_for(sealing, monkeypatch):
    now = 100.0
    monkeypatch.setattr("proxy.serve.sealing.monotonic", lambda: now)
    signer = Slow(Lanes("slow", 1, 3, patience=5.0))
    early = await submitted(sealing, signer, b"1", b"2")
    await entered(signer, 1)
    now += 4
    late = await submitted(sealing, signer, b"3")
    now += 2
    signer.gate.release(2)
    first, second, third = await asyncio.gather(*early, *late)
    assert (first, third) == (b"1", b"3")
    assert (second.code, second.detail) == ("signing_busy", "it has waited too long for its turn")
    sealing.close()


async def test_what_stands_in_line_at_the_end_fails(sealing):
    signer = Slow(Lanes("slow", 1, 2))
    first, second = await submitted(sealing, signer, b"x", b"y")
    await entered(signer, 1)
    sealing.close()
    assert (await second).code == "signing_failed"
    signer.gate.release()
    assert await first == b"x"


async def test_a_failure_is_told_without_its_text(sealing):
    signer = Slow()
    signer.gate.release()
    (future,) = await submitted(sealing, signer, b"break")
    failure = await future
    assert (failure.code, failure.detail) == ("signing_failed", "LookupError")
    sealing.close()


async def test_on_the_loop_as_many_as_there_are_lanes(sealing):
    signer = Elsewhere(Lanes("elsewhere", 2, 2))
    futures = await submitted(sealing, signer, b"1", b"2", b"3", b"4", b"5")
    assert [message for message, _ in signer.asked] == [b"1", b"2"]
    assert (await futures[4]).code == "signing_busy"
    signer.answer()
    assert [message for message, _ in signer.asked] == [b"2", b"3"], "the line keeps its order"
    for _ in range(3):
        signer.answer()
    assert await asyncio.gather(*futures[:4]) == [b"1", b"2", b"3", b"4"]
    sealing.close()


async def test_on_the_loop_who_has_waited_too_long_is_not_signed_for(sealing, monkeypatch):
    now = 100.0
    monkeypatch.setattr("proxy.serve.sealing.monotonic", lambda: now)
    signer = Elsewhere(Lanes("elsewhere", 1, 3, patience=5.0))
    early = await submitted(sealing, signer, b"1", b"2")
    now += 4
    late = await submitted(sealing, signer, b"3")
    now += 2
    signer.answer()
    assert [message for message, _ in signer.asked] == [b"3"]
    signer.answer()
    first, second, third = await asyncio.gather(*early, *late)
    assert (first, third) == (b"1", b"3")
    assert (second.code, second.detail) == ("signing_busy", "it has waited too long for its turn")
    sealing.close()


@pytest.mark.parametrize(("rest", "told"), [
    (lambda: threading.current_thread().name.encode(), b"elsewhere 1"),
    (lambda: {}["CANARY"], "KeyError"), (KeyUnusable("vault_sealed"), "vault_sealed"),
    (KeyUnusable("key_format"), "key_format")], ids=["a thread signs", "a thread fails", "a status", "no status"])
async def test_what_the_loop_does_not_settle(sealing, rest, told):
    """What is left goes on in a thread, and keeps its lane meanwhile."""
    signer = Elsewhere(Lanes("elsewhere", 1, 3))
    future, following = await submitted(sealing, signer, b"1", b"2")
    signer.asked.pop(0)[1](rest)
    if callable(rest):
        assert not signer.asked
    outcome = await future
    assert outcome == told if isinstance(outcome, bytes) else told in (outcome.code, outcome.detail)
    signer.answer()
    assert await following == b"2"
    sealing.close()


async def test_who_hangs_gets_half_of_the_connections(monkeypatch):
    """So that others find one: until something comes again."""
    now = 100.0
    monkeypatch.setattr("proxy.serve.sealing.monotonic", lambda: now)
    sealing, signer = Sealing(4), Elsewhere(Lanes("elsewhere", 64, 256, patience=2.0))
    first = await submitted(sealing, signer, *[b"x"] * 4)
    assert len(signer.asked) == 4, "as long as it may be slow, it gets all"
    now += 1.1
    assert (await (await submitted(sealing, signer, b"x"))[0]).code == "signing_busy"
    for _ in range(4):
        signer.asked.pop(0)[1](KeyUnusable("vault_unavailable"))
    assert {failure.code for failure in await asyncio.gather(*first)} == {"vault_unavailable"}
    second = await submitted(sealing, signer, *[b"x"] * 3)
    assert (len(signer.asked), (await second[2]).code) == (2, "signing_busy")
    signer.asked.pop(0)[1](b"signature")
    assert await second[0] == b"signature"
    third = await submitted(sealing, signer, *[b"x"] * 3)
    assert len(signer.asked) == 4, "it is back"
    for _ in range(4):
        signer.asked.pop(0)[1](KeyUnusable("vault_unavailable"))
    await asyncio.gather(second[1], *third)
    now += 60
    await submitted(sealing, signer, *[b"x"] * 4)
    assert len(signer.asked) == 4, "what was long ago says nothing"
    sealing.close()


async def test_a_signer_that_cannot_begin(sealing):
    signer = Elsewhere(Lanes("elsewhere", 1, 3))
    futures = await submitted(sealing, signer, b"break", b"2")
    failure = await futures[0]
    assert (failure.code, failure.detail) == ("signing_failed", "LookupError")
    signer.answer()
    assert await futures[1] == b"2"
    sealing.close()


async def test_on_the_loop_what_stands_in_line_at_the_end_fails(sealing):
    signer = Elsewhere(Lanes("elsewhere", 1, 2))
    first, second = await submitted(sealing, signer, b"1", b"2")
    sealing.close()
    assert (await second).code == "signing_failed"
    signer.answer()
    assert await first == b"1"


def test_a_code_with_a_status_is_passed_on_as_it_is():
    assert signing_failure(KeyUnusable("vault_sealed")).code == "vault_sealed"
    assert signing_failure(KeyUnusable("key_format")).code == "signing_failed"

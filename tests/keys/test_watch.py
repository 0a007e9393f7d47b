"""The watch tries until it succeeds, tells each thing once, and does not die in silence."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from proxy.keys.credentials import CredentialSettings, CredentialSource
from proxy.keys.keyring import Keyring, ReloadOutcome
from proxy.keys.watch import Watch
from tests.keys.making import NOW, write


class Metronome:
    """Stands in for asyncio.sleep: time passes when the test says so."""

    def __init__(self) -> None:
        self.intervals: list[float] = []
        self._asleep = asyncio.Event()
        self._wake = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.intervals.append(seconds)
        self._asleep.set()
        await self._wake.wait()
        self._wake.clear()

    async def tick(self) -> None:
        """One interval passes, and the watch has done what it does."""
        await self._asleep.wait()
        self._asleep.clear()
        self._wake.set()
        await self._asleep.wait()


class Bench:
    def __init__(self, folder: Path) -> None:
        self.secret = folder / "secret"
        write(self.secret, b"one")
        settings = CredentialSettings(client_id="id", client_secret_file=str(self.secret))
        self.keyring = Keyring("bench", CredentialSource(settings, {}), None)
        self.keyring.load(NOW)
        self.metronome = Metronome()
        self.deaths: list[BaseException] = []
        self.outcomes: list[ReloadOutcome] = []
        self.watch = Watch(
            self.keyring,
            clock=lambda: NOW,
            on_failure=self.deaths.append,
            on_outcome=self.outcomes.append,
            sleep=self.metronome.sleep,
        )


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    await bench.watch.stop()


async def test_it_reloads_when_content_changes_and_only_then(bench: Bench) -> None:
    bench.watch.start(7.5)
    await bench.metronome.tick()
    write(bench.secret, b"one")
    await bench.metronome.tick()
    assert bench.outcomes == []
    write(bench.secret, b"two")
    await bench.metronome.tick()
    assert bench.keyring.current is not None
    assert bench.keyring.current.client_secret.reveal() == b"two"
    await bench.metronome.tick()
    assert [outcome.revision for outcome in bench.outcomes] == [2]
    assert set(bench.metronome.intervals) == {7.5}


async def test_it_tries_again_at_every_tick_and_says_so_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    bench.watch.start(1)
    write(bench.secret, b"CANARY\nX: y")
    for _ in range(3):
        await bench.metronome.tick()
    assert [outcome.ok for outcome in bench.outcomes] == [False] * 3
    write(bench.secret, b"two")
    await bench.metronome.tick()
    assert bench.outcomes[-1].ok
    levels = [record.levelname for record in caplog.records if record.name == "proxy.keys.watch"]
    assert levels == ["WARNING", "INFO"]
    assert "CANARY" not in caplog.text


async def test_it_retries_a_failure_that_no_content_betrays(bench: Bench) -> None:
    bench.watch.start(1)
    bench.secret.chmod(0o644)
    await bench.keyring.reload(NOW)
    await bench.metronome.tick()
    bench.secret.chmod(0o600)
    await bench.metronome.tick()
    await bench.metronome.tick()
    assert [outcome.ok for outcome in bench.outcomes] == [False, True]


async def test_its_death_is_told(
    bench: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> bool:
        raise RuntimeError("CANARY")

    monkeypatch.setattr(bench.keyring, "reload_due", broken)
    told = asyncio.get_running_loop().create_future()
    watch = Watch(bench.keyring, clock=lambda: NOW, on_failure=told.set_result, sleep=lambda seconds: asyncio.sleep(0))
    watch.start(1)
    assert isinstance(await told, RuntimeError)
    assert not watch.running
    assert "the watch died of RuntimeError" in caplog.text
    assert "CANARY" not in caplog.text
    await watch.stop()


async def test_stopping_is_no_death(bench: Bench) -> None:
    await bench.watch.stop()
    bench.watch.start(1)
    assert bench.watch.running
    with pytest.raises(RuntimeError, match="running already"):
        bench.watch.start(1)
    await bench.watch.stop()
    await bench.watch.stop()
    assert not bench.watch.running
    assert bench.deaths == []
    bench.watch.start(1)
    assert bench.watch.running


async def test_an_interval_is_positive(bench: Bench) -> None:
    with pytest.raises(ValueError, match="positive"):
        bench.watch.start(0)

"""Who asks for the end, and how often, decides whether what is in hand is finished."""

from __future__ import annotations

import signal

import pytest

from proxy.app.ending import Ending
from proxy.config.model import Config
from proxy.serve.health import Health


class Busy:
    """Stands for gateway and server: one request is in hand for as many looks as asked for."""

    draining = False
    connections: tuple[()] = ()

    def __init__(self, looks: int) -> None:
        self.looks = looks

    @property
    def in_flight(self) -> int:
        self.looks -= 1
        return int(self.looks > 0)

    def callers_wait(self) -> bool:
        return False

    def stop_accepting(self) -> None:
        pass

    def close_idle(self) -> None:
        pass


async def drained(ending: Ending) -> int:
    """-> how many looks were left when the drain was over; at most 0: everything was finished."""
    busy = Busy(looks=12)
    await ending.drain(Health({}), busy, busy)
    return busy.looks


@pytest.fixture
async def ending() -> Ending:
    return Ending(Config(min_sigterm_delay=0.0))


async def test_the_kubelets_signal_after_a_hook_that_has_asked_hurries_nobody(ending):
    """A preStop hook that runs `signing-proxy shutdown` returns at once, and SIGTERM follows."""
    ending.on_request()
    ending.on_signal(signal.SIGTERM)
    assert await drained(ending) <= 0
    assert ending.code() == 0


async def test_a_second_signal_stops_at_once(ending):
    ending.on_request()
    ending.on_signal(signal.SIGTERM)
    ending.on_signal(signal.SIGTERM)
    assert await drained(ending) > 0


async def test_two_signals_alone_do_too(ending):
    ending.on_signal(signal.SIGTERM)
    ending.on_signal(signal.SIGINT)
    assert await drained(ending) > 0
    assert ending.code() == 143

"""When calls to a bank that does not answer are refused, and when it is tried again."""

from __future__ import annotations

from proxy.wire.breaker import Breaker, BreakerSettings


def opened(**settings) -> Breaker:
    breaker = Breaker(BreakerSettings(failures=3, wait=4.0, longest_wait=10.0, **settings))
    assert [breaker.failed(0.0) for _ in range(3)] == [False, False, True]
    return breaker


def test_failures_in_a_row_open_it_and_an_answer_between_them_does_not():
    breaker = Breaker(BreakerSettings(failures=3))
    for _ in range(20):
        assert not breaker.failed(0.0)
        assert not breaker.failed(0.0)
        breaker.answered()
    assert not breaker.open
    assert breaker.admits(0.0)


def test_while_open_one_call_in_each_wait_is_tried():
    breaker = opened()
    assert [breaker.admits(now) for now in (0.0, 3.9, 4.0, 4.1, 7.9, 8.0)] == [False, False, True, False, False, True]
    assert (breaker.retry_after(8.5), breaker.retry_after(11.9), breaker.retry_after(13.0)) == (4, 1, 1)


def test_each_trial_that_fails_doubles_the_wait_up_to_the_longest():
    breaker, now, waits = opened(), 4.0, []
    for _ in range(3):
        assert breaker.admits(now)
        assert not breaker.failed(now)
        waits.append(breaker.retry_after(now))
        now += waits[-1]
    assert waits == [8, 10, 10]


def test_failures_of_calls_from_before_change_nothing():
    breaker = opened()
    for _ in range(50):
        assert not breaker.failed(1.0)
    assert breaker.admits(4.0)


def test_an_answer_closes_it():
    breaker = opened()
    assert breaker.admits(4.0)
    breaker.answered()
    assert not breaker.open
    assert [breaker.failed(5.0) for _ in range(3)] == [False, False, True]
    assert breaker.retry_after(5.0) == 4


def test_zero_switches_it_off():
    breaker = Breaker(BreakerSettings(failures=0))
    assert not any(breaker.failed(0.0) for _ in range(1000))
    assert breaker.admits(0.0)

"""No more calls than the bank's limit begin in any window, and what the limits are is learned from its answers."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from proxy.errors import Refused
from proxy.serve.shaping import Shaper, ShapingSettings


class Watched(Counter):
    def __call__(self, event: str) -> None:
        self[event] += 1


def answer(limit: bytes = b"", remaining: bytes = b""):
    return [(b"x-burstlimit-limit", b"X-BurstLimit-Limit", limit),
            (b"x-burstlimit-remaining", b"X-BurstLimit-Remaining", remaining)]


def shaper(limit: bytes = b"name=a,5;", **settings) -> Shaper:
    made = Shaper(ShapingSettings(**settings), Watched())
    made.learn(b"/x", answer(limit), 0.0)
    return made


def test_what_is_not_known_yet_is_not_held_back():
    made = shaper()
    assert [made.turn(b"/other", 0.0) for _ in range(100)] == [0.0] * 100


def test_the_sixth_of_five_waits_for_the_window():
    made = shaper()
    assert [made.turn(b"/x", 0.0) for _ in range(7)] == [0.0] * 5 + [1.0] * 2
    assert made._watch == {"delayed": 2}
    assert made.turn(b"/x", 0.5) == 0.5
    assert made.turn(b"/x", 2.0) == 0.0


@pytest.mark.parametrize("limit", [1, 2, 5, 30])
def test_no_window_ever_holds_more(limit):
    random, made, now, begun = Random(limit), shaper(b"name=a,%d;" % limit, waiting=10_000), 0.0, []
    for _ in range(2000):
        now += random.expovariate(2 * limit)
        try:
            begun.append(now + made.turn(b"/x", now))
        except Refused:
            continue
    assert begun == sorted(begun)
    assert all(later - first >= 1.0 - 1e-9 for first, later in zip(begun, begun[limit:], strict=False))
    assert len(begun) > 0.9 * limit * now * 0.5


def test_a_path_keeps_to_every_limit_it_falls_under():
    made = shaper(b"name=plan,5;name=auth,2;")
    made.learn(b"/y", answer(b"name=plan,5;"), 0.0)
    assert [made.turn(b"/x", 0.0) for _ in range(3)] == [0.0, 0.0, 1.0]
    assert [made.turn(b"/y", 0.0) for _ in range(3)] == [0.0, 0.0, 1.0]


def test_a_share_of_the_limit():
    made = shaper(b"name=a,5;", share=0.5)
    assert [made.turn(b"/x", 0.0) for _ in range(3)] == [0.0, 0.0, 1.0]
    assert shaper(b"name=a,1;", share=0.1).turn(b"/x", 0.0) == 0.0


def test_what_others_have_used_up_is_waited_for():
    made = shaper()
    made.learn(b"/x", answer(remaining=b"name=a,0;name=unknown,0;"), 10.0)
    assert made.turn(b"/x", 10.25) == 0.75


def test_too_long_a_wait_and_too_long_a_line_are_refused():
    made = shaper(longest_wait=1.5, waiting=3)
    assert [made.turn(b"/x", 0.0) for _ in range(8)] == [0.0] * 5 + [1.0] * 3
    for _ in range(20):
        with pytest.raises(Refused) as failed:
            made.turn(b"/x", 0.0)
        refused = failed.value
        assert (refused.code, refused.problem.status, refused.retry_after) == ("rate_limited_here", 429, 1)
    made.came()
    assert made.turn(b"/x", 0.0) == 1.0
    impatient = shaper(b"name=a,1;", longest_wait=0.5)
    assert impatient.turn(b"/x", 0.0) == 0.0
    with pytest.raises(Refused):
        impatient.turn(b"/x", 0.0)


@pytest.mark.parametrize("value", [
    b"", b"name=a", b"name=,5", b"name=a,x", b"\xff", b"name=a,99999999999;", b"a,5;" * 1000])
def test_what_does_not_parse_or_is_no_limit_holds_nobody(value):
    made = shaper(value)
    made.learn(b"/x", answer(remaining=value), 0.0)
    assert [made.turn(b"/x", 0.0) for _ in range(50)] == [0.0] * 50


def test_memory_is_bounded():
    made = shaper()
    for number in range(1000):
        made.learn(b"/p%d" % (number // 10), answer(b"name=n%d,5;" % number), 0.0)
        made.learn(b"/q%d" % (number // 10), answer(b"name=a,5;"), 0.0)
    assert (len(made._names), len(made._windows)) == (64, 16)


def test_a_limit_that_changes_is_taken_over():
    made = shaper()
    made.learn(b"/x", answer(b"name=a,2;"), 0.0)
    assert [made.turn(b"/x", 0.0) for _ in range(3)] == [0.0, 0.0, 1.0]


def test_paths_that_nobody_asks_for_again_make_room_for_others():
    made = shaper()
    for number in range(1000):
        made.learn(b"/odd%c%c" % (97 + number % 26, 97 + number // 26), answer(b"name=a,5;"), 0.0)
        made.learn(b"/x", answer(b"name=a,5;"), 0.0)
    made.learn(b"/new", answer(b"name=a,5;"), 0.0)
    assert [made.turn(b"/x", 0.0) for _ in range(3)] == [0.0] * 3
    assert [made.turn(b"/new", 0.0) for _ in range(3)] == [0.0, 0.0, 1.0]

"""An answer is held back only while it may be a refusal of the key, and within a bound."""

from __future__ import annotations

import gzip
import json
from types import SimpleNamespace

import pytest

from proxy.core.message import CHUNKED, UNTIL_CLOSE, Response
from proxy.serve.resigning import REFUSALS, Resigning
from proxy.serve.rulings import KNOWN_CODES, LIMIT


def refusal(code: str) -> bytes:
    return json.dumps({"error": {"failures": [{"code": code}]}}).encode()


class Slots:
    """Always has another key, and keeps what it is told."""

    def __init__(self) -> None:
        self.most = 2
        self.signing = SimpleNamespace(name="old")
        self.other = SimpleNamespace(name="new")
        self.told: list[tuple[str, object]] = []

    def alternative(self, ring, key, *, safe, now):
        return self.other

    def attempts(self, now):
        return self.most

    def accepted(self, ring, key):
        self.told.append(("accepted", ring.name))

    def helped(self, ring, key, now):
        self.told.append(("helped", ring.name))

    def useless(self, now):
        self.told.append(("useless", now))


def answer(status: int, *fields: tuple[bytes, bytes], length: int = CHUNKED) -> Response:
    return Response(status, b"HTTP/1.1 %d -" % status, [(name, name, value) for name, value in fields], minor=1,
                    length=length, options=frozenset(), close=False)


@pytest.fixture
def slots():
    return Slots()


@pytest.fixture
def call(slots):
    made = Resigning(slots, b"POST")
    assert made.ring() is slots.signing
    made.key = "old key"
    return made


def again(call) -> None:
    assert call.hold(answer(401), 1)
    assert call.keep(refusal("error.signature.invalid")) is None
    assert call.whole(1) is None
    assert call.ring().name == "new"
    call.key = "new key"


@pytest.mark.parametrize("code", sorted(KNOWN_CODES | {"error.other"}))
def test_three_codes_lead_to_a_second_signature(call, code):
    assert call.hold(answer(401), 1)
    assert call.keep(refusal(code)) is None
    held = call.whole(1)
    assert (held is None) == (code in REFUSALS)
    assert call.held is None


@pytest.mark.parametrize("response", [
    answer(400), answer(403), answer(500), answer(401, length=LIMIT + 1)], ids=["400", "403", "500", "too long"])
def test_other_answers_are_not_held(call, slots, response):
    assert not call.hold(response, 1)
    assert slots.told == []


def test_a_compressed_refusal_counts_too(call):
    assert call.hold(answer(401, (b"content-encoding", b"gzip")), 1)
    assert call.keep(gzip.compress(refusal("error.signature.invalid"))) is None
    assert call.whole(1) is None


def test_what_is_not_signed_has_nothing_to_try(slots):
    unsigned = Resigning(slots, b"GET")
    unsigned.ring()
    assert not unsigned.hold(answer(401), 1)
    assert not unsigned.hold(answer(200), 1)
    assert slots.told == []


@pytest.mark.parametrize("length", [CHUNKED, UNTIL_CLOSE])
def test_what_grows_beyond_the_bound_is_passed_on(call, length):
    assert call.hold(answer(401, length=length), 1)
    assert call.keep(b"x" * LIMIT) is None
    held = call.keep(b"y")
    assert held.body == b"x" * LIMIT + b"y"
    assert call.held is None
    assert call.first is None


def test_a_good_answer_speaks_for_the_key_that_signed(call, slots):
    assert not call.hold(answer(200), 1)
    again(call)
    assert not call.hold(answer(302), 1)
    assert slots.told == [("accepted", "old"), ("helped", "new")]


@pytest.mark.parametrize(("attempts", "rings"), [
    (2, ["old", "new"]), (3, ["old", "new", "new"]), (4, ["old", "new", "new", "old"]),
    (8, ["old", "new", "new", "old", "old", "new", "new", "old"])])
def test_both_keys_take_turns_of_two_until_the_attempts_are_used_up(call, slots, attempts, rings):
    slots.most = attempts
    used, first = [call.ring().name], None
    while True:
        assert call.hold(answer(401), 7)
        call.keep(refusal("error.signature.invalid") + b" " * len(used))
        found = call.whole(7)
        first = first or call.first
        if found is not None:
            break
        used.append(call.ring().name)
        assert slots.told == []
    assert used == rings
    assert found is first
    assert slots.told == [("useless", 7)]


def test_the_key_whose_turn_it_was_is_the_one_that_helped(call, slots):
    slots.most = 4
    for _ in range(3):
        call.hold(answer(401), 1)
        call.keep(refusal("error.signature.invalid"))
        assert call.whole(1) is None
    assert call.ring().name == "old"
    assert not call.hold(answer(200), 1)
    assert slots.told == [("helped", "old")]


@pytest.mark.parametrize("status", [404, 429, 503])
def test_an_error_speaks_for_no_key(call, slots, status):
    again(call)
    assert not call.hold(answer(status), 1)
    assert slots.told == []


def test_two_refusals_give_the_first(call, slots):
    again(call)
    first = call.first
    assert call.hold(answer(401), 2)
    assert call.keep(refusal("error.certificate.invalid")) is None
    assert call.whole(2) is first
    assert slots.told == [("useless", 2)]


def test_another_refusal_of_the_second_is_the_answer(call, slots):
    again(call)
    assert call.hold(answer(401), 2)
    call.keep(refusal("error.token.expired"))
    assert call.whole(2).body == refusal("error.token.expired")
    assert slots.told == []


def test_attempts_of_others_are_looked_at_when_the_refusal_is_whole(call, slots):
    assert call.hold(answer(401), 1)
    call.keep(refusal("error.signature.invalid"))
    slots.other = None
    assert call.whole(1) is not None
    assert call.first is None

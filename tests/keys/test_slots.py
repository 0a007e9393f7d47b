"""Which of two keys signs follows from the bank's answers and from dates, and never from one wrong request."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from proxy.errors import KeyUnusable, ProxyError
from proxy.keys.rotation import Rotation
from proxy.keys.slots import LONGEST_PAUSE, MENDS, SETTLING, STREAK, Slots

NOW = datetime(2027, 3, 1, 6, tzinfo=UTC)
DAY = timedelta(days=1)


class Ring:
    """A keyring with this key, as far as Slots looks at one."""

    def __init__(self, name: str, *, begins: datetime = NOW - DAY, ends: datetime = NOW + 90 * DAY,
                 fails: str = "", loaded: bool = True) -> None:
        self.name, self.proven, self.fails, self.last_error = name, "", fails, None
        facts = SimpleNamespace(not_before=begins, not_after=ends)
        self._identity = SimpleNamespace(key=SimpleNamespace(signer=SimpleNamespace(spki_sha256=name),
                                                             certificate=facts))
        self.current = self._identity if loaded else None

    def load(self, now: datetime) -> None:
        if self.fails:
            self.current = None
            raise KeyUnusable(self.fails)
        self.current = self._identity


class Case:
    """Two keys, "old" and "new", and a clock."""

    def __init__(self, retry: str = "all", *, at: str | None = None, old: Ring | None = None,
                 new: Ring | None = None) -> None:
        self.date = NOW
        self.old, self.new = old or Ring("old"), new or Ring("new")
        self.slots = Slots("shop", self.old, self.new, Rotation(retry=retry, at=at), clock=lambda: self.date)
        self.changes: list[str] = []
        self.slots.on_change = self.changes.append

    def proven(self) -> Case:
        self.slots.accepted(self.old, "old")
        return self

    def other(self, now: float, *, safe: bool = False, ring: Ring | None = None) -> Ring | None:
        ring = ring or self.slots.signing
        return self.slots.alternative(ring, ring.name, safe=safe, now=now)


@pytest.mark.parametrize(("retry", "safe", "found"), [
    ("all", False, True), ("all", True, True), ("safe", True, True), ("safe", False, False), ("off", True, False)])
def test_what_may_be_signed_again(retry, safe, found):
    case = Case(retry).proven()
    assert case.other(0, safe=safe) is (case.new if found else None)


def test_only_a_key_that_was_accepted_is_suddenly_refused():
    case = Case()
    assert case.other(0) is None
    case.slots.accepted(case.old, "another key in the same place")
    assert case.other(0) is None
    assert case.proven().other(0) is case.new


@pytest.mark.parametrize("new", [
    Ring("new", loaded=False), Ring("new", begins=NOW + DAY), Ring("new", ends=NOW - DAY), Ring("old")],
    ids=["not loaded", "not valid yet", "expired", "the same key"])
def test_the_other_key_must_be_usable(new):
    case = Case(new=new).proven()
    assert case.other(0) is None


def test_a_next_key_serves_from_its_first_day():
    case = Case(new=Ring("new", begins=NOW + DAY)).proven()
    case.date += DAY
    assert case.other(0) is case.new


def test_the_first_help_changes_the_keys_once_for_everybody():
    case = Case().proven()
    for _ in range(3):
        case.slots.helped(case.new, "new", 5)
    assert (case.slots.signing, case.slots.spare, case.changes) == (case.new, case.old, ["evidence"])
    assert case.other(5, ring=case.old) is case.new         # what was on its way with the old key
    assert case.other(5) is case.old                        # and the other direction


def test_while_the_bank_settles_only_a_streak_counts():
    case = Case().proven()
    case.slots.helped(case.new, "new", 0)
    for turn in range(3 * STREAK):
        case.slots.helped(case.old, "old", turn)
        if turn % (STREAK - 1) == 0:
            case.slots.accepted(case.new, "new")            # other machines of the bank take it
    assert case.slots.signing is case.new
    for turn in range(STREAK):
        assert case.slots.signing is case.new
        case.slots.helped(case.old, "old", SETTLING - 1 + turn / STREAK)
        if turn == 0:
            case.slots.accepted(case.new, "new")
            case.slots.helped(case.old, "old", SETTLING - 1)
    assert case.slots.signing is case.old
    case.slots.helped(case.new, "new", 2 * SETTLING + 1)
    assert case.slots.signing is case.new
    assert case.changes == ["evidence"] * 3


def test_attempts_that_do_not_help_grow_rare_and_are_forgotten():
    case = Case().proven()
    now, pauses = 0.0, []
    for _ in range(9):
        assert case.other(now) is case.new
        case.slots.useless(now)
        case.slots.useless(now)                             # another request that was under way
        length = next(n for n in (1, 2, 4, 8, 16, 32, LONGEST_PAUSE) if case.other(now + n) is not None)
        assert case.other(now + length - 0.5) is None
        pauses.append(length)
        now += length
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    now += 601
    case.slots.useless(now)
    assert case.other(now + 1) is case.new
    case.slots.useless(now + 1)
    assert case.other(now + 2) is None
    case.slots.helped(case.new, "new", now + 2)
    assert case.other(now + 2) is case.old
    assert case.slots.signing is case.new


def test_bad_luck_while_the_bank_differs_is_no_reason_to_pause():
    case = Case().proven()
    case.slots.helped(case.new, "new", 0)
    case.slots.useless(MENDS - 0.1)
    assert case.other(MENDS - 0.1) is case.old
    case.slots.helped(case.new, "new", 1)                   # signing itself again
    case.slots.useless(1 + MENDS)
    assert case.other(1 + MENDS) is None


@pytest.mark.parametrize(("configured", "unsure", "sure"), [(2, 2, 2), (4, 4, 4), (16, 4, 16)])
def test_how_often_a_request_is_signed(configured, unsure, sure):
    slots = Slots("shop", Ring("old"), new := Ring("new"), Rotation(retry="all", attempts=configured))
    assert slots.attempts(0) == unsure
    slots.helped(new, "new", 1)
    assert [slots.attempts(at) for at in (1, MENDS, 1 + MENDS)] == [sure, sure, unsure]


def test_the_key_in_service_ends_a_streak_when_its_turn_helps():
    case = Case().proven()
    case.slots.helped(case.new, "new", 0)
    for turn in range(2 * STREAK):
        case.slots.helped(case.old, "old", turn)
        if turn % (STREAK - 1) == 0:
            case.slots.helped(case.new, "new", turn)
    assert case.changes == ["evidence"]


def test_at_its_date_next_takes_over_once():
    case = Case(at="2027-03-01T08:00:01+02:00")
    case.slots.look(0)
    assert case.changes == []
    case.date += timedelta(seconds=1)
    case.slots.look(1)
    case.slots.look(2)
    assert (case.slots.signing, case.changes) == (case.new, ["date"])
    assert case.slots.last_change is not None
    assert case.slots.last_change.slot == "next"


def test_a_date_waits_for_a_usable_key_and_gives_way_to_evidence():
    late = Case(at="2027-03-01T06:00:00Z", new=Ring("new", loaded=False))
    late.slots.look(0)
    assert late.changes == []
    late.new.load(NOW)
    late.slots.look(1)
    assert late.changes == ["date"]
    early = Case(at="2027-03-02T06:00:00Z").proven()
    early.slots.helped(early.new, "new", 0)
    early.slots.helped(early.old, "old", SETTLING)
    early.slots.helped(early.new, "new", 2 * SETTLING)
    early.date += 2 * DAY
    early.slots.look(0)
    assert early.changes == ["evidence"] * 3


def test_a_date_before_the_certificate_was_meant_for_another_one(caplog):
    case = Case(at="2026-03-01T06:00:00Z")
    case.slots.look(0)
    case.slots.look(1)
    assert case.changes == []
    assert len(caplog.records) == 1
    assert "is ignored" in caplog.text


def test_after_a_date_or_a_command_the_former_key_is_the_one_that_worked():
    """The bank may be late: what it refuses with the new key is signed again with the old one."""
    late = Case(at="2027-03-01T06:00:00Z").proven()
    late.slots.look(0)
    asked = Case().proven()
    assert asked.slots.rotate("next", 0) is True
    never = Case(at="2027-03-01T06:00:00Z")
    never.slots.look(0)
    assert [case.slots.signing for case in (late, asked, never)] == [late.new, asked.new, never.new]
    assert [case.other(1) for case in (late, asked, never)] == [late.old, asked.old, None]


def test_only_the_banks_answers_say_that_it_holds_the_old_certificate_again(caplog):
    asked = Case().proven()
    asked.slots.rotate("next", 0)
    asked.slots.rotate("current", 1)
    assert "keep both keys" in caplog.messages[-1]
    assert "the bank holds" not in caplog.messages[-1]
    told = Case().proven()
    told.slots.helped(told.new, "new", 0)
    told.slots.helped(told.old, "old", SETTLING)
    assert "the bank holds the old certificate again" in caplog.messages[-1]


def test_a_command_is_followed_once_and_forgets_pauses():
    case = Case().proven()
    case.slots.useless(0)
    assert case.other(0.5) is None
    assert case.slots.rotate(None, 0.5) is True
    assert case.other(0.5) is case.old
    assert [case.slots.rotate(to, 1) for to in ("next", "current", None, "next")] == [False, True, True, False]
    assert (case.slots.signing, case.changes) == (case.new, ["command"] * 3)


@pytest.mark.parametrize(("new", "code", "clause"), [
    (None, "rotation_no_next", ""), (Ring("new", loaded=False), "rotation_unusable", "'next': it is not loaded"),
    (Ring("new", ends=NOW - DAY), "rotation_unusable", "'next': its certificate has expired on 2027-02-28"),
    (Ring("new", begins=NOW + DAY), "rotation_unusable", "valid from 2027-03-02T06:00+00:00")])
def test_a_command_that_cannot_be_followed_changes_nothing(new, code, clause):
    slots = Slots("shop", Ring("old"), new, clock=lambda: NOW)
    before = slots.signing
    with pytest.raises(ProxyError) as caught:
        slots.rotate(None, 0)
    assert (caught.value.code, caught.value.problem.status, caught.value.problem.hint != "") == (code, 409, True)
    assert clause in caught.value.detail
    assert slots.signing is before


def test_at_the_end_of_its_certificate_the_next_key_takes_over():
    case = Case(old=Ring("old", ends=NOW + DAY))
    case.slots.look(0)
    assert case.changes == []
    case.date += DAY + timedelta(seconds=1)
    case.slots.look(1)
    case.slots.look(2)
    assert (case.slots.signing, case.changes) == (case.new, ["expiry"])


def test_an_expired_key_is_no_reason_not_to_start(caplog):
    case = Case(old=Ring("old", fails="certificate_expired"))
    case.slots.load(NOW)
    assert (case.slots.signing, case.changes) == (case.new, ["expiry"])
    for old, new in (("certificate_expired", "key_format"), ("key_format", "")):
        case = Case(old=Ring("old", fails=old), new=Ring("new", fails=new))
        with pytest.raises(KeyUnusable) as caught:
            case.slots.load(NOW)
        assert caught.value.code == old
    assert "none" in caplog.text


def test_a_next_key_that_fails_is_a_warning(caplog):
    caplog.set_level(logging.WARNING)
    case = Case(new=Ring("new", fails="key_format"))
    case.slots.load(NOW)
    assert case.slots.signing is case.old
    assert "application shop: the next key cannot be used" in caplog.text


def test_the_places_keep_their_names():
    case = Case().proven()
    assert case.slots.rings() == (case.old, case.new)
    case.slots.helped(case.new, "new", 0)
    assert case.slots.rings() == (case.old, case.new)
    assert [case.slots.slot(ring) for ring in (case.old, case.new)] == ["current", "next"]
    alone = Slots("till", case.old)
    alone.look(0)
    assert alone.rings() == (case.old,)
    assert alone.alternative(case.old, "old", safe=True, now=0) is None

"""Facts in, causes out: the likeliest first, each with what speaks for it."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.diagnosis import (
    CAUSES,
    Answer,
    Application,
    Case,
    History,
    Key,
    Message,
    Moment,
    diagnose,
)
from proxy.core.diagnosis.causes import SIDES
from proxy.core.diagnosis.evidence import ODDITIES
from proxy.core.diagnosis.kinds import KIND_OF, kind_of
from proxy.core.diagnosis.verdict import _RULES

OLD, NEW = "0a" * 32, "1b" * 32
SIGNATURE = Answer(status=401, code="error.signature.invalid")


def at(text: str) -> Moment:
    hours, minutes = map(int, text.split(":"))
    return Moment(hours * 3600.0 + minutes * 60.0, f"{text} UTC")


def causes(case: Case) -> list[tuple[str, str]]:
    diagnosis = diagnose(case)
    assert diagnosis is not None
    return [(found.cause, found.certainty) for found in diagnosis.candidates]


def text(case: Case) -> str:
    diagnosis = diagnose(case)
    assert diagnosis is not None
    return diagnosis.evidence


def test_every_call_fails_since_the_key_was_replaced():
    """The sentence of the issue: since 10:14, and the certificate was replaced at 10:13."""
    case = Case(answer=SIGNATURE, message=Message(checked=True),
                key=Key(fingerprint=NEW, former=OLD, replaced=at("10:13")),
                history=History(known=True, now=at("10:20").seconds, since=at("10:14"), refusals=12, calls=3,
                                accepted=at("10:12"), accepted_key=OLD))
    assert causes(case) == [("key_replaced_here", "certain")]
    assert text(case) == (
        "The key that signs was replaced at 10:13 UTC: 1b1b1b1b1b1b1b1b… instead of 0a0a0a0a0a0a0a0a…; none of its "
        "calls has been accepted. The bank accepted calls with the former key until 10:12 UTC. Our own verification of "
        "the outgoing message passes. Every call (12 of 3 kinds) has been refused so since 10:14 UTC; the last "
        "accepted one was at 10:12 UTC.")


def test_one_call_fails():
    history = History(known=True, now=at("10:20").seconds, since=at("10:20"), accepted=at("10:19"), accepted_key=OLD,
                      accepted_content=at("10:19"))
    case = Case(answer=SIGNATURE, message=Message(checked=True, encoded=True), key=Key(fingerprint=OLD),
                history=history)
    assert causes(case) == [("changed_on_the_way", "likely"), ("bank_certificate_replaced", "possible")]
    assert text(case).endswith("Only this call has been refused so, so far; the last accepted one was at 10:19 UTC.")


@pytest.mark.parametrize(("code", "first"), [
    ("error.signature.invalid", "bank_holds_another_certificate"),
    ("error.security.invalid", "bank_holds_another_certificate"),
    ("SIGNATURE_INVALID", "bank_holds_another_certificate"),
    ("error.certificate.invalid", "certificate_armoured"), ("CERTIFICATE_REVOKED", "certificate_revoked")])
def test_our_own_verification_passes_so_the_bank_holds_another_certificate(code, first):
    case = Case(answer=Answer(status=401, code=code), message=Message(checked=True), key=Key(fingerprint=OLD),
                history=History(known=True))
    assert causes(case)[0][0] == first
    assert "bank_holds_another_certificate" in dict(causes(case)) or first == "certificate_revoked"
    if first == "bank_holds_another_certificate":
        assert text(case).startswith("Our own verification of the outgoing message passes.")


def test_an_unchecked_message_proves_nothing():
    case = Case(answer=SIGNATURE, key=Key(fingerprint=OLD))
    assert causes(case)[0] == ("bank_holds_another_certificate", "possible")


@pytest.mark.parametrize(("ahead", "cause", "words"), [
    (41.2, "clock_ahead", "41 s ahead of"), (-301.0, "clock_behind", "301 s behind"), (1.4, "date_refused", "agrees"),
    (None, "date_refused", "no Date")])
def test_clocks(ahead, cause, words):
    case = Case(answer=Answer(status=401, code="error.date.invalid", ahead=ahead))
    assert causes(case)[0][0] == cause
    assert words in text(case)


def test_a_trailing_space_is_no_cause_where_the_same_secret_worked():
    refused = Answer(status=401, code="gateway.credentials")
    mine = Application(name="shop", trimmed=("client secret",))
    assert causes(Case(answer=refused, application=mine))[0] == ("client_secret_whitespace", "likely")
    worked = History(known=True, accepted=at("10:00"), accepted_key=OLD)
    assert causes(Case(answer=refused, application=mine, history=worked)) == [
        ("client_secret_reset", "likely"), ("client_secret_whitespace", "possible")]


def test_the_bank_is_settling_after_a_change():
    key = Key(fingerprint=NEW, former=OLD, replaced=at("10:13"))
    history = History(known=True, now=at("10:15").seconds, since=at("10:15"), accepted=at("10:14"), accepted_key=NEW)
    case = Case(answer=SIGNATURE, message=Message(checked=True), key=key, history=history)
    assert causes(case)[0] == ("bank_settling", "likely")
    later = msgspec.structs.replace(case, history=msgspec.structs.replace(history, now=at("10:40").seconds, refusals=2))
    assert causes(later)[0] == ("bank_certificate_replaced", "likely")


@pytest.mark.parametrize(("left", "first"), [
    ((("burst-limit-1", 0), ("rate-limit-1", 9)), "burst_limit"), ((("rate-limit-1", 0),), "rate_limit"),
    ((("burst-limit-1", 3),), "burst_limit"), ((), "burst_limit")])
def test_limits(left, first):
    assert causes(Case(answer=Answer(status=429, left=left)))[0][0] == first


@pytest.mark.parametrize(("message", "code", "first"), [
    (Message(authorization="missing"), "error.token.invalid", "token_missing"),
    (Message(authorization="other"), "error.token.missing", "token_not_bearer"),
    (Message(authorization="bearer", expired=30.0), "error.token.invalid", "token_expired"),
    (Message(authorization="bearer", expired=-30.0), "error.token.invalid", "token_invalid"),
    (Message(authorization="bearer"), "TOKEN_EXPIRED", "token_expired"),
    (Message(authorization="bearer"), "error.token.revoked", "token_invalid")])
def test_tokens(message, code, first):
    assert causes(Case(answer=Answer(status=401, code=code), message=message))[0][0] == first


def test_a_quoted_content_type_proves_the_change():
    sent = Message(checked=True, echoed=("content-type",), content_type="application/json", covers_content=True)
    assert causes(Case(answer=SIGNATURE, message=sent))[0] == ("content_type_changed", "certain")


def test_a_refusal_without_a_reason_still_names_what_is_certainly_wrong():
    key = Key(fingerprint=OLD, expired=True, ends="2026-11-01")
    case = Case(answer=Answer(status=401, unread="it is compressed"), key=key)
    assert causes(case) == [("certificate_expired", "certain"), ("unrecognised", "possible")]


@pytest.mark.parametrize(("status", "code"), [
    (400, ""), (404, "error.resource.notfound"), (409, ""), (422, "FORMAT_ERROR"), (400, "gateway.other")])
def test_what_is_no_question_of_ours(status, code):
    assert diagnose(Case(answer=Answer(status=status, code=code))) is None


def test_there_is_a_rule_for_every_kind():
    assert set(KIND_OF.values()) | {"failure", "unknown"} == set(_RULES)
    assert kind_of("error.token.whatever", 401) == "token"
    assert kind_of("", 502) == "failure"


# --- whatever the facts are

moments = st.none() | st.builds(Moment, st.floats(0, 1e6), st.just("10:00 UTC"))
fingerprints = st.sampled_from(["", OLD, NEW])
words = st.sampled_from(["", "x"])
cases = st.builds(
    Case,
    answer=st.builds(Answer, status=st.integers(400, 599), code=st.sampled_from(["", "odd", *KIND_OF]), text=words,
                     left=st.just((("burst", 0),)) | st.just(()), retry_after=words,
                     ahead=st.none() | st.floats(-100, 100), unread=words),
    message=st.builds(
        Message, authorizes=st.booleans(), encoded=st.booleans(), checked=st.booleans(), wrong=words,
        blamed=st.just(()) | st.just((("coverage_wrong", "So."),)),
        host=st.sampled_from(["", "open.nordea.com", "other"]), bank_host=st.sampled_from(["", "open.nordea.com"]),
        key_id_differs=st.booleans(), content_type=words,
        covers_content=st.booleans(), skipped=st.booleans(), missing=st.just(()) | st.just(("scope",)),
        form=st.sampled_from(["", "raw", "not_normalised", "decoded"]),
        authorization=st.sampled_from(["", "missing", "other", "bearer"]), expired=st.none() | st.floats(-1e6, 1e6),
        echoed=st.just(()) | st.just(("digest",))),
    key=st.builds(
        Key, fingerprint=fingerprints, expected=fingerprints,
        roles=st.none() | st.just(()) | st.just(("PSP_IC",)) | st.just(("PSP_IC", "PSP_AI")), expired=st.booleans(),
        early=st.booleans(), ends=words, former=fingerprints, replaced=moments, certificate_replaced=moments,
        load_error=words, load_failed=moments, other=fingerprints, other_refused=st.booleans()),
    application=st.builds(Application, trimmed=st.just(()) | st.just(("client id", "client secret")),
                          oddities=st.lists(st.sampled_from([*ODDITIES]), unique=True).map(tuple), replaced=moments),
    history=st.builds(History, known=st.booleans(), now=st.floats(0, 1e6), since=moments,
                      refusals=st.integers(1, 9), calls=st.integers(1, 8), bodiless=st.integers(0, 3),
                      accepted=moments, accepted_key=fingerprints, accepted_content=moments, elsewhere=moments))


@given(cases)
def test_no_case_is_too_strange(case):
    diagnosis = diagnose(case)
    if diagnosis is None:
        return
    found = [candidate.cause for candidate in diagnosis.candidates]
    assert found
    assert len(found) == len(set(found))
    assert set(found) <= set(CAUSES)
    order = [("certain", "likely", "possible").index(candidate.certainty) for candidate in diagnosis.candidates]
    assert order == sorted(order)
    for sentence in diagnosis.evidence, *(part for one in diagnosis.candidates for part in one.evidence):
        assert "None" not in sentence
    assert msgspec.json.decode(msgspec.json.encode(case), type=Case) == case


@pytest.mark.parametrize("cause", CAUSES.values(), ids=CAUSES)
def test_a_row_is_well_formed(cause):
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", cause.id)
    assert cause.side in SIDES
    assert cause.answers
    assert cause.title.endswith(".")
    assert cause.advice.endswith(".")
    assert "|" not in cause.title + cause.advice + cause.tells
    assert (cause.title + cause.advice).isascii()

"""The table of causes is complete, and what is found is shown; test_pasted_forms.py goes through all of them."""

from __future__ import annotations

import re

import pytest

from proxy.cli.verification import KnownKey, explain, judge, parse
from proxy.cli.verification.causes import CAUSES
from proxy.cli.verification.search import MOST
from tests.cli.sealed_by_hand import BODY, Sealer, sha256
from tests.cli.spoiled import ELSEWHERE, MISTAKES, STRINGS, attributes, change, spoiled


def explained(key, *spoils):
    """The verdict of a request with these mistakes; key: what the bank verifies with."""
    verdict = explain(parse(spoiled(key, *spoils).message()), [KnownKey("the key", key.public_key())])
    assert verdict.attempts <= MOST
    return verdict


def test_every_cause_has_a_case():
    assert set(MISTAKES) | ELSEWHERE == set(CAUSES)


def test_every_cause_says_what_and_what_to_do_in_a_sentence_each():
    for title, advice in CAUSES.values():
        for sentence in (title, advice):
            assert re.fullmatch(r"[A-Z'].*\.", sentence), sentence


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_a_request_without_mistake_is_valid(private_key, method):
    sealer = Sealer(private_key, method, body=BODY if method in ("POST", "PUT") else b"")
    verdict = judge(parse(sealer.message()), private_key.public_key())
    assert (verdict.findings, verdict.signing_string) == ((), sealer.signing_string())
    thorough = explain(parse(sealer.message()), [KnownKey("the key", private_key.public_key())])
    assert (thorough.findings, thorough.right, thorough.signed) == ((), sealer.signing_string(),
                                                                   sealer.signing_string())


@pytest.mark.parametrize("cause", STRINGS)
def test_what_was_signed_is_shown(private_key, cause):
    mistake = STRINGS[cause][0]
    sealer = spoiled(private_key, mistake)
    verdict = explained(private_key, mistake)
    assert verdict.signed == sealer.change(sealer.signing_string())
    assert [finding.cause for finding in verdict.findings] == [cause]


def test_the_search_ends(private_key):
    verdict = explained(private_key, change(lambda text: "nothing like it"))
    assert 10_000 < verdict.attempts <= MOST
    assert verdict.signed is None
    assert re.fullmatch("[0-9a-f]{64}", verdict.hash)


def test_a_very_long_target_is_tried_less_often(private_key):
    long = attributes(target="/a" * 30_000)
    assert 1000 < explained(private_key, long, change(lambda text: "nothing like it")).attempts < 3000


def test_the_first_line_that_differs_is_shown_with_its_line_end(private_key):
    sealer = Sealer(private_key)
    sealer.change = lambda text: text.replace("post ", "POST ")
    (finding,) = judge(parse(sealer.message()), private_key.public_key()).findings
    assert finding.signed == "(request-target): POST /personal/v4/payments/domestic?a=b%2Fc\\n"
    assert finding.expected == "(request-target): post /personal/v4/payments/domestic?a=b%2Fc\\n"


@pytest.mark.parametrize("body", [b"[" * 500 + b"]" * 500, b"[" * 100_000, b"9" * 10_000, b'{"a": NaN}', b'"\\ud800"',
                                  b"[" + b"[" * 60 + b"]" * 60 + b",[]" * 5_000 + b"]"],
                         ids=["deep", "deeper", "long number", "no number", "half a character", "wide"])
def test_json_that_nobody_writes_does_not_stop_the_search(private_key, body):
    sealer = Sealer(private_key, body=body)
    sealer.fields["Digest"] = "SHA-256=" + sha256(b"other")
    sealer.change = lambda text: text + "\n"
    findings = judge(parse(sealer.message()), private_key.public_key()).findings
    assert [finding.cause for finding in findings] == ["digest_other_bytes", "trailing_newline"]


@pytest.mark.parametrize("body", [b"b=2&a=%20x", b"a=1&b=2"])
def test_both_digests_of_a_form_are_right(private_key, body):
    for data in (body, b"a= x&b=2" if b"%20" in body else body):
        sealer = Sealer(private_key, body=body)
        sealer.fields |= {"Content-Type": "application/x-www-form-urlencoded", "Digest": "SHA-256=" + sha256(data)}
        assert judge(parse(sealer.message()), private_key.public_key()).valid

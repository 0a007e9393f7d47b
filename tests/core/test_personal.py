"""What a bank's support may read: names of values and what is harmless, nobody's accounts and names."""

from __future__ import annotations

import json

import pytest

from proxy.core.personal import impersonal_fields, impersonal_form, impersonal_json, impersonal_target, impersonal_text


def test_json_keeps_its_names_and_what_the_bank_itself_said():
    body = {"group_header": {"message_identification": "9e49", "creation_date_time": "2026-11-21T15:38:04.86448Z",
                             "http_code": 401},
            "error": {"request": {"url": "/personal/v5/authorize"},
                      "failures": [{"code": "error.signature.invalid", "description": "Signature is invalid."}]}}
    assert json.loads(impersonal_json(json.dumps(body).encode())) == body


def test_json_loses_whatever_may_name_a_person():
    body = {"creditor": {"name": "Maija Meikäläinen", "account": {"value": "FI21 1234 5600 0007 85",
                                                                      "currency": "EUR"}},
            "amount": "12.50", "reference": 123, "names": ["Maija", "Matti"], "urgent": True, "none": None}
    shown = json.loads(impersonal_json(json.dumps(body, ensure_ascii=False).encode()))
    assert shown == {"creditor": {"name": "<text of 19>", "account": {"value": "<IBAN>", "currency": "EUR"}},
                     "amount": "<number>", "reference": "<number>", "names": ["<text of 5>", "<text of 5>"],
                     "urgent": True, "none": None}


def test_account_numbers_in_what_stays_are_masked():
    body = b'{"description":"No account DE89370400440532013000 of a@b.fi, call 040 123 4567"}'
    assert impersonal_json(body) == b'{"description":"No account <IBAN> of <address>, call <number>"}'


@pytest.mark.parametrize(("target", "wanted"), [
    (b"/personal/v5/accounts/FI6593857450293470-EUR/transactions?continuation_key=abc&scope=x",
     b"/personal/v5/accounts/*/transactions?continuation_key=*&scope=x"),
    (b"/corporate/v2/authorize", b"/corporate/v2/authorize"),
    (b"/a/matti%40example.fi", b"/a/*"),
    (b"/a?", b"/a?"),
])
def test_targets(target, wanted):
    assert impersonal_target(target) == wanted


def test_forms():
    assert impersonal_form(b"grant_type=refresh_token&name=Maija&scope=A+B") == (
        b"grant_type=refresh_token&name=*&scope=A+B")


def test_headers_stay_that_the_signature_is_about():
    fields = ((b"digest", b"Digest", b"SHA-256=abc"), (b"x-nordea-originating-user-ip", b"X-Nordea-Originating-User-Ip",
              b"203.0.113.7"), (b"x-ibm-client-secret", b"X-IBM-Client-Secret", b"*** (#123456)"))
    assert impersonal_fields(fields) == [
        (b"Digest", b"SHA-256=abc"), (b"X-Nordea-Originating-User-Ip", b"<masked>"),
        (b"X-IBM-Client-Secret", b"*** (#123456)")]


@pytest.mark.parametrize("text", [b"error.signature.invalid", b"HTTP 401, v5", b"2026-11-21T15:38:04.864482000Z",
                                  b"9e49454782ab4e6306e73a51a01d0fce"])
def test_running_text_stays(text):
    assert impersonal_text(text) == text


def test_long_rows_of_digits_are_numbers():
    """A pattern with two ways to read a digit never ends with 80 of them."""
    assert impersonal_text(b"no. " + b"1" * 80 + b", 040 " + b"1 2" * 40 + b"3x") == b"no. <number>, <number> 23x"
    assert impersonal_text(b"1" * 100_000 + b"x") == b"1" * 100_000 + b"x"

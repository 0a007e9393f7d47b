"""Which parts of a request are sealed, what the proxy adds, and what it refuses to seal."""

from __future__ import annotations

import pytest

from proxy.core.profiles import NORDEA, NORDEA_SANDBOX
from proxy.core.signing import SigningRules, prepare
from proxy.errors import Refused
from tests.core.sealing import BARE, DATE, FULL, ME, parameters, parse, plan, request, sign, verify

JSON = (b"Content-Type", b"application/json; charset=utf-8")

# method, body, caller's Content-Type, empty_body -> covered, Content-Type sent, Content-Length, note
COVERAGE = [
    (method, body, content_type, empty_body, *expected)
    for methods, body, content_type, empty_bodies, expected in [
        ((b"GET", b"HEAD", b"OPTIONS", b"DELETE"), b"", None, ("digest", "omit"), (BARE, None, None, ())),
        ((b"GET", b"HEAD", b"OPTIONS", b"DELETE"), b"", JSON, ("digest", "omit"), (BARE, JSON[1], None, ())),
        ((b"DELETE", b"OPTIONS"), b"{}", JSON, ("digest", "omit"), (FULL, JSON[1], b"2", ())),
        ((b"DELETE", b"OPTIONS"), b"{}", None, ("digest", "omit"),
         (FULL, b"application/json", b"2", ("content_type_added",))),
        ((b"POST", b"PUT", b"PATCH"), b"{}", JSON, ("digest", "omit"), (FULL, JSON[1], b"2", ())),
        ((b"POST", b"PUT", b"PATCH"), b"{}", None, ("digest", "omit"),
         (FULL, b"application/json", b"2", ("content_type_added",))),
        ((b"POST", b"PUT", b"PATCH"), b"", JSON, ("digest",), (FULL, JSON[1], b"0", ())),
        ((b"POST", b"PUT", b"PATCH"), b"", None, ("digest",),
         (FULL, b"application/json", b"0", ("content_type_added",))),
        ((b"POST", b"PUT", b"PATCH"), b"", JSON, ("omit",), (BARE, JSON[1], b"0", ())),
        ((b"POST", b"PUT", b"PATCH"), b"", None, ("omit",), (BARE, None, b"0", ())),
    ] for method in methods for empty_body in empty_bodies]


@pytest.mark.parametrize(("method", "body", "content_type", "empty_body", "covered", "sent_type", "length", "notes"),
                         COVERAGE)
def test_coverage(method, body, content_type, empty_body, covered, sent_type, length, notes, key):
    made = plan(request(method, b"/p", *([content_type] if content_type else []), body=body),
                SigningRules(NORDEA, empty_body=empty_body))
    wire = parse(made.complete(sign(key, made.signature_base)))
    assert verify(wire, key.public_key()) == covered
    assert wire.all(b"content-type") == ([sent_type] if sent_type else [])
    assert wire.all(b"content-length") == ([length] if length else [])
    assert (wire.method, wire.body, made.draft.notes) == (method, body, notes)


def refusal(asked, rules=None) -> str:
    with pytest.raises(Refused) as refused:
        prepare(asked, rules or SigningRules(NORDEA))
    return refused.value.code


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_a_body_that_cannot_be_sealed_is_refused(method):
    assert refusal(request(method, body=b"x")) == "body_not_allowed"


@pytest.mark.parametrize("method", [b"GET", b"POST", b"DELETE"])
@pytest.mark.parametrize("fields", [[JSON, JSON], [JSON, (b"content-TYPE", b"text/plain")], [(b"Content-Type", b"")]])
def test_one_content_type_or_none(method, fields):
    assert refusal(request(method, b"/p", *fields)) == "content_type_invalid"


@pytest.mark.parametrize("target", [b"//a", b"/a/../b", b"/a#b", b"*", b"/%zz"])
def test_a_target_that_cannot_be_sealed_is_refused(target):
    assert refusal(request(b"GET", target)) == "bad_target"


def test_a_protected_header_in_connection_is_refused():
    assert refusal(request(b"GET", options=frozenset((b"digest",)))) == "protected_header_in_connection"


def test_headers_of_the_proxy_come_first_and_the_callers_follow_in_order():
    made = plan(request(b"POST", b"/p", (b"Accept", b"a"), (b"Signature", b"forged"), (b"X", b"1"),
                        (b"Digest", b"forged"), JSON,
                        (b"x", b"2"), (b"X_IBM_Client_Id", b"forged"), body=b"{}"))
    names = [name for name, _ in parse(made.complete(b"s")).fields]
    assert names == [b"Host", b"X-IBM-Client-Id", b"X-IBM-Client-Secret", b"X-Nordea-Originating-Host",
                     b"X-Nordea-Originating-Date", b"Digest", b"Signature", b"Accept", b"X", b"Content-Type", b"x",
                     b"Content-Length"]


def test_credentials_host_and_date():
    wire = parse(plan(request(b"GET"),
                      SigningRules(NORDEA, host="Bank.Example", authority="bank.example:8443")).complete(b"s"))
    assert wire.one(b"Host") == b"bank.example:8443"
    assert wire.one(b"X-Nordea-Originating-Host") == b"bank.example"
    assert wire.one(b"X-Nordea-Originating-Date") == DATE
    assert (wire.one(b"X-IBM-Client-Id"), wire.one(b"X-IBM-Client-Secret")) == (ME.client_id, ME.client_secret.reveal())


@pytest.mark.parametrize(("base", "target", "sent"), [
    ("", b"/a", b"/a"), ("/eidas/1.0", b"/a?b", b"/eidas/1.0/a?b"), ("/eidas/1.0/", b"/a?", b"/eidas/1.0/a"),
    ("/", b"/", b"/")])
def test_the_whole_external_path_is_sealed(base, target, sent, key):
    made = plan(request(b"GET", target), SigningRules(NORDEA, base=base))
    wire = parse(made.complete(sign(key, made.signature_base)))
    assert wire.target == sent
    assert made.signature_base.split(b"\n")[0] == b"(request-target): get " + sent
    verify(wire, key.public_key())


@pytest.mark.parametrize(("template", "key_id"), [
    (None, ME.client_id), ("{client_id}", ME.client_id), ("clientId", b"clientId"),
    ("SN={client_id},X", b"SN=" + ME.client_id + b",X")])
def test_key_id(template, key_id):
    header = parse(plan(request(b"GET"), SigningRules(NORDEA, key_id=template)).complete(b"s")).one(b"Signature")
    assert header.startswith(b'keyId="' + key_id + b'",algorithm="rsa-sha256",headers="')


@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_the_sandbox_may_be_told_to_skip(method):
    made = plan(request(method, body=b""), SigningRules(NORDEA_SANDBOX, skip=True))
    wire = parse(made.complete(b"ignored"))
    assert wire.one(b"Signature") == b"SKIP_SIGNATURE_VALIDATION_FOR_SANDBOX"
    assert wire.one(b"X-IBM-Client-Id") == ME.client_id
    assert len(wire.all(b"Digest")) == (method == b"POST")


@pytest.mark.parametrize(("body", "form", "sent", "hashed", "notes"), [
    (b"b=2&a=1", "canonical", b"a=1&b=2", None, ("form_sorted",)),
    (b"a=1&b=2", "canonical", b"a=1&b=2", None, ()),
    (b"b=x+y&a=1", "canonical", b"b=x+y&a=1", b"a=1&b=x y", ("form_digest_over_decoded",)),
    (b"b=%&a=1", "canonical", b"b=%&a=1", None, ("form_not_canonical",)),
    (b"b=2&a=1", "raw", b"b=2&a=1", None, ()),
    (b"", "canonical", b"", None, ()),
])
def test_forms(body, form, sent, hashed, notes, key):
    made = plan(request(b"POST", b"/token", (b"Content-Type", b"application/x-www-form-urlencoded"), body=body),
                SigningRules(NORDEA, form=form))
    wire = parse(made.complete(sign(key, made.signature_base)))
    assert (wire.body, made.draft.notes) == (sent, notes)
    verify(wire, key.public_key(), form_digest_of=hashed)


def test_a_body_that_only_looks_like_a_form_stays():
    assert parse(plan(request(b"POST", b"/p", JSON, body=b"b=2&a=1")).complete(b"s")).body == b"b=2&a=1"


def test_a_default_content_type_of_the_route_is_sealed_too():
    rules = SigningRules(NORDEA, default_content_type="application/x-www-form-urlencoded")
    wire = parse(plan(request(b"POST", body=b"b=2&a=1"), rules).complete(b"s"))
    assert (wire.one(b"Content-Type"), wire.body) == (b"application/x-www-form-urlencoded", b"a=1&b=2")


def test_a_retry_takes_a_new_date_and_nothing_else():
    draft = prepare(request(b"POST", b"/p", JSON, body=b"{}"), SigningRules(NORDEA))
    first, second = draft.plan(ME, DATE), draft.plan(ME, b"Tue, 15 Aug 2023 06:25:45 GMT")
    assert first.complete(b"s").replace(DATE, b"Tue, 15 Aug 2023 06:25:45 GMT") == second.complete(b"s")
    assert first.signature_base != second.signature_base


def test_the_signature_header_has_no_line_break_whatever_the_signature():
    header = parse(plan(request(b"GET")).complete(bytes(range(256)) * 2)).one(b"Signature")
    assert set(parameters(header)) == {b"keyId", b"algorithm", b"headers", b"signature"}
    assert not set(header) & set(b"\r\n\\ ") - {0x20}

"""Each cause in the table is found in a request that has just this mistake, and is told apart from the others."""

from __future__ import annotations

import base64
import hashlib
import json
import re

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from proxy.cli.verification import judge, parse
from proxy.cli.verification.findings import CAUSES
from tests.cli.sealed_by_hand import BARE, BODY, FULL, Sealer, sha256

CONTENT_LINES = "\ncontent-type: application/json\ndigest: SHA-256=" + sha256(BODY)


def field(name, value):
    def spoil(sealer):
        sealer.fields[name] = value
    return spoil


def dropped(name):
    def spoil(sealer):
        del sealer.fields[name]
    return spoil


def write(change):
    return lambda sealer: setattr(sealer, "write", change)


def change(function):
    return lambda sealer: setattr(sealer, "change", function)


def replace(old, new):
    return change(lambda text: text.replace(old, new))


def attributes(**values):
    return lambda sealer: [setattr(sealer, name, value) for name, value in values.items()]


def in_get(spoil):
    def get(sealer):
        sealer.__init__(sealer.key, "GET", body=b"")
        spoil(sealer)
    return get


def signed_with(key, scheme, algorithm):
    return key.sign, scheme, algorithm


def pss(sealer):
    sealer.sign = lambda message: sealer.key.sign(message, padding.PSS(padding.MGF1(hashes.SHA256()), 32),
                                                  hashes.SHA256())


def sha512(sealer):
    sealer.sign = lambda message: sealer.key.sign(message, padding.PKCS1v15(), hashes.SHA512())


def hashed_twice(sealer):
    plain = sealer.sign
    sealer.sign = lambda message: plain(hashlib.sha256(message).digest())


def another_key(sealer):
    sealer.key = rsa.generate_private_key(65537, 2048)
    sealer.sign = lambda message: sealer.key.sign(message, padding.PKCS1v15(), hashes.SHA256())


def twice(name):
    return field(name.upper(), "x")


MISTAKES = {
    "signature_missing": [write(lambda header: "\r\nX: ")],
    "signature_twice": [write(lambda header: f"{header}\r\nSignature: {header}")],
    "signature_skipped": [write(lambda header: "SKIP_SIGNATURE_VALIDATION_FOR_SANDBOX")],
    "line_break": [write(lambda header: header[:-80] + "\r\n " + header[-80:])],
    "scheme_prefix": [write(lambda header: "Signature " + header), write(lambda header: "signature: " + header)],
    "backslashes": [write(lambda header: header.replace('"', '\\"'))],
    "extra_quotes": [write(lambda header: f'"{header}"'), write(lambda header: header.replace('"', '""'))],
    "header_spaces": [write(lambda header: header.replace('",', '", '))],
    "parameters": [write(lambda header: ",".join(reversed(header.split(",")))),
                   write(lambda header: header.replace("keyId", "key")), write(lambda header: "nonsense"),
                   write(lambda header: header + ',created="1"')],
    "signature_hex": [attributes(encode=bytes.hex)],
    "signature_base64": [attributes(encode=lambda raw: base64.b64encode(raw).decode().rstrip("=")),
                         attributes(encode=lambda raw: base64.urlsafe_b64encode(b"\xff\xff\xff" + raw[3:]).decode())],
    "algorithm": [attributes(algorithm="hs2019"), attributes(algorithm="rsa-sha512")],
    "key_id": [field("X-IBM-Client-Id", "abd")],
    "names_case": [attributes(listed=FULL.replace("digest", "Digest"))],
    "content_without_body": [in_get(lambda sealer: (attributes(listed=FULL)(sealer), sealer.fields.update(
        {"Content-Type": "application/json", "Digest": "SHA-256=" + sha256(b"")})))],
    "content_not_covered": [attributes(listed=BARE)],
    "covered_missing": [attributes(listed=FULL.replace(" x-nordea-originating-date", ""))],
    "covered_extra": [attributes(listed=FULL + " x-ibm-client-id")],
    "covered_order": [attributes(listed=FULL.replace("content-type digest", "digest content-type")),
                      attributes(listed=FULL.replace(" digest", "  digest"))],
    "covered_not_sent": [dropped("Digest"), dropped("X-Nordea-Originating-Date")],
    "header_twice": [field("X-NORDEA-ORIGINATING-DATE", "Mon, 14 Aug 2023 06:25:45 GMT")],
    "body_not_allowed": [in_get(attributes(body=b"x"))],
    "double_slash": [attributes(target="/personal//v4/payments")],
    "host_form": [field("X-Nordea-Originating-Host", "open.nordea.com:443"),
                  field("X-Nordea-Originating-Host", "Open.Nordea.com")],
    "host_differs": [field("Host", "api.nordeaopenbanking.com:443")],
    "date_form": [field("X-Nordea-Originating-Date", "Mon, 14 Aug 2023 09:25:45 EEST"),
                  field("X-Nordea-Originating-Date", "Tue, 14 Aug 2023 06:25:45 GMT"),
                  field("X-Nordea-Originating-Date", "2023-08-14T06:25:45Z")],
    "digest_hex": [field("Digest", "SHA-256=" + hashlib.sha256(BODY).hexdigest()),
                   field("Digest", "SHA-256=" + base64.b64encode(hashlib.sha256(BODY).hexdigest().encode()).decode())],
    "digest_form": [field("Digest", sha256(BODY)), field("Digest", "SHA-256=" + sha256(BODY).rstrip("=")),
                    field("Digest", "SHA-512=" + sha256(BODY))],
    "digest_other_bytes": [field("Digest", "SHA-256=" + sha256(data)) for data in (
        b"", BODY + b"\n", b'{"amount": "2.00"}', b"something else")],
    "upper_case_method": [replace("post ", "POST ")],
    "trailing_newline": [change(lambda text: text + "\n")],
    "no_colon": [replace("(request-target): ", "(request-target) ")],
    "no_space": [replace(": ", ":"), replace("(request-target): ", "(request-target):")],
    "crlf": [replace("\n", "\r\n")],
    "literal_backslash_n": [replace("\n", "\\n")],
    "signed_names_case": [change(lambda text: re.sub("(?m)^x-nordea-[a-z-]+", lambda m: m[0].title(), text)),
                          replace("\nx-nordea-originating-host", "\nX-Nordea-Originating-Host")],
    "no_query": [replace("?a=b%2Fc", "")],
    "no_leading_slash": [replace("post /", "post ")],
    "whole_url": [replace("post /", "post https://open.nordea.com/")],
    "signed_double_slash": [replace("post /", "post //")],
    "short_path": [replace("/personal/", "/")],
    "other_encoding": [replace("%2F", "/"), replace("%2F", "%2f")],
    "no_method": [replace("post ", "")],
    "other_host": [replace("host: open.nordea.com", "host: api.nordeaopenbanking.com")],
    "other_date": [replace("06:25:45", "06:25:44"), replace("06:25:45", "09:25:45"), replace("GMT", "EEST")],
    "other_content_type": [replace("application/json", "application/json; charset=utf-8")],
    "signed_digest": [replace("digest: SHA-256=", "digest: "), replace(sha256(BODY), sha256(b""))],
    "signed_order": [change(lambda text: "\n".join(reversed(text.split("\n"))))],
    "content_lines_missing": [replace(CONTENT_LINES, "")],
    "content_lines_added": [in_get(change(lambda text: f"{text}\ncontent-type: application/json\ndigest: SHA-256="
                                          + sha256(b"")))],
    "hashed_twice": [hashed_twice],
    "other_hash": [sha512],
    "pss_padding": [pss],
    "other_string": [change(lambda text: "something else entirely")],
    "another_key": [another_key],
}
CASES = [(cause, spoil) for cause, spoils in MISTAKES.items() for spoil in spoils]


def test_every_cause_has_a_case():
    assert set(MISTAKES) == set(CAUSES)


def test_every_cause_says_what_and_what_to_do_in_a_sentence_each():
    for title, advice in CAUSES.values():
        for sentence in (title, advice):
            assert re.fullmatch(r"[A-Z].*\.", sentence), sentence


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_a_request_without_mistake_is_valid(private_key, method):
    sealer = Sealer(private_key, method, body=BODY if method in ("POST", "PUT") else b"")
    verdict = judge(parse(sealer.message()), private_key.public_key())
    assert (verdict.findings, verdict.signing_string) == ((), sealer.signing_string())


@pytest.mark.parametrize(("cause", "spoil"), CASES,
                         ids=[f"{cause}-{number}" for number, (cause, _) in enumerate(CASES)])
def test_the_mistake_is_named(private_key, cause, spoil):
    sealer = Sealer(private_key)
    spoil(sealer)
    verdict = judge(parse(sealer.message()), private_key.public_key())
    assert [finding.cause for finding in verdict.findings][:1] == [cause]


@pytest.mark.parametrize("causes", [
    ["upper_case_method", "trailing_newline"], ["no_leading_slash", "upper_case_method", "trailing_newline"],
    ["no_query", "other_host"], ["other_date", "trailing_newline"]], ids="+".join)
def test_several_mistakes_at_once_are_all_named(private_key, causes):
    sealer = Sealer(private_key)
    changes = []
    for cause in causes:
        MISTAKES[cause][0](sealer)
        changes.append(sealer.change)

    def every(text):
        for spoil in changes:
            text = spoil(text)
        return text

    # The order in which mistakes are made matters only where one hides what another would change.
    sealer.change = every
    verdict = judge(parse(sealer.message()), private_key.public_key())
    assert sorted(finding.cause for finding in verdict.findings) == sorted(causes)


def test_the_first_line_that_differs_is_shown_with_its_line_end(private_key):
    sealer = Sealer(private_key)
    sealer.change = lambda text: text.replace("post ", "POST ")
    (finding,) = judge(parse(sealer.message()), private_key.public_key()).findings
    assert finding.signed == "(request-target): POST /personal/v4/payments/domestic?a=b%2Fc\\n"
    assert finding.expected == "(request-target): post /personal/v4/payments/domestic?a=b%2Fc\\n"


def test_a_digest_of_reformatted_json_is_recognised(private_key):
    sealer = Sealer(private_key, body=json.dumps({"b": 1, "a": [1, 2]}, indent=2).encode())
    sealer.fields["Digest"] = "SHA-256=" + sha256(b'{"b":1,"a":[1,2]}')
    (finding,) = judge(parse(sealer.message()), private_key.public_key()).findings
    assert finding.sentence == (
        "The Digest is not that of the body: it is the digest of the same JSON written without white space.")


@pytest.mark.parametrize("body", [b"[" * 500 + b"]" * 500, b"[" * 100_000, b"9" * 10_000, b'{"a": NaN}', b'"\\ud800"'],
                         ids=["deep", "deeper", "long number", "no number", "half a character"])
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

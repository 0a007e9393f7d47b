"""What the proxy seals passes its own verification, and nothing that a signature promises can be changed unseen."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from proxy.core.message import Request
from proxy.core.profiles import NORDEA as PROFILE
from proxy.core.profiles import PROFILES
from proxy.core.signing import SigningRules
from proxy.selfcheck import CHECKS, NORDEA, find_fault, verify_outgoing
from proxy.serve.selfverify import demands_of
from tests.core.sealing import plan, request, sign

KEY = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)
FORM = (b"Content-Type", b"application/x-www-form-urlencoded")
JSON = (b"Content-Type", b"application/json; charset=utf-8")
MINE = (b"X-Mine", b"caller's own, \xe4")
"""A header that no signature covers."""


def sealed(method: bytes = b"POST", target: bytes = b"/v5/p%C3%A4y?a=1", *fields: tuple[bytes, bytes],
           body: bytes = b'{"amount":"2.00"}', rules: SigningRules | None = None) -> tuple[bytes, bytes]:
    made = plan(request(method, target, *fields, body=body), rules)
    head, end, rest = made.complete(sign(KEY, made.signature_base)).partition(b"\r\n\r\n")
    return head + end, rest


def generated(seed: int) -> tuple[Request, SigningRules]:
    """A request of the odd kinds that may be sealed, and a route's settings; the same ones for the same seed."""
    pick = random.Random(seed)
    segments = (b"v5", b"a%20b", b"%C3%A4", b"a;b", b"x.y", b"-_.~!$&'()*+,=:@")
    target = b"".join(b"/" + pick.choice(segments) for _ in range(pick.randrange(1, 5)))
    target += pick.choice((b"", b"?", b"?a=1&b=%2F", b"?q=" + bytes(pick.choices(b"az09+-/?&=", k=4))))
    words = [bytes(pick.choices(b"ab%+= \xe4", k=pick.randrange(5))) for _ in range(6)]
    body = pick.choice((b"", b"{}", pick.randbytes(pick.randrange(60)), b"&".join(
        b"%b=%b" % pair for pair in zip(words[::2], words[1::2], strict=True)), b"b=%2B1&a=x+y&a=%C3%A4"))
    types = (b"application/json", FORM[1], FORM[1].upper() + b" ;a=b")
    fields = [(b"Accept", b"*/*"), (b"Authorization", b"Bearer \xe4\tx"), (b"digest", b"none"),
              (b"x_ibm_client_id", b"me"), (b"X-Empty", b""), (b"Content-Type", pick.choice(types))]
    method = pick.choice((b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"))
    rules = SigningRules(pick.choice(list(PROFILES.values())), empty_body=pick.choice(("digest", "omit")),
                         form=pick.choice(("canonical", "raw")), base=pick.choice(("", "/eidas/1.0")),
                         key_id=pick.choice((None, "clientId")), authority=pick.choice((None, "bank.example:8443")))
    return request(method, target, *pick.sample(fields, pick.randrange(6)),
                   body=b"" if method in (b"GET", b"HEAD") else body), rules


def test_two_thousand_requests_pass():
    for seed in range(2000):
        asked, rules = generated(seed)
        made = plan(asked, rules)
        head, end, body = made.complete(sign(KEY, made.signature_base)).partition(b"\r\n\r\n")
        assert verify_outgoing(head + end, memoryview(body), KEY.public_key(), demands_of(rules)) is None, seed


MESSAGES = {
    "post": sealed(b"POST", b"/v5/pay?a=%20b", JSON, MINE),
    "get": sealed(b"GET", b"/v5/accounts", MINE, body=b""),
    "form": sealed(b"POST", b"/token", FORM, MINE, body=b"b=2%2B3&a=x+y"),
    "delete": sealed(b"DELETE", b"/v5/x", MINE, body=b""),
    "empty": sealed(b"PUT", b"/v5/x", JSON, MINE, body=b""),
}
FREE_IN_BODY = {"form": {5}}
"""The digest of this one is over its decoded form, where %2B and %2b are the same character."""
UNCOVERED = (b"X-IBM-Client-Secret", b"X-Mine")


def free_bytes(head: bytes) -> set[int]:
    """Every byte of a head that may be another one without a signature or a rule of framing being the worse for it.

    The letters of header names, whose case means nothing; names and values of headers that no signature covers.
    """
    free, at = set(), head.index(b"\r\n") + 2
    for line in head[at:-4].split(b"\r\n"):
        name, _, value = line.partition(b": ")
        whole = name in UNCOVERED
        free |= {at + index for index, byte in enumerate(name) if whole or bytes((byte,)).isalpha()}
        if whole:
            begin = at + len(name) + 2
            free |= set(range(begin, begin + len(value)))
        at += len(line) + 2
    return free


def flipped(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Every change of a single bit, with the place of its byte."""
    for index, byte in enumerate(data):
        for bit in range(8):
            yield index, data[:index] + bytes((byte ^ 1 << bit,)) + data[index + 1:]


@pytest.mark.parametrize("name", MESSAGES)
def test_no_single_bit_can_be_changed_but_in_what_nobody_signs(name):
    head, body = MESSAGES[name]
    passed = {index for index, changed in flipped(head) if verify_outgoing(changed, body, KEY.public_key()) is None}
    hyphens = {head.index(b"X-IBM-Client-Secret") + at for at in (1, 5, 12)}
    assert passed == free_bytes(head) - hyphens         # the secret must be sent: only the case of its name is free
    in_body = {index for index, changed in flipped(body) if verify_outgoing(head, changed, KEY.public_key()) is None}
    assert in_body == FREE_IN_BODY.get(name, set())


def swap(old: bytes, new: bytes, message: str = "post") -> tuple[bytes, bytes]:
    head, body = MESSAGES[message]
    assert head.count(old) == 1
    return head.replace(old, new), body


def field(name: bytes, message: str = "post") -> bytes:
    head, _ = MESSAGES[message]
    return next(line for line in head.split(b"\r\n") if line.startswith(name + b":")) + b"\r\n"


def another_spelling() -> tuple[bytes, bytes]:
    """The same signature in base64 that says it with other padding bits."""
    head, body = MESSAGES["post"]
    at = head.index(b'=="\r\n') - 1
    return head[:at] + bytes((head[at] + 1,)) + head[at + 1:], body


ENDING = b"\r\n\r\n"
BROKEN = {
    "no end": ("message", (MESSAGES["post"][0][:-2], b"")),
    "an empty line in the middle": ("message", swap(b"X-Mine", b"\r\nX-Mine")),
    "lower-case method": ("message", swap(b"POST ", b"post ")),
    "HTTP/1.0": ("message", swap(b"HTTP/1.1", b"HTTP/1.0")),
    "a folded line": ("message", swap(b"X-Mine: ", b"X-Mine: a\r\n b")),
    "two dates": ("single", swap(ENDING, b"\r\n" + field(b"X-Nordea-Originating-Date") + b"\r\n")),
    "two digests": ("single", swap(ENDING, b"\r\n" + field(b"Digest") + b"\r\n")),
    "an alias": ("single", swap(b"X-Mine", b"x_ibm_client.id")),
    "a transfer coding": ("single", swap(ENDING, b"\r\nTransfer-Encoding: chunked\r\n\r\n")),
    "a longer body": ("framing", (MESSAGES["post"][0], MESSAGES["post"][1] + b" ")),
    "no length": ("framing", swap(field(b"Content-Length"), b"")),
    "a length for a GET": ("framing", swap(ENDING, b"\r\nContent-Length: 3\r\n\r\n", "get")),
    "no client id": ("identity", swap(field(b"X-IBM-Client-Id"), b"")),
    "an empty secret": ("identity", swap(field(b"X-IBM-Client-Secret"), b"X-IBM-Client-Secret: \r\n")),
    "no host": ("host", swap(field(b"X-Nordea-Originating-Host"), b"")),
    "another host": ("host", swap(b"\r\nHost: open.nordea.com", b"\r\nHost: api.nordeaopenbanking.com")),
    "a local date": ("date", swap(b" GMT", b" EEST")),
    "no date": ("date", swap(field(b"X-Nordea-Originating-Date"), b"")),
    "another body": ("digest", (MESSAGES["post"][0], MESSAGES["post"][1].replace(b"2", b"3"))),
    "no digest": ("digest", swap(field(b"Digest"), b"")),
    "a digest on GET": ("digest", swap(ENDING, b"\r\n" + field(b"Digest") + b"\r\n", "get")),
    "no content type": ("digest", swap(field(b"Content-Type"), b"")),
    "form digest over the bytes": ("digest", sealed(b"POST", b"/t", FORM, body=b"b=2%2B3&a=x",
                                                    rules=SigningRules(PROFILE, form="raw"))),
    "a space after a comma": ("header", swap(b'",algorithm', b'", algorithm')),
    "another algorithm": ("header", swap(b"rsa-sha256", b"rsa-sha512")),
    "a prefix": ("header", swap(b"Signature: keyId", b"Signature: Signature keyId")),
    "no signature": ("header", swap(field(b"Signature"), b"")),
    "a shorter coverage": ("coverage", swap(b' content-type digest"', b'"')),
    "another order": ("coverage", swap(b"content-type digest", b"digest content-type")),
    "another client": ("key_id", swap(b'keyId="4', b'keyId="5')),
    "another target": ("signature", swap(b"/v5/pay", b"/v5/pbz")),
    "not canonical base64": ("signature", another_spelling()),
}


@pytest.mark.parametrize("what", BROKEN)
def test_the_check_that_failed_is_named(what):
    check, (head, body) = BROKEN[what]
    fault = find_fault(head, body, KEY.public_key(), NORDEA)
    assert fault is not None
    assert fault.check == check, fault.sentence
    assert fault.sentence.endswith(".")
    assert verify_outgoing(head, body, KEY.public_key()) == f"{check}: {fault.sentence}"


def test_every_check_has_failed_once():
    assert {check for check, _ in BROKEN.values()} == set(CHECKS)


def test_another_pair_s_signature_and_no_key_at_all_do_not_pass():
    head, body = MESSAGES["post"]
    for key in (OTHER.public_key(), None):
        fault = find_fault(head, body, key, NORDEA)
        assert fault is not None
        assert fault.check == "signature"


def test_no_sentence_holds_a_value_of_the_message():
    for _, (head, body) in BROKEN.values():
        sentence = verify_outgoing(head, body, KEY.public_key())
        assert sentence is not None
        assert not any(part.decode("latin-1") in sentence for part in (
            b"4a2b1c3d", b"s3cret", b"nordeaopenbanking", b"pbz", b"charset", b"caller's"))


def test_the_route_s_own_host_counts_where_it_is_known():
    head, body = MESSAGES["get"]
    for changed in ({"host": b"bank.example"}, {"authority": b"open.nordea.com:444"}):
        fault = find_fault(head, body, KEY.public_key(), replace(NORDEA, **changed))
        assert fault is not None
        assert fault.check == "host"


def test_the_sandbox_s_literal_needs_no_key():
    rules = SigningRules(PROFILES["nordea-sandbox"], skip=True)
    made = plan(request(b"GET", b"/v5/x"), rules)
    head = made.complete(b"")
    assert find_fault(head, b"", None, demands_of(rules)) is None
    fault = find_fault(head.replace(b"SKIP", b"SKIM"), b"", None, demands_of(rules))
    assert fault is not None
    assert fault.check == "header"


def test_the_bank_s_rules_by_heart_are_those_of_the_profile():
    assert demands_of(SigningRules(PROFILE)) == replace(NORDEA, host=b"open.nordea.com", authority=b"open.nordea.com")


@pytest.mark.parametrize("body", [
    b"a=1&b=2", b"b=2&a=1", b"a=%41", b"a=%2b", b"a=+", b"a=b=c", b"a", b"a=%4", b"&", b"a=1&", b"=1", b"a=", b"",
    b"\xc3\xa4=1", b"b=\x00&a=%C3%A4", b"a=2&a=1", b"a=" + b"x" * 65534, b"a=" + b"%41" * 21845,
    b"b=1&a=" + b"x" * 65533])
def test_forms_are_read_as_the_signer_reads_them(body):
    """Two readings by two programs: what one hashes the other expects."""
    head, rest = sealed(b"POST", b"/t", FORM, body=body)
    assert verify_outgoing(head, rest, KEY.public_key()) is None

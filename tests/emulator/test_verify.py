"""Each rule of the bank, broken once."""

from __future__ import annotations

import base64
import hashlib
from email.utils import formatdate

import pytest

from proxy.emulator import Emulator, Options, Policy, Seal, Validity
from proxy.emulator.content import normalised_form
from proxy.emulator.registration import RegistrationRefused, read_registered
from proxy.emulator.verify import SKIP, parse_date

NOW = 1691994345.0
BARE = "(request-target) x-nordea-originating-host x-nordea-originating-date"
FULL = BARE + " content-type digest"
SIGNATURE, DIGEST, DATE = "error.signature.invalid", "error.digest.invalid", "error.date.invalid"
GATEWAY = "Invalid client id or secret."


def digest(data):
    return "SHA-256=" + base64.b64encode(hashlib.sha256(data).digest()).decode()


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS"])
async def test_methods_without_content_cover_three_headers(caller, method):
    raw = caller.request(method, "/echo/x?a=%2f&b=+")
    assert (await caller.ask(raw, head_only=method == "HEAD")).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_methods_with_content_cover_five(caller, method):
    assert (await caller.ask(caller.request(method, "/echo/x", b"[1]"))).status == 200


@pytest.mark.parametrize(
    ("method", "body", "covered"),
    [("GET", b"", FULL), ("POST", b"{}", BARE), ("DELETE", b"{}", BARE), ("DELETE", b"", FULL),
     ("POST", b"{}", " ".join(reversed(FULL.split()))), ("POST", b"{}", FULL + " host"),
     ("GET", b"", BARE.replace(" x-nordea-originating-date", "")), ("GET", b"", BARE.replace(" ", "  "))],
)
async def test_exactly_the_right_headers_in_order(caller, method, body, covered):
    parts = caller.parts(method, "/echo/x", body, content_type="text/plain", digest=digest(body))
    parts["Signature"] = caller.seal(method, "/echo/x", {**parts, "host": "localhost"}, covered)
    assert (await caller.ask(caller.raw(method, "/echo/x", parts, body))).code == SIGNATURE


async def test_an_empty_body_may_be_left_out_of_the_seal(caller, seal, caller_of):
    bare = caller.parts("PATCH", "/echo/x", digest=None)
    bare["Signature"] = caller.seal("PATCH", "/echo/x", bare)
    assert (await caller.ask(caller.raw("PATCH", "/echo/x", bare))).status == 200
    assert (await caller.ask(caller.request("PATCH", "/echo/x"))).status == 200
    policy = Policy(empty_body_may_omit=False)
    async with Emulator(Options(certificate=seal.certificate_pem, tls=False, clock=lambda: NOW, policy=policy)) as bank:
        assert (await caller_of(bank).ask(caller.raw("PATCH", "/echo/x", bare))).code == SIGNATURE


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda value: "Signature " + value, "prefix"),
        (lambda value: value.replace('"', '\\"'), "backslash"),
        (lambda value: value.replace('",', '", '), "space"),
        (lambda value: value + '"', "quotation"),
        (lambda value: ",".join(reversed(value.split(","))), "order"),
        (lambda value: value.replace('algorithm="rsa-sha256",', ""), "order"),
        (lambda value: value + ',created="1"', "order"),
        (lambda value: value[:-2] + '"', "padded base64"),
        (lambda value: value[:-4] + chr(ord(value[-4]) + 1) + value[-3:], "canonical"),
        (lambda value: SKIP, "sandbox"),
        (lambda value: None, "no Signature"),
        (lambda value: value.replace('keyId="', 'keyId="x'), "keyId"),
        (lambda value: value.replace(' x-nordea-originating-host', ' host'), "headers"),
    ],
)
async def test_the_signature_header_has_one_form(bank, caller, spoil, reason):
    parts = caller.parts("GET", "/echo/x")
    spoilt = spoil(caller.seal("GET", "/echo/x", parts))
    if spoilt is not None:
        parts["Signature"] = spoilt
    assert (await caller.ask(caller.raw("GET", "/echo/x", parts))).code == SIGNATURE
    assert reason in bank.received[-1].verdict.explanation
    assert not bank.executions.total


@pytest.mark.parametrize("algorithm", ["rsa-sha512", "hs2019", "RSA-SHA256", ""])
async def test_the_algorithm_is_rsa_sha256(caller, algorithm):
    parts = caller.parts("GET", "/echo/x")
    parts["Signature"] = caller.seal("GET", "/echo/x", parts, algorithm=algorithm)
    assert (await caller.ask(caller.raw("GET", "/echo/x", parts))).code == "error.security.invalid"


@pytest.mark.parametrize(
    "fields",
    [{"x_ibm_client_id": None}, {"x_ibm_client_secret": None}, {"x_ibm_client_secret": "wrong"},
     {"x_ibm_client_id": "wrong"}, {"x_ibm_client_id": "4a2b1c3d-5e6f-4708-8192-a3b4c5d6e7f8"}],
)
async def test_client_id_and_secret_are_the_gateways_affair(caller, fields):
    answer = await caller.get("/echo/x", **fields)
    assert (answer.status, answer.code) == (401, GATEWAY)
    assert answer.json["httpCode"] == "401"
    assert answer.json["httpMessage"] == "Unauthorized"
    as_xml = await caller.get("/echo/x", accept="application/xml", **fields)
    assert as_xml["content-type"] == "application/xml"
    assert b"<errorResponse><httpCode>401</httpCode>" in as_xml.body


@pytest.mark.parametrize(
    ("date", "code"),
    [(formatdate(NOW + 299, usegmt=True), ""), (formatdate(NOW - 299, usegmt=True), ""),
     (formatdate(NOW + 301, usegmt=True), DATE), (formatdate(NOW - 301, usegmt=True), DATE),
     ("Tue, 14 Aug 2023 06:25:45 GMT", DATE), ("Mon, 14 Aug 2023 09:25:45 EEST", DATE),
     ("Mon, 14 Aug 2023 6:25:45 GMT", DATE), ("Mon, 32 Aug 2023 06:25:45 GMT", DATE),
     ("ma, 14 elo 2023 06:25:45 GMT", DATE), ("Monday, 14-Aug-23 06:25:45 GMT", DATE), ("1691994345", DATE)],
)
async def test_the_date_is_an_imf_fixdate_near_the_banks(caller, date, code):
    answer = await caller.get("/echo/x", x_nordea_originating_date=date)
    assert (answer.code if code else answer.status) == (code or 200)


async def test_any_date_without_a_window(seal, caller_of):
    policy = Policy(date_window=None)
    async with Emulator(Options(certificate=seal.certificate_pem, tls=False, policy=policy)) as bank:
        answer = await caller_of(bank).get("/echo/x", x_nordea_originating_date="Wed, 06 Nov 2019 08:22:42 GMT")
        assert answer.status == 200


def test_dates_to_seconds():
    assert parse_date("Mon, 14 Aug 2023 06:25:45 GMT") == NOW
    assert parse_date("Thu, 29 Feb 2024 00:00:00 GMT") is not None
    assert parse_date("Wed, 29 Feb 2023 00:00:00 GMT") is None


@pytest.mark.parametrize("host", ["open.nordea.com.evil.example", "LOCALHOST", "localhost:443", ""])
async def test_the_originating_host_is_the_banks(caller, host):
    assert (await caller.get("/echo/x", x_nordea_originating_host=host)).code == SIGNATURE


@pytest.mark.parametrize("name", ["x_nordea_originating_host", "x_nordea_originating_date"])
async def test_a_covered_header_that_was_not_sent(caller, name):
    parts = caller.parts("GET", "/echo/x")
    parts["Signature"] = caller.seal("GET", "/echo/x", parts)
    del parts[next(known for known in parts if known.lower().replace("-", "_") == name)]
    assert (await caller.ask(caller.raw("GET", "/echo/x", parts))).code == SIGNATURE


@pytest.mark.parametrize("name", ["Digest", "X-IBM-Client-Id", "Signature", "Content-Type",
                                  "X-Nordea-Originating-Date"])
async def test_a_signed_header_twice_or_in_another_spelling(bank, caller, name):
    raw = caller.request("POST", "/echo/x", b"{}")
    for alias in (name.replace("-", "_"), name.replace("-", "."), name):
        if alias == name and name == "X-IBM-Client-Id":
            continue
        if alias == name or "-" in name:
            other = raw.replace(b"\r\n\r\n", f"\r\n{alias}: other\r\n\r\n".encode(), 1)
            assert (await caller.ask(other)).code == SIGNATURE
    assert bank.executions.total == 0


@pytest.mark.parametrize(
    ("value", "code"),
    [("sha-256=" + digest(b"{}")[8:], ""), ("Sha-256=" + digest(b"{}")[8:], SIGNATURE),
     ("SHA-256=" + hashlib.sha256(b"{}").hexdigest(), SIGNATURE), (digest(b"{} "), DIGEST),
     (digest(b"{}").rstrip("="), SIGNATURE), ("SHA-512=" + digest(b"{}")[8:], SIGNATURE)],
)
async def test_the_digest_is_over_the_bytes(caller, value, code):
    answer = await caller.post("/echo/x", b"{}", digest=value)
    assert (answer.code if code else answer.status) == (code or 200)


async def test_the_digest_is_checked_also_when_it_is_not_covered(caller):
    assert (await caller.ask(caller.request("GET", "/echo/x", signature="-")))
    parts = caller.parts("GET", "/echo/x")
    parts["Signature"] = caller.seal("GET", "/echo/x", parts)
    parts["Digest"] = digest(b"something else")
    assert (await caller.ask(caller.raw("GET", "/echo/x", parts))).code == DIGEST


async def test_a_get_with_a_body_is_refused(caller):
    parts = caller.parts("GET", "/echo/x", content_length="2")
    parts["Signature"] = caller.seal("GET", "/echo/x", parts)
    assert (await caller.ask(caller.raw("GET", "/echo/x", parts, b"{}"))).code == SIGNATURE


FORM = b"scope=a%20b&code=x%2By&grant_type=authorization_code"
NORMALISED = b"code=x+y&grant_type=authorization_code&scope=a b"


def test_a_form_is_normalised_by_name_and_decoded():
    assert normalised_form(FORM) == NORMALISED
    assert normalised_form(b"b=1+2&a=%C3%85&b=0") == "a=Å&b=1 2&b=0".encode()


@pytest.mark.parametrize(
    ("rule", "over", "good"),
    [("either", FORM, True), ("either", NORMALISED, True), ("canonical", NORMALISED, True), ("canonical", FORM, False),
     ("raw", FORM, True), ("raw", NORMALISED, False), ("either", b"other", False)],
)
async def test_form_bodies(seal, caller_of, rule, over, good):
    options = Options(certificate=seal.certificate_pem, tls=False, clock=lambda: NOW, policy=Policy(form=rule))
    async with Emulator(options) as bank:
        form = "application/x-www-form-urlencoded; charset=utf-8"
        answer = await caller_of(bank).post("/echo/x", FORM, content_type=form, digest=digest(over))
        assert answer.status == (200 if good else 401)
        assert good or answer.code == DIGEST


async def test_double_slash_is_refused(caller):
    assert (await caller.get("//echo/x")).code == SIGNATURE


async def test_the_seal_is_of_the_registered_key(bank, caller, other_seal):
    bank.register(other_seal.certificate_pem)
    assert (await caller.get("/echo/x")).code == SIGNATURE
    assert "registered key" in bank.received[-1].verdict.explanation


async def test_certificates_swap_while_it_runs(bank, caller, caller_of, other_seal):
    assert (await caller.get("/echo/1")).status == 200
    bank.register(other_seal.certificate_pem)
    assert (await caller.get("/echo/2")).code == SIGNATURE
    assert (await caller_of(bank, other_seal).get("/echo/3")).status == 200
    bank.register(None)
    assert (await caller.get("/echo/4")).code == "error.certificate.invalid"


async def test_two_applications_have_their_own_keys(bank, caller, caller_of, other_seal):
    bank.register(other_seal.certificate_pem, client_id="second", client_secret="second secret")
    second = {"x_ibm_client_id": "second", "x_ibm_client_secret": "second secret"}
    assert (await caller.get("/echo/x")).status == 200
    assert (await caller.get("/echo/x", **second)).code == SIGNATURE
    assert (await caller_of(bank, other_seal).get("/echo/x", **second)).status == 200


@pytest.mark.parametrize("days", [-1, 0])
async def test_an_expired_registered_certificate(seal, authority, caller_of, days):
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(seal.key_pem, None)
    expired = authority.seal(key, validity=Validity.days(days - 1))
    async with Emulator(Options(certificate=expired.certificate_pem, tls=False)) as bank:
        assert (await caller_of(bank).get("/echo/x")).code == "error.certificate.invalid"


async def test_the_sandbox_skips_and_takes_the_literal_key_id(seal, caller_of):
    options = Options(certificate=seal.certificate_pem, tls=False, policy=Policy(sandbox=True))
    async with Emulator(options) as bank:
        caller = caller_of(bank)
        assert (await caller.get("/echo/x", signature=SKIP)).status == 200
        assert not bank.executions[-1].signature_checked
        parts = caller.parts("GET", "/echo/x")
        parts["Signature"] = caller.seal("GET", "/echo/x", parts, key_id="clientId")
        assert (await caller.ask(caller.raw("GET", "/echo/x", parts))).status == 200
        assert (await caller.post("/echo/x", signature=SKIP, digest=digest(b"no"))).code == DIGEST


async def test_the_sandbox_knows_only_the_demo_key(caller_of):
    async with Emulator(Options(tls=False, policy=Policy(sandbox=True))) as bank:
        assert (await caller_of(bank).get("/echo/x")).code == SIGNATURE


@pytest.mark.parametrize(
    ("roles", "taken"),
    [(("PSP_AI", "PSP_PI"), True), (("PSP_AS",), True), (("PSP_IC",), False), ((), False)],
)
def test_the_portal_looks_at_the_roles(seal, authority, roles, taken):
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(seal.key_pem, None)
    certificate = authority.seal(key, holder=Seal(roles=roles)).certificate_pem
    if taken:
        assert read_registered(certificate).not_after is not None
    else:
        with pytest.raises(RegistrationRefused, match="roles"):
            read_registered(certificate)


@pytest.mark.parametrize(("state", "code"), [
    ("wrong_field", SIGNATURE), ("armoured", "error.certificate.invalid"),
    ("revoked", "error.certificate.invalid"),
    ("unsubscribed", "Application is not subscribed to this API."), ("registered", "")])
async def test_what_people_do_in_the_portal(bank, caller, seal, state, code):
    bank.register(seal.certificate_pem, state=state)
    answer = await caller.get("/echo/x")
    assert (answer.status == 200) == (not code)
    assert not code or answer.code == code


async def test_no_subscription_for_psp_ic_alone(bank, caller, seal, authority):
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    alone = authority.seal(load_pem_private_key(seal.key_pem, None), holder=Seal(roles=("PSP_IC",)))
    bank.register(alone.certificate_pem, check_roles=False)
    answer = await caller.get("/echo/x")
    assert (answer.status, answer.code) == (403, "Application is not subscribed to this API.")


def test_what_the_portal_takes(seal, authority):
    armoured = read_registered(seal.certificate_pem)
    body = b"".join(seal.certificate_pem.split(b"\n")[1:-2])
    assert read_registered(body).fingerprint == armoured.fingerprint
    for wrong, reason in ((seal.key_pem, "private key"), (b"", "neither"), (b"hello", "neither"),
                          (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "public key"),
                          (authority.server().certificate_pem, "not RSA")):
        with pytest.raises(RegistrationRefused, match=reason):
            read_registered(wrong)


def test_the_portal_wants_2048_bits(authority):
    with pytest.raises(RegistrationRefused, match="2048"):
        read_registered(authority.seal(key_bits=1024).certificate_pem)

"""A software statement is what RFC 7515 and 7519 say, which openssl confirms, and every fault in one is told."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.errors import ConfigInvalid, KeyUnusable
from proxy.keys.assertion import doubts_about, judge_assertion, make_assertion
from proxy.keys.certificate import read_facts
from proxy.keys.claims import faults_of
from proxy.keys.jws import base64url, read_compact, thumbprint
from proxy.keys.rsa_signer import RsaSigner
from tests.keys.making import openssl
from tests.keys.software_statement import CLAIMS

NOW = 1_780_000_000
JTI = "f3b7f1de-6f2c-4d0e-9a43-0c5b7a1f8d11"

def made(key: RSAPrivateKey, claims: dict[str, object] | None = None, x5c: bytes | None = None) -> str:
    return make_assertion(claims or CLAIMS, RsaSigner(key), kid="k1", x5c=x5c, issued_at=NOW, identifier=JTI)


def decoded(part: str) -> dict[str, object]:
    return json.loads(base64.urlsafe_b64decode(part + "=="))


def test_the_exact_parts(key: RSAPrivateKey) -> None:
    header, claims, _ = made(key).split(".")
    assert decoded(header) == {"typ": "JWT", "alg": "RS256", "kid": "k1"}
    assert decoded(claims) == {**CLAIMS, "iat": NOW, "jti": JTI}
    assert "=" not in header + claims


def test_openssl_verifies_it(key: RSAPrivateKey, tmp_path: Path) -> None:
    text = made(key)
    signed, _, signature = text.rpartition(".")
    (tmp_path / "signature").write_bytes(base64.urlsafe_b64decode(signature + "=="))
    (tmp_path / "key").write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    said = openssl("dgst", "-sha256", "-verify", str(tmp_path / "key"), "-signature", str(tmp_path / "signature"),
                   given=signed.encode())
    assert said == b"Verified OK\n"


def test_extra_claims_pass_and_iat_and_jti_do_not(key: RSAPrivateKey) -> None:
    assert decoded(made(key, {**CLAIMS, "aud": ["x"], "nested": {"a": [1, None]}}).split(".")[1])["nested"] == {
        "a": [1, None]}
    with pytest.raises(ConfigInvalid) as caught:
        made(key, {**CLAIMS, "iat": 1, "jti": JTI})
    assert [place for place, _ in caught.value.problems] == ["iat", "jti"]


def test_a_thumbprint_as_in_the_standard() -> None:
    """RFC 7638 section 3.1."""
    n = ("0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3o"
         "knjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZH"
         "zu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEg"
         "U8awapJzKnqDKgw")
    numbers = rsa.RSAPublicNumbers(65537, int.from_bytes(base64.urlsafe_b64decode(n + "=="), "big"))
    assert thumbprint(numbers.public_key()) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_rs256_as_in_the_standard() -> None:
    """RFC 7515 appendix A.2.2: its payload has a line break of CR LF, and is read as it is."""
    header = "eyJhbGciOiJSUzI1NiJ9"
    payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    compact = read_compact(f"{header}.{payload}.AAAA")
    assert compact.header == {"alg": "RS256"}
    assert compact.claims == {"iss": "joe", "exp": 1300819380, "http://example.com/is_root": True}
    assert compact.signing_input == f"{header}.{payload}".encode()


FAULTS = [
    *(({name: None}, name) for name in CLAIMS),
    ({"iss": 5}, "iss"), ({"org_name": " "}, "org_name"), ({"software_client_name": "a\x1b"}, "software_client_name"),
    ({"software_redirect_uris": "https://a.example/"}, "software_redirect_uris"),
    ({"software_redirect_uris": []}, "software_redirect_uris"),
    *(({"software_redirect_uris": [uri]}, "software_redirect_uris[0]") for uri in (
        "http://a.example/", "https:///x", "https://a.example/#f", "https://u@a.example/", "https://a.example/ b",
        "HTTPS:a", "https://a.example:99999/", "https://[::1", "https://ä.example/", 7, "https://a.example/\n",
        "javascript:x")),
    ({"software_redirect_uris": ["https://a.example/"] * 2}, "software_redirect_uris"),
    ({"software_roles": ["psp_pi"]}, "software_roles[0]"), ({"software_roles": [["PSP_PI"]]}, "software_roles[0]"),
    ({"organisation_competent_authority_claims": "FI"}, "organisation_competent_authority_claims"),
    ({"organisation_competent_authority_claims": []}, "organisation_competent_authority_claims"),
    ({"organisation_competent_authority_claims": [{}]}, "organisation_competent_authority_claims"),
    ({"org_contacts": [{"name": "a", "email": "a@example.com"}]}, "org_contacts[0].phone"),
    ({"org_contacts": [{"name": "a", "email": "a@", "phone": "+358 9 1234567"}]}, "org_contacts[0].email"),
    ({"org_contacts": [{"name": "a", "email": "a@example.com", "phone": 35891234567}]}, "org_contacts[0].phone"),
    ({"org_contacts": [{"name": "a", "email": "a@example.com", "phone": "soon"}]}, "org_contacts[0].phone"),
    ({"org_contacts": ["a"]}, "org_contacts[0]"),
    ({"software_client_uri": "ftp://a"}, "software_client_uri"), ({"software_version": 1.0}, "software_version"),
    ({"extra": date(2026, 1, 1)}, "extra"), ({"extra": {1: 2}}, "extra"), ({"extra": [float("nan")]}, "extra[0]"),
    ({"extra": b"x"}, "extra"),
]


@pytest.mark.parametrize(("change", "place"), FAULTS)
def test_a_fault_is_told_with_its_place(change: dict[str, object], place: str, key: RSAPrivateKey) -> None:
    claims = {name: value for name, value in {**CLAIMS, **change}.items() if value is not None}
    with pytest.raises(ConfigInvalid) as caught:
        made(key, claims)
    assert caught.value.code == "claims_invalid"
    assert [found for found, _ in caught.value.problems] == [place]


def test_all_faults_at_once() -> None:
    assert [place for place, _ in faults_of({})] == list(CLAIMS)


def signed(key: RSAPrivateKey, header: object, claims: object) -> str:
    signing_input = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
    return f"{signing_input}.{base64url(RsaSigner(key).sign(signing_input.encode()))}"


HEADER = {"typ": "JWT", "alg": "RS256", "kid": "k1"}
WHOLE = {**CLAIMS, "iat": NOW, "jti": JTI}
JUDGED: dict[str, tuple[object, object, str]] = {
    "none": ({**HEADER, "alg": "none"}, WHOLE, "alg is not RS256"),
    "HS256": ({**HEADER, "alg": "HS256"}, WHOLE, "alg is not RS256"),
    "typ": ({**HEADER, "typ": "JOSE"}, WHOLE, "typ is not JWT"),
    "kid": ({"typ": "JWT", "alg": "RS256"}, WHOLE, "no kid"),
    "crit": ({**HEADER, "crit": ["b64"]}, WHOLE, "crit"),
    "x5c form": ({**HEADER, "x5c": "abc"}, WHOLE, "x5c is not a list"),
    "x5c base64url": ({**HEADER, "x5c": ["a-_b"]}, WHOLE, "x5c is not standard base64"),
    "x5c other": ({**HEADER, "x5c": ["QUJD"]}, WHOLE, "x5c holds another certificate"),
    "header list": ([], WHOLE, "header is not a JSON object"),
    "payload list": (HEADER, [], "payload is not a JSON object"),
    "no iat": (HEADER, {**CLAIMS, "jti": JTI}, "claim iat"),
    "iat as text": (HEADER, {**WHOLE, "iat": "now"}, "claim iat"),
    "iat later": (HEADER, {**WHOLE, "iat": NOW + 3600}, "claim iat lies in the future"),
    "jti": (HEADER, {**WHOLE, "jti": "1"}, "claim jti"),
    "org_name": (HEADER, {**WHOLE, "org_name": ""}, "claim org_name"),
}


def refusal(text: str, key: RSAPrivateKey, cert: bytes) -> str:
    with pytest.raises(KeyUnusable) as caught:
        judge_assertion(text, key.public_key(), cert, NOW)
    assert caught.value.code == "assertion_invalid"
    return caught.value.detail


@pytest.mark.parametrize(("header", "claims", "clause"), JUDGED.values(), ids=JUDGED)
def test_the_first_fault_is_told(header: object, claims: object, clause: str, key: RSAPrivateKey, cert: bytes) -> None:
    assert clause in refusal(signed(key, header, claims), key, cert)


MANGLED: dict[str, tuple[Callable[[str], str], str]] = {
    "empty": (lambda _: "", "1 parts"),
    "two parts": (lambda text: text.rpartition(".")[0], "2 parts"),
    "five parts": (lambda text: text + ".a.b", "5 parts"),
    "padding": (lambda text: text + "=", "signature is not base64url"),
    "line break": (lambda text: text.replace(".", "\n.", 1), "header is not base64url"),
    "standard base64": (lambda text: text[:-3] + "+/A", "signature is not base64url"),
    "not ASCII": (lambda text: "ä" + text, "header is not base64url"),
    "not JSON": (lambda text: "AAAA." + text.partition(".")[2], "header is not JSON"),
    "names twice": (lambda text: base64url(b'{"alg":1,"alg":2}') + "." + text.partition(".")[2], "distinct names"),
    "deep": (lambda text: base64url(b"[" * 100_000) + "." + text.partition(".")[2], "header is not JSON"),
    "huge": (lambda text: text * 1000, "longer than any"),
    "another payload": (lambda text: ".".join([text.split(".")[0], base64url(b"{}"), text.split(".")[2]]),
                        "signature was not made"),
    "cut signature": (lambda text: text[:-6], "signature was not made"),
}


@pytest.mark.parametrize(("change", "clause"), MANGLED.values(), ids=MANGLED)
def test_what_is_mangled(change: Callable[[str], str], clause: str, key: RSAPrivateKey, cert: bytes) -> None:
    assert clause in refusal(change(made(key)), key, cert)


def test_valid_with_and_without_the_certificate(key: RSAPrivateKey, cert: bytes) -> None:
    for x5c in (None, cert):
        compact = judge_assertion(made(key, x5c=x5c), key.public_key(), cert, NOW)
        assert compact.claims == WHOLE


def test_another_key(key: RSAPrivateKey, other_key: RSAPrivateKey, other_cert: bytes) -> None:
    assert "signature was not made" in refusal(made(key), other_key, other_cert)


@settings(max_examples=200, deadline=None, derandomize=True, database=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=60))
def test_no_text_makes_the_reader_stumble(text: str) -> None:
    with pytest.raises(ValueError):
        read_compact(text)


def test_doubts(key: RSAPrivateKey, cert: bytes) -> None:
    facts = read_facts(cert)
    assert doubts_about(CLAIMS, facts) == []
    (name,) = doubts_about({**CLAIMS, "org_name": "Payments"}, facts)
    (roles,) = doubts_about({**CLAIMS, "software_roles": ["CBPII"]}, facts)
    assert "org_name" in name
    assert "PSP_IC" in roles

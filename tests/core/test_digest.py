"""The digest is over the bytes sent; for forms, over what the bank hashes, made equal where they can be."""

from __future__ import annotations

from base64 import b64decode
from hashlib import sha256
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core.digest import canonical_form, is_form, sha256_digest

NO, SORTED, DECODED, NOT = "", "form_sorted", "form_digest_over_decoded", "form_not_canonical"

FORMS = [
    (b"", b"", b"", NO),
    (b"a=1", b"a=1", b"a=1", NO),
    (b"a=1&b=2", b"a=1&b=2", b"a=1&b=2", NO),
    (b"b=2&a=1", b"a=1&b=2", b"a=1&b=2", SORTED),
    (b"a=", b"a=", b"a=", NO),
    (b"b=&a=", b"a=&b=", b"a=&b=", SORTED),
    (b"a=2&a=1", b"a=2&a=1", b"a=2&a=1", NO),
    (b"b=1&a=2&b=0", b"a=2&b=1&b=0", b"a=2&b=1&b=0", SORTED),
    (b"B=1&a=2", b"B=1&a=2", b"B=1&a=2", NO),
    (b"a=%41", b"a=A", b"a=A", SORTED),
    (b"%61=1", b"a=1", b"a=1", SORTED),
    (b"u=https%3A%2F%2Fb%2Fc", b"u=https://b/c", b"u=https://b/c", SORTED),
    (b"u=https://b/c", b"u=https://b/c", b"u=https://b/c", NO),
    (b"b=x&a=%7e", b"a=~&b=x", b"a=~&b=x", SORTED),
    (b"a=1+2", b"a=1+2", b"a=1 2", DECODED),
    (b"a=1%202", b"a=1%202", b"a=1 2", DECODED),
    (b"b=1+2&a=3", b"b=1+2&a=3", b"a=3&b=1 2", DECODED),
    (b"a=%2B", b"a=%2B", b"a=+", DECODED),
    (b"a=%26", b"a=%26", b"a=&", DECODED),
    (b"a=%3D", b"a=%3D", b"a==", DECODED),
    (b"a=b=c", b"a=b=c", b"a=b=c", DECODED),
    (b"a=%25", b"a=%25", b"a=%", DECODED),
    (b"a=%2541", b"a=%2541", b"a=%41", DECODED),
    (b"a=%0A", b"a=%0A", b"a=\n", DECODED),
    (b"a=%00", b"a=%00", b"a=\x00", DECODED),
    (b"a=%7F", b"a=%7F", b"a=\x7f", DECODED),
    (b"a=%C3%A4", b"a=%C3%A4", b"a=\xc3\xa4", DECODED),
    (b"a=\xc3\xa4", b"a=\xc3\xa4", b"a=\xc3\xa4", DECODED),
    (b"b=\xff&a=1", b"b=\xff&a=1", b"a=1&b=\xff", DECODED),
    (b"a", b"a", b"a", NOT),
    (b"=1", b"=1", b"=1", NOT),
    (b"&", b"&", b"&", NOT),
    (b"a=1&", b"a=1&", b"a=1&", NOT),
    (b"&a=1", b"&a=1", b"&a=1", NOT),
    (b"b=1&&a=2", b"b=1&&a=2", b"b=1&&a=2", NOT),
    (b"b=1&a", b"b=1&a", b"b=1&a", NOT),
    (b"a=%", b"a=%", b"a=%", NOT),
    (b"a=%4", b"a=%4", b"a=%4", NOT),
    (b"b=%zz&a=1", b"b=%zz&a=1", b"b=%zz&a=1", NOT),
    (b"%=1", b"%=1", b"%=1", NOT),
    (b'{"json":true}', b'{"json":true}', b'{"json":true}', NOT),
]


@pytest.mark.parametrize(("body", "sent", "hashed", "note"), FORMS)
def test_the_form_rule(body, sent, hashed, note):
    form = canonical_form(body)
    assert (form.body, form.digest_input, form.note) == (sent, hashed, note)


_text = st.text(st.characters(codec="utf-8"), max_size=6).map(str.encode)
_piece = st.one_of(_text, st.sampled_from((b"a", b"b", b"%41", b"%2B", b"+", b"%20", b"%", b"=", b"&", b"")))
_bodies = st.one_of(st.binary(max_size=40), st.lists(st.tuples(_piece, _piece), max_size=5).map(
    lambda pairs: b"&".join(name + b"=" + value for name, value in pairs)))


@settings(max_examples=1500, deadline=None, database=None, derandomize=True)
@given(_bodies)
def test_what_is_sent_means_what_came_and_is_what_is_hashed(body):
    form = canonical_form(body)
    assert form.note in (NO, SORTED, DECODED, NOT)
    if form.note in (NO, SORTED):
        assert form.body == form.digest_input
    if form.note == NO or form.note in (DECODED, NOT):
        assert form.body == body
    if form.note == NOT:
        assert form.digest_input == body
        return
    assert sorted(_meaning(form.body)) == sorted(_meaning(body))
    if form.note == DECODED:
        fields = sorted(_meaning(body), key=lambda field: field[0])
        assert form.digest_input == b"&".join(name + b"=" + value for name, value in fields)


def _meaning(body: bytes) -> list[tuple[bytes, bytes]]:
    """Another form parser's view, in bytes."""
    pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True, encoding="latin-1", max_num_fields=100)
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]


@pytest.mark.parametrize(("content_type", "form"), [
    (b"application/x-www-form-urlencoded", True), (b"application/x-www-form-urlencoded; charset=utf-8", True),
    (b"Application/X-WWW-Form-Urlencoded ;a", True), (b" application/x-www-form-urlencoded", True),
    (b"application/json", False),
    (b"application/x-www-form-urlencoded2", False), (b"text/plain; application/x-www-form-urlencoded", False),
    (b"", False),
])
def test_what_is_a_form(content_type, form):
    assert is_form(content_type) is form


def test_the_digest_of_nothing():
    assert sha256_digest(b"") == b"SHA-256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    assert sha256_digest(b"abc", b"x:")[:2] == b"x:"
    assert b64decode(sha256_digest(b"abc")[8:]) == sha256(b"abc").digest()

"""What is masked: headers that are on no list, values by their names, and secrets wherever they stand."""

from __future__ import annotations

import json
import re
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.json_values import replaced_values
from proxy.core.redaction import MASK, Known, Masks, cut_clean
from proxy.core.secret_names import EXACT, WORDS, header_is_shown, is_secret

KEY = b"k" * 16
TOKEN = b"AAtokenAA.0123456789/+="


def masks(*known: bytes, shown=()) -> Masks:
    return Masks(Known(KEY, known), frozenset(shown))


def field(name: str, value: bytes) -> tuple[bytes, bytes, bytes]:
    return name.lower().encode(), name.encode(), value


def shown(name: str, value: bytes, **more) -> bytes:
    ((_, spelled, found),) = masks(**more).fields([field(name, value)], "header")
    assert spelled == name.encode()
    return found


def masked(text: bytes) -> str:
    """With every mask as "#"."""
    return MASK.sub("#", text.decode())


# --- headers

@pytest.mark.parametrize("name", ["Content-Type", "Accept", "Date", "Digest", "Signature", "X-Nordea-Originating-Date",
                                  "X-IBM-Client-Id", "X-RateLimit-Remaining", "X-Request-ID", "traceparent",
                                  "User-Agent"])
def test_what_is_known_to_be_harmless_is_shown(name):
    assert shown(name, b"some value") == b"some value"


@pytest.mark.parametrize("name", [
    "Cookie", "Set-Cookie", "X-IBM-Client-Secret", "X-Api-Key", "Ocp-Apim-Subscription-Key", "X-Unheard-Of",
    "X-Session", "X-Nordea-Access-Token", "Content-Password", "TPP-Session-Token", "Postman-Token"])
def test_what_is_not_known_is_masked(name):
    assert re.fullmatch(rb"\*\*\* \(#[0-9a-f]{6}\)", shown(name, b"some value"))


def test_the_scheme_of_credentials_stays():
    assert masked(shown("Authorization", b"Bearer " + TOKEN)) == "Bearer #"
    assert masked(shown("Proxy-Authorization", b"Basic dTpw")) == "Basic #"
    assert masked(shown("Authorization", b"justthetoken withspace")) == "#"


def test_the_operator_may_show_more():
    assert shown("X-Unheard-Of", b"v", shown=[b"x-unheard-of"]) == b"v"


def test_equal_secrets_have_equal_tags_and_others_have_others():
    one, same, other = (shown("Cookie", value) for value in (b"a-value", b"a-value", b"another"))
    assert one == same != other
    ((_, _, elsewhere),) = Masks(Known(b"x" * 16)).fields([field("Cookie", b"a-value")], "header")
    assert elsewhere != one


def test_an_empty_value_stays_empty():
    assert shown("Cookie", b"") == b""


def test_urls_in_headers_lose_their_secrets():
    assert masked(shown("Location", b"https://a.example/cb?code=abc&state=1")) == "https://a.example/cb?code=#&state=1"
    assert masked(shown("Referer", b"https://a.example/?access_token=abc")) == "https://a.example/?access_token=#"


def test_a_token_in_a_shown_header_is_masked_by_its_shape():
    assert masked(shown("User-Agent", b"app eyJhbGciOiJSUzI1NiJ9.e30.c2ln end")) == "app # end"


def test_where_something_was_masked_is_told():
    found = masks()
    found.fields([field("Cookie", b"a"), field("Accept", b"b")], "request header")
    found.target(b"/a?code=1", "URL")
    found.body(b'{"password":"x"}', "body")
    found.body(b'{"name":"x"}', "another")
    assert found.found == ["request header Cookie", "URL", "body"]


# --- URLs

@pytest.mark.parametrize(("target", "wanted"), [
    (b"/a?code=abc&country_code=FI", "/a?code=#&country_code=FI"),
    (b"/a?access_token=abc", "/a?access_token=#"),
    (b"/a?accessToken=abc&b=1", "/a?accessToken=#&b=1"),
    (b"/a?client_secret=abc&client_id=me", "/a?client_secret=#&client_id=me"),
    (b"/a?continuation_key=a%2Bb%3D%3D&from_date=2023-01-01", "/a?continuation_key=a%2Bb%3D%3D&from_date=2023-01-01"),
    (b"/a?PIN=1234&key=5", "/a?PIN=#&key=#"),
    (b"/a?token=", "/a?token="),
    (b"/a?x=eyJhbGciOi.eyJzdWIi.c2ln", "/a?x=#"),
    (b"/plain/path", "/plain/path"),
    (b"/a;token=abc/b", "/a;token=#"),
])
def test_targets(target, wanted):
    assert masked(masks().target(target, "URL")) == wanted


# --- bodies

@pytest.mark.parametrize(("body", "wanted"), [
    (b'{"access_token":"abc","token_type":"Bearer","expires_in":3600,"refresh_token":"d\\"ef"}',
     '{"access_token":"#","token_type":"Bearer","expires_in":3600,"refresh_token":"#"}'),
    (b'{ "password" : { "value" : "x", "n" : 12, "none": null } , "a": 1 }',
     '{ "password" : { "value" : "#", "n" : "#", "none": null } , "a": 1 }'),
    (b'{"tokens":["a","b",3],"other":["a"]}', '{"tokens":["#","#","#"],"other":["a"]}'),
    (b'{"access\\u005ftoken":"abc"}', '{"access\\u005ftoken":"#"}'),
    (b'{"accessToken":"abc","client-secret":"x","API_KEY":"k","pin":1234}',
     '{"accessToken":"#","client-secret":"#","API_KEY":"#","pin":"#"}'),
    (b'{"code":"abc"}', '{"code":"#"}'),
    (b'{"group_header":{"http_code":401},"error":{"failures":[{"code":"error.signature.invalid"}]}}',
     '{"group_header":{"http_code":401},"error":{"failures":[{"code":"error.signature.invalid"}]}}'),
    (b'{"tppMessages":[{"code":"TOKEN_INVALID"}]}', '{"tppMessages":[{"code":"TOKEN_INVALID"}]}'),
    (b'{"links":"https://a/?code=abc&x=1"}', '{"links":"https://a/?code=#&x=1"}'),
    (b'{"refresh_token":"cut off in the mid', '{"refresh_token":"#"'),
    (b'[{"secret":"x"}]', '[{"secret":"#"}]'),
    (b'{"t":"eyJhbGciOiJSUzI1NiJ9.e30.c2ln"}', '{"t":"#"}'),
    (b'{"note":"sent Bearer abcdefgh12345"}', '{"note":"sent Bearer #"}'),
    (b"\xef\xbb\xbf{\"secret\":\"x\"}", "\ufeff{\"secret\":\"#\"}"),
    (b"<a><accessToken x='1'>abc</accessToken><b>c</b></a>", "<a><accessToken x='1'>#</accessToken><b>c</b></a>"),
    (b"<n:password>abc</n:password>", "<n:password>#</n:password>"),
    (b"-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----", "-----BEGIN #"),
])
def test_bodies(body, wanted):
    assert masked(masks().body(body, "body")) == wanted


@pytest.mark.parametrize("body", [
    b"grant_type=authorization_code&code=abc&client_secret=x&redirect_uri=https%3A%2F%2Fa",
    b"code=abc", b"a=1&password=x"])
def test_forms(body):
    text = masked(masks().body(body, "body", form=True))
    assert "abc" not in text
    assert "=x" not in text
    assert text.count("=") == body.count(b"=")


def test_multipart_forms():
    body = (b'--b\r\nContent-Disposition: form-data; name="client_secret"\r\n\r\nhidden\r\n'
            b'--b\r\nContent-Disposition: form-data; name="note"\r\n\r\nshown\r\n--b--\r\n')
    text = masked(masks().body(body, "body"))
    assert "hidden" not in text
    assert "shown" in text


def test_a_multipart_secret_of_several_lines_and_an_end_that_was_cut():
    body = b'--b\nContent-Disposition: form-data; name=note\n\nshown\n\nname=pin\n\nhidden\n\nhidden'
    text = masked(masks().body(body, "body"))
    assert "hidden" not in text
    assert "shown" in text


@pytest.mark.parametrize("body", [
    b"eyJ" * 100_000, b"--b\r\n" + b"name=token\n" * 30_000, b"--b\r\n" + b"name=token" * 30_000 + b"\n",
    b"--b\r\n" + b"name=note\n\n" * 30_000, b'{"token' + b"\\" * 300_000, b"<a " * 100_000 + b"token",
    b"-----BEGIN token A" * 20_000, b"token -----BEGIN " + b"A " * 150_000])
def test_no_text_keeps_every_other_thread_waiting(body):
    """Each takes milliseconds, and minutes where a pattern begins anew at each of its words: the suite's limit is far
    below that."""
    assert len(masks().body(body, "body")) > 100_000
    masks().target(b"/" + body, "URL")


def test_a_token_without_a_dot_hides_none_behind_it():
    text = masks().target(b"/eyJhbGciOiJ/eyJhbGciOiJ.e30.x", "URL")
    assert masked(text) == "/eyJhbGciOiJ/#"


def test_a_body_without_secrets_is_the_very_same():
    body = b'{"accounts":[{"iban":"FI1","currency":"EUR"}]}'
    assert masks().body(body, "body") is body


# --- what is known to be secret

def test_a_known_secret_is_masked_wherever_it_stands():
    found = masks(b"the client's secret")
    for text in (b"xx the client's secret yy", b"a%20the%20client%27s%20secret"):
        assert b"client" not in found.body(text, "body")
        assert b"client" not in found.target(b"/" + text, "URL")
    ((_, _, value),) = found.fields([field("User-Agent", b"I am the client's secret")], "header")
    assert masked(value) == "I am #"


def test_what_a_header_hides_is_hidden_in_the_rest_of_the_exchange():
    found = masks()
    found.learn([field("Authorization", b"Bearer " + TOKEN), field("Cookie", b"a=first-cookie; b=\"second-cookie\""),
                 field("X-Custom", b"a-whole-value"), field("Content-Type", b"application/json")])
    body = b" ".join((TOKEN, b"first-cookie", b"second-cookie", b"a-whole-value", b"application/json"))
    assert masked(found.body(body, "body")) == "# # # # application/json"


def test_short_values_are_not_looked_for():
    found = masks(b"demo")
    assert found.body(b"a demo of it", "body") == b"a demo of it"


def test_a_cut_body_does_not_end_with_the_beginning_of_a_secret():
    assert cut_clean(b"xxxx the cli", [b"the client"]) == b"xxxx "
    assert cut_clean(b"xxxx the end", [b"the client"]) == b"xxxx the end"
    assert cut_clean(b"the cli", [b"the client"]) == b""


# --- the quick look must not miss what the close one would find

@given(st.sampled_from(sorted(EXACT)), st.sampled_from([str.lower, str.upper, str.title]))
def test_no_exact_name_escapes(name, case):
    assert masked(masks().body(b'{"%b":"hidden"}' % case(name).encode(), "body")).endswith('":"#"}')
    assert "hidden" not in masked(masks().body(b"%b=hidden" % case(name).encode(), "body"))


@given(st.sampled_from(WORDS), st.sampled_from(["", "my_", "x-", "Client"]), st.sampled_from(["", "_value", "2"]))
def test_no_word_escapes(word, before, after):
    name = before + word + after
    assert is_secret(name, in_errors=False)
    assert "hidden" not in masks().body(b'{"%b":"hidden"}' % name.encode(), "body").decode()


@pytest.mark.parametrize("name", ["api_key", "api-key", "private_key", "subscription-key", "user_code", "device_code",
                                  "code_verifier", "session_id", "pass_code", "auth_code", "Access Token"])
def test_nor_does_a_word_with_separators(name):
    assert "hidden" not in masks().body(b'{"%b":"hidden"}' % name.encode(), "body").decode()


NAMED = st.sampled_from(["token", "access_token", "code", "name", "a", "errors", "pin", "Token Type", 'a"b', "x\\"])
TEXTS = st.sampled_from(["", "plain", "eyJhbGciOi.e30.c2ln", "Bearer abcdefgh12", "https://a/?code=1&b=2", '":', "<a>"])
TELLING = st.recursive(st.none() | st.booleans() | st.integers() | TEXTS,
                       lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMED, inner, max_size=4))


@given(st.dictionaries(NAMED, TELLING, max_size=4) | st.lists(TELLING, max_size=3),
       st.sampled_from([(",", ":"), (", ", ": "), (" ,", " : "), (",\n", "\n:\t")]), st.integers(0, 400))
def test_the_quick_look_finds_what_the_close_one_finds(value, separators, cut):
    """In whatever JSON, also cut off."""
    text = json.dumps(value, separators=separators).encode()[:cut or None]
    found = masks()
    assert found.body(text, "body") == found._closer(text)


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=8),
                    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
                    max_leaves=20)


@given(JSON, st.sampled_from([None, 1]))
def test_json_stays_json_and_unnamed_values_stay(value, indent):
    text = json.dumps(value, indent=indent).encode()
    assert replaced_values(text, lambda name, in_errors: False, lambda _: b'"x"') == text
    assert json.loads(replaced_values(text, lambda name, in_errors: True, lambda _: b'"x"')) == _all_masked(value)


def _all_masked(value, named=False):
    if isinstance(value, dict):
        return {key: _all_masked(one, True) for key, one in value.items()}
    if isinstance(value, list):
        return [_all_masked(one, named) for one in value]
    return value if not named or value is None or isinstance(value, bool) or value == "" else "x"


@given(st.binary(max_size=200), st.binary(max_size=20))
def test_nothing_is_refused(body, name):
    found = masks()
    for text in (body, b'{"a' + body, b"<" + body, b"--" + body):
        found.body(text, "body")
    found.target(b"/" + body, "URL")
    header_is_shown(name)


def test_deep_nesting_ends_somewhere():
    text = b'{"a":' * 5000 + b'"hidden"'
    assert b"hidden" not in replaced_values(text, lambda name, in_errors: False, lambda _: b'"x"')


def test_names_of_strangers_do_not_stay_in_memory():
    known = Known(b"0" * 16)
    tracemalloc.start()
    try:
        for number in range(100):
            name = b"%d" % number + b"a" * 50_000
            Masks(known).body(b'{"%b":1}' % name, "body")
            Masks(known).fields([(name, name, b"x")], "request header")
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000

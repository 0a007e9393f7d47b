"""A target is sent as it came or refused with a reason; a lone trailing '?' is all that is ever dropped."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proxy.core.target import has_encoded_slash, join_base, origin_form, path_of
from proxy.errors import Refused

ACCEPTED = [
    b"/", b"/a", b"/a/", b"/a/b/c", b"/a.b", b"/.a", b"/a..b", b"/...", b"/..a", b"/a%20b", b"/%C3%A4", b"/%c3%a4",
    b"/%2f", b"/a%2Fb",
    b"/a+b", b"/a?b=c", b"/a?b=c&d=e", b"/a?b=%2B%3D", b"/a?b=c+d", b"/a??", b"/a?b?c", b"/a?//", b"/a?../..",
    b"/a?/./",
    b"/~user", b"/a;v=1", b"/a;..", b"/a:b@c", b"/!$&'()*+,;=", b"/a?%2e%2e", b"/a?b=http://c/d",
    b"/personal/v5/accounts/FI6593857450293470-EUR", b"/%25", b"/%2525", b"/%7f", b"/a%41",
    b"/a?b=%2f%2F%c3%A4", b"/a?b=%7E~",
]

REFUSED = {
    b"*": "asterisk", b"": "does not start", b"a": "does not start", b"?a": "does not start",
    b"http://a/": "does not start",
    b"//": "double slash", b"//a": "double slash", b"/a//b": "double slash", b"/a//": "double slash",
    b"/a//?b": "double slash",
    b"/.": "'..'", b"/..": "'..'", b"/a/./b": "'..'", b"/a/../b": "'..'", b"/a/..": "'..'", b"/a/.": "'..'",
    b"/%2e": "'..'", b"/%2E%2e": "'..'", b"/.%2e/a": "'..'", b"/a/%2e./b": "'..'", b"/..;x/a": "'..'", b"/a/.;": "'..'",
    b"/%2e%2e;a=b/c": "'..'", b"/a/..?b": "'..'",
    b"/a#b": "fragment", b"/#": "fragment", b"/a?b#c": "fragment", b"/a\\b": "backslash", b"/a?b\\c": "backslash",
    "/ä".encode(): "non-ASCII", b"/\xff": "non-ASCII", b"/a?\x80": "non-ASCII",
    b"/a b": "space", b"/a\tb": "control", b"/a\x00": "control", b"/a\x7f": "control", b"/a\r\nX: y": "control",
    b"/a?b\n": "control",
    b"/%": "hexadecimal", b"/%a": "hexadecimal", b"/%0": "hexadecimal", b"/%zz": "hexadecimal", b"/%%41": "hexadecimal",
    b"/a?b=%": "hexadecimal", b"/%u0041": "hexadecimal", b"/%-1": "hexadecimal",
    b"/%00": "encoded NUL", b"/%0a": "encoded NUL", b"/%0A": "encoded NUL", b"/%0d": "encoded NUL",
    b"/%0D%0A": "encoded NUL",
    b"/%5c": "encoded NUL", b"/%5C..": "encoded NUL", b"/a?b=%0d%0aX:y": "encoded NUL", b"/a?%00": "encoded NUL",
}


@pytest.mark.parametrize("target", ACCEPTED)
def test_it_is_sent_as_it_came(target):
    assert origin_form(target) == target


@pytest.mark.parametrize("target", REFUSED)
def test_it_is_refused_with_the_reason(target):
    with pytest.raises(Refused) as refusal:
        origin_form(target)
    assert refusal.value.code == "bad_target"
    assert REFUSED[target] in refusal.value.detail
    assert len(target) < 4 or target.decode("latin-1") not in refusal.value.detail, "the value is not repeated"


@pytest.mark.parametrize(("target", "sent"),
                         [(b"/?", b"/"), (b"/a?", b"/a"), (b"/a/?", b"/a/"), (b"/a%20b?", b"/a%20b"),
                                              (b"/a??", b"/a??"), (b"/a?b?", b"/a?b?")])
def test_a_lone_question_mark_is_dropped(target, sent):
    assert origin_form(target) == sent


_PIECES = st.sampled_from((b"/", b"a", b"..", b".", b"%2e", b"%2F", b"%2f", b"%c3", b"%41", b"%", b"?", b"#", b"\\",
                           b";", b"+", b" ",
                           b"\xff",
                           b"\x00", b"~", b"=", b"&", b"%0a", b"%5c", b"'", b'"', b"{"))
_TARGETS = st.one_of(st.lists(_PIECES, max_size=12).map(b"".join).map(lambda rest: b"/" + rest), st.binary(max_size=30))


@settings(max_examples=1500, deadline=None, database=None, derandomize=True)
@given(_TARGETS)
@example(b"/a?")
@example(b"/a??")
def test_parse_or_refuse_never_rewrite(target):
    try:
        sent = origin_form(target)
    except Refused as error:
        refusal = error
    else:
        refusal = None
    if refusal is not None:
        assert refusal.code == "bad_target"
        assert refusal.detail
        return
    assert sent == target or (target == sent + b"?" and b"?" not in sent)
    path = path_of(sent)
    assert sent[:1] == b"/"
    assert b"//" not in path
    assert not {b".", b".."} & {segment.lower().replace(b"%2e", b".") for segment in path.split(b"/")}
    assert not any(bad in sent.lower() for bad in (b"#", b"\\", b"%00", b"%0a", b"%0d", b"%5c"))
    assert all(0x20 < byte < 0x7F for byte in sent)
    assert origin_form(sent) == sent, "twice is once"


@pytest.mark.parametrize(("base", "target", "joined"), [
    (b"", b"/a", b"/a"), (b"/", b"/a", b"/a"), (b"/base", b"/a", b"/base/a"), (b"/base/", b"/a", b"/base/a"),
    (b"/b/c", b"/", b"/b/c/"), (b"/b/c//", b"/a?d", b"/b/c/a?d"), (b"", b"/", b"/"),
])
def test_the_base_path_is_joined_without_two_slashes(base, target, joined):
    assert join_base(base, target) == joined


@pytest.mark.parametrize(("path", "has"), [(b"/a%2fb", True), (b"/a%2Fb", True), (b"/a%252fb", False), (b"/a/b", False),
                                           (b"/%20", False), (b"/%2", False)])
def test_encoded_slashes_are_seen(path, has):
    assert has_encoded_slash(path) is has

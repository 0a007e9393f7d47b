"""Every mistake, pasted in every form, is the same request; and in some form each is explained from end to end."""

from __future__ import annotations

import itertools
import json
import re

import pytest

from proxy.cli.pasted import read
from proxy.cli.verification import KnownKey, explain, parse
from tests.cli.pasted_forms import FORMS, kind_of
from tests.cli.sealed_by_hand import SECRET, TOKEN, Sealer
from tests.cli.spoiled import CASES, IDS, spoiled


def plain(message):
    """What a verdict depends on, but for the capitals of names and the width of a folded line."""
    fields = sorted((name.lower(), re.sub(r"\s*\n\s*", "\n", value)) for name, value in message.fields
                    if name.lower() not in ("content-length", "host"))
    return message.method, message.target, message.one("host"), fields, message.body


def cannot_hold(form, sealer, headers):
    """Whether this form has no way to write the request, so that nobody can paste it so."""
    names = [name.lower() for name, _ in headers]
    values = "".join(value for _, value in headers)
    text = sealer.body.decode("utf-8", "replace")
    folded, several = "\n" in values, len(names) != len(set(names))
    typeless = bool(text) and "content-type" not in names
    return {
        "bare_feeds": folded,
        "curl_single": typeless, "curl_double": typeless, "curl_ansi": typeless, "curl_one_line": typeless,
        "curl_cmd": typeless or folded or "\r" in text,
        "curl_powershell": typeless or '\\"' in values,
        "invoke": typeless or several or sealer.method.islower(),
        "rest_method": typeless or several or folded or "\r" in text or sealer.method.islower(),
        "postman_lines": folded or "\r" in text or text != text.strip("\n"),
    }.get(form, False)


@pytest.mark.parametrize(("cause", "mistake"), CASES, ids=IDS)
def test_the_same_request_in_every_form(private_key, cause, mistake):
    sealer = spoiled(private_key, mistake)
    headers = sealer.headers()
    expected = plain(parse(FORMS["raw"](sealer, headers)))
    for name, form in FORMS.items():
        if cannot_hold(name, sealer, headers):
            continue
        pasted = form(sealer, headers)
        (found,) = read(pasted)
        assert plain(found.message) == expected, name
        assert read(pasted, found.kind) == [found]


TURNS = itertools.cycle(FORMS)


@pytest.mark.parametrize(("cause", "mistake", "form"), [
    pytest.param(cause, mistake, next(TURNS), id=name) for (cause, mistake), name in zip(CASES, IDS, strict=True)])
def test_the_mistake_is_named_wherever_it_was_copied_from(call, private_key, public_key_file, cause, mistake, form):
    sealer = spoiled(private_key, mistake)
    headers = sealer.headers()
    form = "raw" if cannot_hold(form, sealer, headers) else form
    result = call("verify", "--explain", "--public-key", public_key_file, "--json", stdin=FORMS[form](sealer, headers))
    verdict = json.loads(result.stdout)
    assert (result.exit_code, verdict["cause"]) == (1, cause)
    assert verdict["input"]["format"] == kind_of(form)
    assert SECRET not in result.stdout
    assert TOKEN not in result.stdout


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_right_request_is_right_in_every_form(private_key, form, method):
    sealer = Sealer(private_key, method, **({"body": b""} if method == "GET" else {}))
    (found,) = read(FORMS[form](sealer, sealer.headers()))
    verdict = explain(found.message, [KnownKey("the key", private_key.public_key())])
    assert verdict.findings == ()


def test_a_character_of_powershell_is_decimal_or_hexadecimal():
    (one,) = read(b'PS C:\\> curl "https://open.nordea.com/a$([char]065)$([char]0x42)" -X GET')
    assert one.message.target == "/aAB"


def test_half_of_a_surrogate_pair_in_an_archive_is_bytes_like_any():
    entry = {"method": "POST", "url": "https://open.nordea.com/a", "headers": [{"name": "X", "value": "\ud800"}],
             "postData": {"params": [{"name": "\udfff", "value": "1"}]}}
    (one,) = read(json.dumps(entry).encode())
    assert (one.message.one("x"), one.message.body) == ("\xed\xa0\x80", b"%ED%BF%BF=1")


def test_a_length_that_is_no_number_is_no_length():
    text = "POST /a HTTP/1.1\nHost: open.nordea.com\nContent-Length: \xb2\n\nabc\n\nHTTP/1.1 401 No\n\n"
    (one,) = read(text.encode("latin-1"))
    assert one.message.body == b"abc"

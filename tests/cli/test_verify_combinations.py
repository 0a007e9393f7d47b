"""Mistakes seldom come alone: both are named, and no third one that happens to fit."""

from __future__ import annotations

import random

import pytest

from proxy.cli.verification import KnownKey, explain, parse
from tests.cli.spoiled import FORMS, KEYS, MISTAKES, STRINGS, spoiled

# They begin with another request, or leave nothing of the rest.
ALONE = {"content_lines_added", "signed_charset", "signed_base64", "hashed_twice", "signed_names_missing"}
# How many of its cases are usual enough to be tried together with others.
USUAL = {"other_date": 2, "signed_order": 2, "signed_blank": 1}
# One of these undoes what another did, or makes the same string as a third one.
SAME_PLACE = (
    {"no_query", "other_query", "no_leading_slash", "whole_url", "signed_double_slash", "short_path", "long_path",
     "trailing_slash", "lower_case_path", "other_encoding", "no_method", "http_version", "upper_case_method"},
    {"crlf", "literal_backslash_n", "lines_joined", "signed_spaces", "no_space", "no_colon"},
    {"other_host", "signed_host_port", "signed_host_case", "signed_host_scheme", "signed_blank", "whole_url"},
    {"other_date", "signed_date_zone", "signed_date_format", "line_missing"},
    {"content_lines_missing", "other_content_type", "signed_digest"},
)
# Made last, when all lines are there.
LAYOUT = {"trailing_newline", "crlf", "literal_backslash_n", "lines_joined", "signed_quotes", "signed_spaces"}
INDEPENDENT = ("line_break", "scheme_prefix", "backslashes", "header_spaces", "signature_hex", "signature_base64",
               "algorithm", "header_missing", "digest_hex", "other_hash", "pss_padding")


def pairs(count):
    """Two mistakes in the signing string, or one there and one elsewhere."""
    choice = random.Random(20260)
    strings = [(cause, spoil) for cause, spoils in STRINGS.items() for spoil in spoils[:USUAL.get(cause)]
               if cause not in ALONE]
    forms = [(cause, spoil) for cause in INDEPENDENT for spoil in FORMS.get(cause, KEYS.get(cause))]
    while count:
        one = choice.choice(strings)
        other = choice.choice(forms if choice.random() < 0.5 else strings)
        if one[0] != other[0] and not any({one[0], other[0]} <= place for place in SAME_PLACE):
            count -= 1
            one, other = sorted((one, other), key=lambda mistake: mistake[0] in LAYOUT)
            yield pytest.param([one[1], other[1]], sorted([one[0], other[0]]), id=f"{one[0]}+{other[0]}")


THREE = [pytest.param([MISTAKES[name][0] for name in names], sorted(names), id="+".join(names)) for names in (
    ("no_leading_slash", "upper_case_method", "trailing_newline"), ("crlf", "upper_case_method", "no_space"),
    ("other_host", "upper_case_method", "trailing_newline"))]


@pytest.mark.parametrize(("spoils", "causes"), [*pairs(32), *THREE])
def test_all_of_them_are_named(private_key, spoils, causes):
    verdict = explain(parse(spoiled(private_key, *spoils).message()), [KnownKey("the key", private_key.public_key())])
    assert sorted(finding.cause for finding in verdict.findings) == causes

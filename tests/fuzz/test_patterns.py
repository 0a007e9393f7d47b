"""No regular expression of the proxy takes the square of its input's length, whatever the input."""

from __future__ import annotations

import re

from tests.fuzz.patterns import Used, used, worst

MOST = 100
"""Attacks on each pattern; `make torture` tries ten times as many."""


def test_none_is_quadratic():
    every = used()
    assert len(every) > 150
    assert [found for one in every if (found := worst(one, MOST))] == []


def test_a_quadratic_one_is_seen():
    for pattern in (r"\s+x", r"a:([^!]*?)[ \t]*", r"(?s)<b>.*?</b>"):
        method = "fullmatch" if pattern.startswith("a") else "search"
        assert worst(Used("made", re.compile(pattern), (method,)), 10_000)

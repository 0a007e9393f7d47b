"""No regular expression of the proxy takes the square of its input's length, whatever the input."""

from __future__ import annotations

import re

from tests.fuzz.growth import grows_too_fast
from tests.fuzz.patterns import Used, attacks, run, used

SIZE, MOST = 1500, 500


def _worst(one: Used) -> str:
    """What its worst input took, or "".  Of very many attacks every so manieth is tried."""
    every = attacks(one.pattern)
    for attack in every[:: len(every) // MOST + 1]:
        found = grows_too_fast(run(one), attack.text, SIZE)
        if found:
            return f"{one.name}: {found}, {attack.lead[:30]!r} {attack.unit[:30]!r}* {attack.end[:30]!r}"
    return ""


def test_none_is_quadratic():
    every = used()
    assert len(every) > 150
    assert [found for one in every if (found := _worst(one))] == []


def test_a_quadratic_one_is_seen():
    for pattern in (r"\s+x", r"a:([^!]*?)[ \t]*", r"(?s)<b>.*?</b>"):
        method = "fullmatch" if pattern.startswith("a") else "search"
        assert _worst(Used("made", re.compile(pattern), (method,)))

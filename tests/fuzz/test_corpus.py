"""Every input that is kept holds its target's invariant; mutants of them are the torture's (tests/torture)."""

from __future__ import annotations

import re
from functools import cache

import pytest

from tests.fuzz.target import CORPUS, NAMES, Target, load
from tests.fuzz.trial import attempt, tried


@cache
def target_of(name: str) -> Target:
    return load(name)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_kept_breaks_nothing(name):
    target = target_of(name)
    kept = target.kept()
    assert len(kept) >= 3
    assert [str(broken) for data in kept.values() if (broken := attempt(target, data)) is not None] == []
    assert [str(broken) for broken in tried(target, target.made())[1]] == []


@pytest.mark.parametrize("name", NAMES)
def test_the_docstring_begins_with_the_invariant(name):
    assert re.fullmatch(r"[A-Z][^.]+(?:\.[^ .][^.]*)*\.", target_of(name).invariant), target_of(name).invariant


def test_no_folder_of_the_corpus_is_forgotten():
    assert {path.name for path in CORPUS.iterdir()} == {*NAMES}


def test_a_broken_invariant_is_seen():
    def check(data: bytes) -> None:
        assert b"x" not in data, "no x"

    target = Target("none", "Nothing.", check, (b"x",), lambda: (b"a",), 10, 10)
    count, broken = tried(target, [b"a", b"x"])
    assert (count, [one.data for one in broken]) == (2, [b"x"])
    assert "no x" in str(broken[0])

"""Tries inputs on a target, and tells what broke."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import NamedTuple

from tests.fuzz.damage import mutants
from tests.fuzz.target import Target


class Broken(NamedTuple):
    """why: the exception that came out of check()."""

    target: str
    data: bytes
    why: str

    def __str__(self) -> str:
        return f"{self.target}: {self.data[:120]!r}: {self.why}"


def attempt(target: Target, data: bytes) -> Broken | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as the program does from its start
            target.check(data)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 - a panic in Rust is no Exception, and just what is looked for
        return Broken(target.name, data, f"{type(error).__name__}: {str(error)[:200]}")
    return None


def tried(target: Target, inputs: Iterable[bytes]) -> tuple[int, list[Broken]]:
    """How many inputs there were, and those that broke the invariant."""
    count, broken = 0, []
    for data in inputs:
        count += 1
        found = attempt(target, data)
        if found is not None:
            broken.append(found)
    return count, broken


def mutants_of(target: Target, seed: int, count: int) -> Iterable[bytes]:
    return mutants(target.inputs(), target.tokens, f"{seed} {target.name}", count, target.largest)

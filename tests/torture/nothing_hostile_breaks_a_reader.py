"""Hostile bytes: whatever stands in a message, a file or a variable, its reader keeps its invariant and takes its time.

The readers and what each promises are in tests/fuzz/targets.  Their kept inputs are replayed, many mutants of them are
tried, and inputs of repeats are stretched to see whether the work grows with their length or with its square.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from itertools import islice

from tests.fuzz.growth import grows_too_fast
from tests.fuzz.patterns import used, worst
from tests.fuzz.target import NAMES, Target, load
from tests.fuzz.trial import Broken, attempt, mutants_of, tried
from tests.torture.figures import Figure, at_least, none_of, scaled
from tests.torture.ground import Ground

PROMISE = "hostile bytes"
SEED = 20261121
_LONG = 4096
_LEADS, _UNITS = 3, 60
_SHOWN = 3
_ATTACKS = 1000


async def run(ground: Ground, size: float) -> list[Figure]:
    """In a thread: nothing here needs the loop, and the loop waits for nobody."""
    return await asyncio.to_thread(_figures, size)


def _figures(size: float) -> list[Figure]:
    targets = [load(name) for name in NAMES]
    kept = tries = stretched = 0
    broken: list[Broken] = []
    slow: list[str] = []
    for target in targets:
        inputs = target.inputs()
        kept += len(inputs)
        replayed, found = tried(target, inputs[:: max(1, round(0.1 / size))])
        broken += found
        count, found = tried(target, mutants_of(target, SEED, scaled(target.full, size)))
        tries, broken = tries + replayed + count, broken + found
        for lead, unit in _stretches(target, size):
            stretched += 1
            slow += _too_slow(target, lead, unit)
    return [
        at_least(PROMISE, "readers, each with an invariant of its own", len(targets), 24),
        at_least(PROMISE, "inputs that are kept", kept, 200),
        none_of(PROMISE, "inputs that broke an invariant", len(broken), tries, _some(broken)),
        none_of(PROMISE, "inputs whose work grows faster than their length", len(slow), stretched, _some(slow)),
        _patterns(size),
    ]


def _patterns(size: float) -> Figure:
    every = used()[:: max(1, round(0.1 / size))]
    slow = [found for one in every if (found := worst(one, scaled(_ATTACKS, size)))]
    return none_of(PROMISE, "regular expressions that are not linear", len(slow), len(every), _some(slow))


def _stretches(target: Target, size: float) -> Iterator[tuple[bytes, bytes]]:
    """(what comes first, what is repeated behind it)"""
    inputs = [one for one in target.inputs() if 0 < len(one) < 900]
    units = [*target.tokens, *inputs][:scaled(_UNITS, size)]
    for lead in (b"", *inputs[:_LEADS])[:scaled(_LEADS, size) + 1]:
        yield from ((lead, unit) for unit in units)


def _too_slow(target: Target, lead: bytes, unit: bytes) -> list[str]:
    found = grows_too_fast(lambda data: attempt(target, data), lambda many: lead + unit * (many // len(unit)), _LONG)
    return [f"{target.name}: {found}, {lead[:40]!r} and {unit[:40]!r} again and again"] if found else []


def _some(found: Iterable[object]) -> str:
    return "; ".join(map(str, islice(found, _SHOWN)))

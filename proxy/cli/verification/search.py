"""Mistakes are made one at a time or two together, so their combinations are tried in that order, and not for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from proxy.cli.verification.captured import Captured
from proxy.cli.verification.contents import contents
from proxy.cli.verification.mistakes import Mistake, layout
from proxy.cli.verification.strings import SigningString

MOST = 250_000
"""Strings that are tried at most: about two seconds."""

MOST_BYTES = 1 << 27
"""Their bytes together, for requests with a very long target."""

Signed = Callable[[bytes], bool]
Made = tuple[tuple[Mistake, ...], SigningString]


@dataclass(frozen=True, slots=True)
class Found:
    """string: what was signed, or None.  mistakes: how it comes from the right one.  attempts: strings tried."""

    string: SigningString | None
    mistakes: tuple[Mistake, ...]
    attempts: int


def search(right: SigningString, message: Captured, is_signed: Signed) -> Found:
    """is_signed: whether the signature is over these bytes."""
    most = min(MOST, MOST_BYTES // max(len(right.text()), 1))
    attempts = 0
    for mistakes, string in candidates(right, message):
        attempts += 1
        if is_signed(string.signed_bytes()):
            return Found(string, mistakes, attempts)
        if attempts >= most:
            break
    return Found(None, (), attempts)


def candidates(right: SigningString, message: Captured) -> Iterator[Made]:
    """The right string, then fewest mistakes first, and the common ones before the others.

    Where mistakes meet, those of content are made before those of layout.
    """
    yield (), right
    every = _distinct(right, [*contents(message, right), *layout()])
    made: list[Made] = [((mistake,), mistake.edit(right)) for mistake in every]
    yield from made
    core, others, rare = (
        [one for one in made if one[0][0].kind in kinds] for kinds in (("core",), ("content", "layout"), ("rare",)))
    pairs = [two for index, one in enumerate(core) for two in _further(one, core[index + 1:])]
    yield from pairs
    for one in (*others, *rare):
        yield from _further(one, core)
    yield from _two_more(core, pairs)
    for index, one in enumerate(others):
        yield from _further(one, others[index + 1:])
    yield from _two_more(others, pairs)


def _two_more(ones: list[Made], pairs: list[Made]) -> Iterator[Made]:
    """Each with each pair on top."""
    for (first, second, *_), _ in pairs:
        for one in ones:
            for two in _further(one, [((first,), one[1])]):
                yield from _further(two, [((second,), one[1])])


def _distinct(right: SigningString, mistakes: Iterable[Mistake]) -> list[Mistake]:
    """Without those that change nothing here, or the same as one before."""
    seen, kept = {right}, []
    for mistake in mistakes:
        string = mistake.edit(right)
        if string not in seen:
            seen.add(string)
            kept.append(mistake)
    return kept


def _further(one: Made, others: Iterable[Made]) -> Iterator[Made]:
    """One more mistake made in a string, unless it has the same cause or changes nothing any more."""
    mistakes, string = one
    causes = {mistake.cause for mistake in mistakes}
    for (mistake, *_), _ in others:
        if mistake.cause not in causes:
            changed = mistake.edit(string)
            if changed != string:
                yield (*mistakes, mistake), changed

"""Sentences about what was seen, shared by the causes that they speak for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from msgspec import Struct

from proxy.core.diagnosis.case import Case, Moment

Certainty = Literal["certain", "likely", "possible"]
ORDER: Final[tuple[Certainty, ...]] = ("certain", "likely", "possible")

SETTLING: Final = 600.0
"""Seconds after a change in which the bank may answer from both sides; it promises five minutes."""

ODDITIES: Final[dict[str, str]] = {
    "id_quotes": "The client id has quotation marks around it.",
    "id_space": "The client id holds a space.",
    "id_escape": "The client id holds an escape such as \\n or %0A.",
    "id_hyphens": "The client id is 32 hexadecimal digits without hyphens; the portal may show them.",
    "secret_quotes": "The client secret has quotation marks around it.",
    "secret_space": "The client secret holds a space.",
    "secret_escape": "The client secret holds an escape such as \\n or %0A.",
    "same": "The client secret is the same as the client id.",
}
"""What can be strange about credentials, without saying anything of their value."""


class Candidate(Struct, frozen=True):
    """One cause that may be it.  cause: a key of CAUSES.  evidence: sentences."""

    cause: str
    certainty: Certainty
    evidence: tuple[str, ...] = ()


def found(cause: str, certainty: Certainty, *evidence: str) -> Candidate:
    return Candidate(cause, certainty, tuple(sentence for sentence in evidence if sentence))


def in_order(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """The surest first, otherwise as they came; each cause once."""
    kept: dict[str, Candidate] = {}
    for candidate in sorted(candidates, key=lambda one: ORDER.index(one.certainty)):
        kept.setdefault(candidate.cause, candidate)
    return tuple(kept.values())


def short(fingerprint: str) -> str:
    return f"{fingerprint[:16]}…"


def own_check(case: Case) -> str:
    return "Our own verification of the outgoing message passes." if case.message.checked else ""


def accepted_with_this_key(case: Case) -> bool:
    history = case.history
    return history.accepted is not None and history.accepted_key == case.key.fingerprint


def accepted_since(case: Case, moment: Moment | None) -> bool:
    """Whether a call was accepted after this moment."""
    accepted = case.history.accepted
    return accepted is not None and moment is not None and accepted.seconds > moment.seconds


def goes_on_elsewhere(case: Case) -> bool:
    """Whether another route of the same application had a call accepted while this one refuses."""
    history = case.history
    return (history.elsewhere is not None and history.since is not None
            and history.elsewhere.seconds > history.since.seconds)


def scope(case: Case) -> str:
    """One call, or every call since when."""
    history = case.history
    if not history.known:
        return ""
    last = f"the last accepted one was at {history.accepted.text}" if history.accepted is not None else (
        "none has been accepted since the proxy started")
    if history.refusals < 2 or history.since is None:
        return f"Only this call has been refused so, so far; {last}."
    if history.calls == 1:
        what = f"The last {history.refusals} calls, all of the same kind, have been refused so since"
    else:
        what = f"Every call ({history.refusals} of {history.calls} kinds) has been refused so since"
    also = " Other routes of the application go on." if goes_on_elsewhere(case) else ""
    return f"{what} {history.since.text}; {last}.{also}"

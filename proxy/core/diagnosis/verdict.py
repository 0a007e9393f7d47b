"""A Case -> its causes, the likeliest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from msgspec import Struct

from proxy.core.diagnosis import access, sealing
from proxy.core.diagnosis.case import Case
from proxy.core.diagnosis.causes import CAUSES, Cause
from proxy.core.diagnosis.evidence import Candidate, found, in_order, scope
from proxy.core.diagnosis.kinds import Kind, kind_of


class Diagnosis(Struct, frozen=True):
    """candidates: the likeliest first, at least one.  scope: a sentence about what else is refused, "" unknown."""

    status: int
    code: str
    scope: str
    candidates: tuple[Candidate, ...]

    @property
    def first(self) -> Candidate:
        return self.candidates[0]

    @property
    def cause(self) -> Cause:
        return CAUSES[self.first.cause]

    @property
    def evidence(self) -> str:
        """What speaks for the first cause, as one text."""
        return " ".join(sentence for sentence in (*self.first.evidence, self.scope) if sentence)

    def told(self) -> dict[str, object]:
        """The first cause as flat fields, as log lines have it; what is empty is left out."""
        fields: dict[str, object] = {
            "code": self.code, "cause": self.cause.id, "certainty": self.first.certainty, "side": self.cause.side,
            "what": self.cause.title, "evidence": self.evidence, "todo": self.cause.advice,
            "others": ",".join(candidate.cause for candidate in self.candidates[1:])}
        return {name: value for name, value in fields.items() if value}

    def document(self) -> dict[str, object]:
        """All of it, as /status, a saved exchange and 'explain --json' have it."""
        return {**self.told(), "status": self.status, "scope": self.scope,
                "causes": [_candidate(candidate) for candidate in self.candidates]}


def _candidate(candidate: Candidate) -> dict[str, object]:
    cause = CAUSES[candidate.cause]
    return {"cause": cause.id, "certainty": candidate.certainty, "side": cause.side, "what": cause.title,
            "evidence": list(candidate.evidence), "todo": cause.advice}


def diagnose(case: Case) -> Diagnosis | None:
    """None: this answer raises no question that this proxy could answer."""
    kind = kind_of(case.answer.code, case.answer.status)
    if kind is None:
        return None
    candidates = in_order(_RULES[kind](case))
    return Diagnosis(case.answer.status, case.answer.code, scope(case), candidates)


def _unknown(case: Case) -> Iterator[Candidate]:
    """A refusal without a known reason: whatever is certainly wrong, then an honest word."""
    for rule in (sealing.signature, sealing.certificate, sealing.date, access.subscription):
        yield from (candidate for candidate in rule(case) if candidate.certainty == "certain")
    if case.message.authorization == "missing":
        yield found("token_missing", "possible", "The request has no Authorization header.")
    unread = f"Its body could not be read: {case.answer.unread}." if case.answer.unread else ""
    said = f"The bank says: {case.answer.text}" if case.answer.text else ""
    yield found("unrecognised", "possible", f"The status is {case.answer.status}.", said, unread)


_RULES: Final[dict[Kind, Callable[[Case], Iterator[Candidate]]]] = {
    "signature": sealing.signature, "security": sealing.security, "certificate": sealing.certificate,
    "digest": sealing.digest, "date": sealing.date, "credentials": access.credentials,
    "subscription": access.subscription, "token": access.token, "consent": access.consent, "grant": access.grant,
    "limit": access.limit, "path": access.path, "failure": access.failure, "unknown": _unknown,
}

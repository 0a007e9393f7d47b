"""One thing that is wrong with a sealed request, in a sentence that says what it is and one that says what to do."""

from __future__ import annotations

from dataclasses import dataclass

from proxy.cli.verification.causes import CAUSES


@dataclass(frozen=True, slots=True)
class Finding:
    """cause: a key of CAUSES.  detail: a clause for this occasion.

    signed, expected: what was found beside what should be there; both empty when there is nothing to compare.
    """

    cause: str
    detail: str = ""
    signed: str = ""
    expected: str = ""

    @property
    def sentence(self) -> str:
        title = CAUSES[self.cause][0]
        return f"{title[:-1]}: {self.detail}." if self.detail else title

    @property
    def advice(self) -> str:
        return CAUSES[self.cause][1]

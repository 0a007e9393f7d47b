"""One row of the table of failures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One row of the table.

    code: stable, snake case.  status: HTTP status (0: never leaves by HTTP).  title: one sentence, what is wrong.
    hint: one sentence, what to do.  proxy_status: the error type of RFC 9209 section 2.3, or "" for none.
    """

    code: str
    status: int
    title: str
    hint: str
    proxy_status: str = ""

    @property
    def uncertain(self) -> bool:
        """Whether it may come after sending, when nobody knows if the other side has acted; the hint says so."""
        return "may have acted" in self.hint

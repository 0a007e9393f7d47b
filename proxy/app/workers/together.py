"""What is asked of all workers at once, and what one answer is made of theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from proxy.app.workers.channel import ChannelClosed
from proxy.app.workers.seat import Seat
from proxy.errors import ProxyError

QUICKLY: Final = 2.0
_AT_ONCE: Final = 0.2
"""The same for a worker on its way, which may not listen yet: a probe waits for a second."""
_READ: Final = 130.0
"""Seconds; a keyring that reads for longer than 120 has failed."""
_ADDED: Final = ("in_flight", "connections", "buffered_bytes", "open_tunnels", "memory_budget_bytes")

_THERE: Final = ("ready", "ending")

Answers = dict[Seat, Any]


async def ask_all(seats: Sequence[Seat], name: str, value: object = None, *, seconds: float = QUICKLY,
                  starting: bool = False) -> Answers:
    """Those that serve, or finish what is in hand.  An answer that has not come is the exception that says why.

    starting: those as well that are on their way.
    """
    asked = [seat for seat in seats if seat.state in _THERE or (starting and seat.state == "starting")]
    found = await asyncio.gather(*(
        seat.ask(name, value, seconds=seconds if seat.state in _THERE else _AT_ONCE) for seat in asked),
        return_exceptions=True)
    return dict(zip(asked, found, strict=True))


async def reasons(seats: Sequence[Seat]) -> list[str]:
    """Why not all workers are ready; empty when they are."""
    answers = await ask_all(seats, "reasons", starting=True)
    found: list[str] = []
    for seat in seats:
        said = answers.get(seat)
        if isinstance(said, list):
            found += [f"worker {seat.number}: {reason}" for reason in said]
        else:
            found.append(f"worker {seat.number}: {_without_words(seat)}")
    return found


def _without_words(seat: Seat) -> str:
    """Why it says nothing itself."""
    if seat.state == "ready":
        return "it does not answer"
    return "it is started again" if seat.state == "ended" else seat.state


@dataclass(frozen=True, slots=True)
class ReloadedByAll:
    """What one reload has brought in each worker, by its number; a sentence where it has not answered."""

    rows: Mapping[int, Any]

    @property
    def failed(self) -> list[str]:
        """Places, each with the worker it is in."""
        if not self.rows:
            return ["no worker is there to read anything"]
        return [f"worker {number}: {place}" for number, row in self.rows.items()
                for place in (row["failed"] if isinstance(row, dict) else (row,))]

    def document(self) -> dict[str, object]:
        """That of a single process, from a worker where something failed if there is one; and beside it each worker's
        outcome."""
        documents = [row for row in self.rows.values() if isinstance(row, dict)]
        shown = next((row for row in documents if row["failed"]), documents[0] if documents else {})
        return {**shown, "failed": self.failed,
                "workers": [{"worker": number, "failed": row["failed"] if isinstance(row, dict) else [row]}
                            for number, row in self.rows.items()]}


async def reload(seats: Sequence[Seat]) -> ReloadedByAll:
    answers = await ask_all(seats, "reload", seconds=_READ)
    return ReloadedByAll({seat.number: answer if isinstance(answer, dict) else why(answer)
                          for seat, answer in answers.items()})


def why(error: object) -> str:
    if isinstance(error, ProxyError):
        return f"{error.code}: {error}"
    return "it has ended" if isinstance(error, ChannelClosed) else "it does not answer"


async def rotate(seats: Sequence[Seat], wanted: Mapping[str, str | None]) -> dict[str, Any]:
    """Lets one worker do it; the others follow when that has worked.  Raises ProxyError."""
    first = next((seat for seat in seats if seat.state == "ready"), None)
    if first is None:
        ends = any(seat.state == "ending" for seat in seats)
        raise ProxyError("proxy_ending" if ends else "proxy_starting", "no worker is ready")
    try:
        document: dict[str, Any] = await first.ask("rotate", wanted, seconds=QUICKLY)
    except (ChannelClosed, TimeoutError) as error:
        raise ProxyError("proxy_starting", f"worker {first.number}: {why(error)}") from None
    return document


async def follow(seats: Sequence[Seat], application: str, slot: str, how: str) -> list[int]:
    """-> the workers in which that key does not sign now."""
    answers = await ask_all(seats, "follow", [application, slot, how])
    return [seat.number for seat, signs in answers.items() if signs is not True]


async def report(seats: Sequence[Seat], own: Mapping[str, Any]) -> dict[str, Any]:
    """The document of /status.  own: what the supervisor knows better than any worker."""
    answers = await ask_all(seats, "report", starting=True)
    told = [answer for answer in answers.values() if isinstance(answer, dict)]
    found: dict[str, Any] = {**(told[0] if told else {}), **own}
    found |= {name: sum(row[name] for row in told) for name in _ADDED}
    found["upstreams"] = _upstreams(told)
    found["workers"] = [
        {"worker": seat.number, "pid": seat.pid, "process": seat.state, "restarts": seat.restarts,
         **(answer if isinstance(answer := answers.get(seat), dict) else {"started_at": seat.since.isoformat(
             timespec="seconds")})}
        for seat in seats]
    return found


def _upstreams(told: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, object]]:
    """Counts are added up; the breaker is open when one is; of clocks the furthest off is told."""
    found: dict[str, dict[str, Any]] = {}
    for row in told:
        for upstream, facts in row["upstreams"].items():
            sums = found.setdefault(upstream, {})
            for name, fact in facts.items():
                if name.startswith("clock"):
                    sums[name] = max((one for one in (sums.get(name), fact) if one is not None), key=abs, default=None)
                elif isinstance(fact, int):
                    sums[name] = sums.get(name, 0) + fact
                elif sums.get(name) != "open":
                    sums[name] = fact
    return found

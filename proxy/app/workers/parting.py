"""The end of all workers: each lets go of what it has in hand, and nobody waits for one that does not end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import Final

from proxy.app.ending import Ending
from proxy.app.workers.seat import Seat

log = logging.getLogger("proxy")

_AFTER_THE_DRAIN: Final = 5.0
"""Seconds beyond max_sigterm_delay for a process to end."""
_AT_ONCE: Final = 2.0
"""The same after a second signal."""


async def part(seats: Sequence[Seat], keeping: Iterable[asyncio.Task[None]], ending: Ending, reason: str,
               max_delay: float) -> None:
    """keeping: ends with the process of a seat.  reason: what the workers are told."""
    for seat in seats:
        seat.end(reason)
    left = set(keeping)
    hurry = asyncio.ensure_future(ending.hurried())
    end = asyncio.get_running_loop().time() + max_delay + _AFTER_THE_DRAIN
    while left and not hurry.done() and (seconds := end - asyncio.get_running_loop().time()) > 0:
        done, _ = await asyncio.wait({*left, hurry}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        left -= done
    if left and hurry.done():
        for seat in seats:
            seat.end(reason)        # twice: at once
        _, left = await asyncio.wait(left, timeout=_AT_ONCE)
    hurry.cancel()
    if left:
        log.error("%d workers do not end, and are killed", sum(seat.state != "ended" for seat in seats))
        for seat in seats:
            seat.kill()
        await asyncio.wait(left)

"""Whether an input four times as long takes about four times the CPU, or sixteen.

Nothing here depends on how fast a machine is: the two are compared with each other, CPU time is that of this thread
alone, and what looks too slow is measured again before it is believed.
"""

from __future__ import annotations

from collections.abc import Callable
from time import thread_time
from typing import TypeVar

TIMES = 4
_ALLOWED = 9.0
"""Between 4, for what is linear, and 16, for what is quadratic."""
_TOO_SHORT_S = 0.02
"""Of CPU; what takes less is not worth a word, and cannot be told from noise."""
_AGAIN = 3

Data = TypeVar("Data", str, bytes)


def grows_too_fast(work: Callable[[Data], object], make: Callable[[int], Data], size: int) -> str:
    """ "" or what was measured.  make: the input of a size; work: what is done with it."""
    small, large = make(size), make(size * TIMES)
    for _ in range(_AGAIN):
        long = _cpu(work, large)
        if long < _TOO_SHORT_S:
            return ""
        short = _cpu(work, small)
        if long <= _ALLOWED * short:
            return ""
    return f"{short * 1000:.1f} ms for {len(small):,} characters, {long * 1000:.0f} ms for {len(large):,}"


def _cpu(work: Callable[[Data], object], data: Data) -> float:
    began = thread_time()
    work(data)
    return thread_time() - began

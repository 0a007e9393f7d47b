"""What a proxy says when the bank misbehaves can only be tested against a bank that misbehaves on demand.

A fault is armed for the next `times` requests that match its method and path prefix; one request gets one fault.
"Executed" means: the bank has acted (see `Emulator.executions`), whatever the caller then hears of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Literal

Ending = Literal["close", "abort", "reset"]
ENDINGS = ("close", "abort", "reset")

BEFORE: dict[str, str] = {
    "deaf": "reads the head, never the body; nothing is executed",
    "stall_before": "reads the request, then neither acts nor answers until release",
    "close_before": "closes without acting",
    "reset_before": "resets the connection (RST) without acting",
}
INSTEAD: dict[str, str] = {
    "too_many": "429 in the gateway's form, nothing executed",
    "unavailable": "503 in the gateway's form, nothing executed",
    "gateway_error": "500 in the gateway's form, nothing executed",
    "quota": "429 in the gateway's form, with nothing left of the period's calls",
    "no_api": "404 in the gateway's form: it knows no API at this path",
    "answer": "`status` and `body` instead of its own answer, nothing executed",
}
ON_THE_WAY: dict[str, str] = {
    "content_type_stripped": "judges the request as if its Content-Type had lost its parameters on the way",
    "body_rewritten": "judges the request as if its body had been written anew on the way",
    "target_decoded": "judges the request as if its path and query had been decoded on the way",
    "gzip": "compresses its answer with gzip, asked or not",
    "deflate": "compresses its answer with deflate (zlib)",
    "raw_deflate": "compresses its answer with deflate, without zlib's frame",
}
AFTER: dict[str, str] = {
    "delay": "acts, waits `seconds`, answers",
    "stall": "acts, then answers only on release",
    "close_after": "acts, then closes without any answer",
    "reset_after": "acts, then resets the connection (RST) without any answer",
}
ANSWER: dict[str, str] = {
    "cut_head": "acts, sends the first `after` bytes of the answer, ends the connection",
    "cut_body": "acts, sends the whole head and `after` bytes of the body, ends the connection",
    "length_long": "Content-Length is `after` (at least 1) too large, then the connection ends",
    "length_short": "Content-Length is `after` (at least 1) too small, the surplus follows",
    "length_twice": "two Content-Length headers that differ",
    "length_and_chunked": "Content-Length and Transfer-Encoding: chunked in one answer",
    "bad_chunk": "a chunk size that is no number",
    "bad_header": "a header line without a colon, one folded, one with a NUL",
    "garbage_status": "a first line that is not HTTP",
    "switching": "an unsolicited 101, then bytes of another protocol",
    "interim": "100 and 103 before the answer",
    "unsolicited": "a second answer nobody asked for follows at once",
    "drip": "`after` (at least 1) bytes at a time, every `seconds`",
}
ENDING: dict[str, str] = {
    "close_idle": "a good keep-alive answer, then the connection is closed unannounced",
    "close_announced": "a good answer with Connection: close, then closed",
}
KINDS = {**BEFORE, **INSTEAD, **ON_THE_WAY, **AFTER, **ANSWER, **ENDING}

_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "times": (int,), "skip": (int,), "after": (int,), "status": (int,), "seconds": (int, float)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One order to misbehave; empty `method` and `path` match all requests, `skip` lets that many pass first.

    status, body: of the kind "answer".
    """

    kind: str
    method: str = ""
    path: str = ""
    times: int = 1
    skip: int = 0
    seconds: float = 0.0
    after: int = 0
    ending: Ending = "close"
    status: int = 401
    body: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no fault is called {self.kind!r}; there are {', '.join(KINDS)}")
        if self.ending not in ENDINGS:
            raise ValueError(f"ending is one of {', '.join(ENDINGS)}")
        if not 200 <= self.status <= 599:
            raise ValueError("status is between 200 and 599")
        if self.times < 1 or min(self.skip, self.after, self.seconds) < 0:
            raise ValueError("times is at least 1; skip, after and seconds are not negative")

    @classmethod
    def from_json(cls, value: Any) -> Fault:
        """ValueError says what is wrong."""
        if not isinstance(value, dict) or "kind" not in value:
            raise ValueError('a fault is a JSON object with at least "kind"')
        names = [field.name for field in fields(cls)]
        for name, given in value.items():
            if name not in names:
                raise ValueError(f"a fault has no {name!r}; it has {', '.join(names)}")
            wanted = _JSON_TYPES.get(name, (str,))
            if isinstance(given, bool) or not isinstance(given, wanted):
                raise ValueError(f"{name} is not of the type {wanted[-1].__name__}")  # noqa: TRY004
        return cls(**value)

    def matches(self, method: str, path: str) -> bool:
        return self.method in ("", method) and path.startswith(self.path)


@dataclass(slots=True)
class _Armed:
    fault: Fault
    skip: int
    times: int


class Faults:
    """The armed faults, in order; the first that matches is taken."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._armed: list[_Armed] = []
        self._released = asyncio.Event()
        self.taken = 0

    def add(self, kind: str, **settings: Any) -> Fault:
        """`add("close_after", method="POST", times=2)`; the settings are Fault's."""
        return self.arm(Fault(kind=kind, **settings))

    def arm(self, fault: Fault) -> Fault:
        self._armed.append(_Armed(fault, fault.skip, fault.times))
        return fault

    def pending(self) -> list[Fault]:
        return [armed.fault for armed in self._armed]

    def clear(self) -> None:
        """Disarms all; requests that are stalled stay so until release."""
        self._armed.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The fault for this request, used up by one."""
        armed = next((one for one in self._armed if one.fault.matches(method, path)), None)
        if armed is None:
            return None
        if armed.skip:
            armed.skip -= 1
            return None
        armed.times -= 1
        if not armed.times:
            self._armed.remove(armed)
        self.taken += 1
        self._changed()
        return armed.fault

    async def stall(self) -> None:
        """Returns on the next release."""
        await self._released.wait()

    def release(self) -> None:
        """Lets every request that is stalled now go on."""
        self._released.set()
        self._released = asyncio.Event()

"""Law number two (no payment twice, none lost in silence) is checked by counting, so everything is written down."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from proxy.emulator.verify import Verdict
from proxy.emulator.wire import Head

_BYTES = 256 * 1024 * 1024


@dataclass(slots=True)
class Received:
    """One request as it came.  `head` and `body` are the bytes received (`body` without chunk framing)."""

    number: int
    connection: int
    time: float
    head: bytes
    body: bytes = b""
    framed: bytes = b""
    method: str = ""
    target: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    verdict: Verdict = field(default_factory=Verdict)
    executed: bool = False
    status: int = 0
    fault: str = ""

    @property
    def weight(self) -> int:
        return len(self.head) + len(self.body) + len(self.framed)


@dataclass(frozen=True, slots=True)
class Execution:
    """One request that was accepted and acted on."""

    number: int
    time: float
    method: str
    target: str
    body_sha256: str
    signature_checked: bool
    raw: bytes = field(repr=False)

    @property
    def weight(self) -> int:
        return len(self.raw)


class _Weighed(Protocol):
    @property
    def method(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def weight(self) -> int: ...


_Entry = TypeVar("_Entry", bound=_Weighed)


class Journal(Generic[_Entry]):
    """Keeps the last entries (`keep` of them, and at most 256 MiB); `total` and `by_method` count all there were."""

    def __init__(self, keep: int, changed: Callable[[], None]) -> None:
        self._keep, self._changed = keep, changed
        self._entries: deque[_Entry] = deque()
        self._weight = 0
        self.total = 0
        self.by_method: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[_Entry]:
        return iter(list(self._entries))

    def __getitem__(self, index: int) -> _Entry:
        return self._entries[index]

    def count(self, method: str = "", path: str = "") -> int:
        """All there were; with a path prefix those still kept."""
        if not path:
            return self.by_method[method] if method else self.total
        return sum(method in ("", entry.method) and entry.target.startswith(path) for entry in self._entries)

    def add(self, entry: _Entry) -> None:
        self._entries.append(entry)
        self._weight += entry.weight
        self.total += 1
        self.by_method[entry.method] += 1
        while len(self._entries) > self._keep or (self._weight > _BYTES and len(self._entries) > 1):
            self._weight -= self._entries.popleft().weight
        self._changed()

    def clear(self) -> None:
        self._entries.clear()
        self.by_method.clear()
        self._weight = self.total = 0


class Bell:
    """Rings at every change, so that a test can wait for a state instead of for a time."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(future)
            await future


def execution(number: int, time: float, head: Head, body: bytes, verdict: Verdict) -> Execution:
    digest = hashlib.sha256(body).hexdigest()
    return Execution(number, time, head.method, head.target, digest, verdict.signature_checked, head.raw + body)

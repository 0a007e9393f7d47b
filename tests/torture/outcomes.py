"""Holds what callers were told against what the bank did."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.e2e.line import Answer, Cut, connected, post, request


async def told(port: int, method: str, target: str) -> str:
    """One call on a connection of its own. -> "answered" (2xx), "bank NNN", "cut", or the proxy's word: no, maybe"""
    raw = post(target, method=method) if method in ("POST", "PUT", "PATCH") else request(method, target)
    try:
        async with connected(port) as line:
            return word(await line.ask(raw))
    except (Cut, ConnectionError):
        return "cut"


def word(answer: Answer) -> str:
    if answer.all("Signing-Proxy-Upstream-Sent"):
        return answer.problem[2]
    return "answered" if 200 <= answer.status < 300 else f"bank {answer.status}"


@dataclass(slots=True)
class Books:
    """told: what each caller heard, by target.  twice, lost, lies: targets that break a promise."""

    told: dict[str, str] = field(default_factory=dict)
    twice: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    lies: list[str] = field(default_factory=list)

    def compare(self, executed: Iterable[str]) -> None:
        """executed: the targets that the bank acted on, one entry for each time."""
        counts = Counter(executed)
        for target, word in self.told.items():
            times = counts[target]
            if times > 1:
                self.twice.append(target)
            if word == "answered" and times == 0:
                self.lost.append(target)
            if times and (word == "no" or word.startswith("bank")):
                self.lies.append(target)

    @property
    def bad(self) -> int:
        return len(self.twice) + len(self.lost) + len(self.lies)

    def summary(self) -> str:
        return ", ".join(f"{word} {count}" for word, count in sorted(Counter(self.told.values()).items()))


def request_id(target: str) -> str:
    """Of a call by keep_calling()."""
    return target.strip("/").replace("/", "-")


async def keep_calling(port: int, path: str, books: Books, began: dict[str, float]) -> None:
    """Payments to path/1, path/2 and so on until nobody listens or a call is cut.  began: when each was (monotonic)."""
    number = 0
    while True:
        try:
            async with connected(port) as line:
                while True:
                    number += 1
                    target = f"{path}/{number}"
                    began[target] = time.monotonic()
                    try:
                        answer = await line.ask(post(target, b"{}", f"X-Request-ID: {request_id(target)}"))
                    except Cut:
                        books.told[target] = "cut"
                        return
                    books.told[target] = word(answer)
                    if answer.all("Connection"):
                        break
        except (ConnectionError, OSError):
            return                          # nobody listens: nothing was sent

"""A program: signed calls at a fixed pace on kept connections, and how long each took from the moment it was due.

A pace, because callers that wait for their answers ask less while the proxy is held up, and hide that it was.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from collections import deque

from .caller import REVERSE, Way, read_answer
from .programs import serve


class Pacer:
    """same: every request is the same, byte by byte."""

    def __init__(self, way: Way, connections: int) -> None:
        self._request = way.request("GET", "/personal/v5/accounts")
        self._lines = [way.open() for _ in range(connections)]

    def work(self, seconds: float, per_second: float) -> dict[str, object]:
        """latencies: milliseconds, sorted."""
        free, taken = deque(self._lines), dict[socket.socket, float]()
        waiting, latencies = deque[float](), []
        began = time.perf_counter()
        due = [began + number / per_second for number in range(int(seconds * per_second))]
        upcoming = iter(due)
        following: float | None = next(upcoming)
        with selectors.DefaultSelector() as selector:
            for line in self._lines:
                selector.register(line, selectors.EVENT_READ)
            while len(latencies) < len(due):
                while following is not None and following <= time.perf_counter():
                    waiting.append(following)
                    following = next(upcoming, None)
                while waiting and free:
                    line = free.popleft()
                    taken[line] = waiting.popleft()
                    line.sendall(self._request)
                pause = max(0.0, following - time.perf_counter()) if following is not None else None
                for key, _ in selector.select(pause):
                    line = key.fileobj
                    assert isinstance(line, socket.socket)
                    read_answer(line)
                    latencies.append((time.perf_counter() - taken.pop(line)) * 1000)
                    free.append(line)
        return {"latencies": sorted(latencies)}


class Crowd:
    """As many as there are connections, each asking again at once; every request is the same."""

    def __init__(self, way: Way, connections: int) -> None:
        self._request = way.request("GET", "/personal/v5/accounts")
        self._lines = [way.open() for _ in range(connections)]

    def work(self, seconds: float) -> dict[str, object]:
        began, count = time.perf_counter(), 0
        with selectors.DefaultSelector() as selector:
            for line in self._lines:
                selector.register(line, selectors.EVENT_READ)
                line.sendall(self._request)
            while time.perf_counter() < began + seconds:
                for key, _ in selector.select():
                    assert isinstance(key.fileobj, socket.socket)
                    read_answer(key.fileobj)
                    key.fileobj.sendall(self._request)
                    count += 1
            took = time.perf_counter() - began
        for line in self._lines:
            read_answer(line)
        return {"requests": count, "seconds": took}


if __name__ == "__main__":
    settings = json.loads(sys.argv[1])
    way = Way(REVERSE, settings["port"], "", "")
    serve((Crowd if settings["crowd"] else Pacer)(way, settings["connections"]).work)

"""A program: asks the source for bytes through a relay and counts them, as fast as it can or as slowly as told."""

from __future__ import annotations

import json
import sys
import threading
import time

from . import dialling
from .programs import serve

_SLOWLY = 16384
_PAUSE = 0.02


class Sink:
    """connect: host:port of a tunnel, "" where the relay knows where to go."""

    def __init__(self, port: int, connect: str) -> None:
        self._port, self._connect = port, connect

    def work(self, connections: int, size: int, slow_seconds: float = 0) -> dict[str, float]:
        """size: bytes of each connection.  slow_seconds: how long nothing but 800 kB a second is read of each."""
        began = time.perf_counter()
        received = [0] * connections
        threads = [threading.Thread(target=self._drain, args=(received, at, size, began + slow_seconds))
                   for at in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if received != [size] * connections:
            raise ValueError(f"of {size} bytes each {received} arrived")
        return {"bytes": sum(received), "seconds": time.perf_counter() - began}

    def _drain(self, received: list[int], at: int, size: int, slow_until: float) -> None:
        buffer = bytearray(262144)
        slowly = memoryview(buffer)[:_SLOWLY]
        with dialling.plain(self._port, self._connect) as line:
            line.sendall(b"%d\n" % size)
            while time.perf_counter() < slow_until and (count := line.recv_into(slowly)):
                received[at] += count
                time.sleep(_PAUSE)
            while count := line.recv_into(buffer):
                received[at] += count


if __name__ == "__main__":
    settings = json.loads(sys.argv[1])
    serve(Sink(settings["port"], settings["connect"]).work)

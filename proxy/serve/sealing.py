"""Keeps slow keys off the event loop: an RSA-2048 operation is short enough to stay, anything longer is not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from proxy.errors import KeyUnusable, ProxyError
from proxy.keys.source import Lanes, Signer

_LOCAL: Final = Lanes("sign", 2, 1 << 20)
"""For keys in this process: more threads than cores help nobody, and requests in hand are bounded elsewhere."""

Done = Callable[[bytes | ProxyError], None]


class _Threads:
    """One source's threads, and how many signatures they have in hand or in line."""

    def __init__(self, lanes: Lanes) -> None:
        self.most = lanes.threads + lanes.waiting
        self.count = 0
        self.pool = ThreadPoolExecutor(lanes.threads, thread_name_prefix=lanes.name)


class Sealing:
    """Threads for keys whose sign() must not run on the loop; none is started before the first such signature."""

    def __init__(self) -> None:
        self._threads: dict[Lanes, _Threads] = {}

    def submit(self, signer: Signer, message: bytes, done: Done) -> None:
        """done: called on the event loop with the signature or the failure, never before this returns."""
        lanes: Lanes = getattr(signer, "lanes", _LOCAL)
        threads = self._threads.get(lanes)
        if threads is None:
            threads = self._threads[lanes] = _Threads(lanes)
        loop = asyncio.get_running_loop()
        if threads.count >= threads.most:
            loop.call_soon(done, KeyUnusable("signing_busy"))
            return
        threads.count += 1
        future = loop.run_in_executor(threads.pool, signer.sign, message)
        future.add_done_callback(lambda finished: _deliver(threads, finished, done))

    def close(self) -> None:
        for threads in self._threads.values():
            threads.pool.shutdown(wait=False, cancel_futures=True)


def _deliver(threads: _Threads, finished: asyncio.Future[bytes], done: Done) -> None:
    threads.count -= 1
    done(_outcome(finished))


def _outcome(future: asyncio.Future[bytes]) -> bytes | ProxyError:
    if future.cancelled():
        return KeyUnusable("signing_failed", "the proxy is stopping")
    error = future.exception()
    if error is None:
        return future.result()
    return signing_failure(error)


def signing_failure(error: BaseException) -> ProxyError:
    """A key's failure as the caller sees it: as it is where it has a status; of a foreign exception only the type."""
    if isinstance(error, ProxyError) and error.problem.status:
        return error
    return KeyUnusable("signing_failed", error.code if isinstance(error, ProxyError) else type(error).__name__)

"""Keeps slow keys off the event loop: an RSA-2048 operation is short enough to stay, anything longer is not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from proxy.errors import KeyUnusable, ProxyError
from proxy.keys.source import Signer

_THREADS = 2


class Sealing:
    """Threads for keys whose sign() must not run on the loop; none is started before the first such signature."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="sign")

    def submit(self, signer: Signer, message: bytes, done: Callable[[bytes | ProxyError], None]) -> None:
        """done: called on the event loop with the signature or the failure."""
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._threads, signer.sign, message)
        future.add_done_callback(lambda finished: done(_outcome(finished)))

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _outcome(future: asyncio.Future[bytes]) -> bytes | ProxyError:
    if future.cancelled():
        return KeyUnusable("signing_failed", "the proxy is stopping")
    error = future.exception()
    if error is None:
        return future.result()
    return signing_failure(error)


def signing_failure(error: BaseException) -> ProxyError:
    """A key's failure as the caller sees it; only the type of a foreign exception is told."""
    return KeyUnusable("signing_failed", error.code if isinstance(error, ProxyError) else type(error).__name__)

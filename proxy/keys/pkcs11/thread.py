"""One thread owns a PKCS#11 module, its tokens and sessions; everybody else waits for it, each with a deadline.

Two threads with a session each have hung and crashed modules, and `C_Initialize` without arguments promises the module
that there is one (PKCS#11 section 5.4).
"""

from __future__ import annotations

import atexit
import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from contextlib import suppress
from typing import Any, Final, TypeVar

from proxy.errors import KeyUnusable
from proxy.keys.pkcs11.token import Tokens

T = TypeVar("T")

WAITING: Final = 256
"""Requests that may wait for one module; at 3 ms a signature the last waits less than a second."""
_GOODBYE_S: Final = 2.0


class ModuleThread:
    """The owner of one module.  It starts with the first work, loads the module then, and ends with the process.

    load: makes the Tokens, in the thread; one that failed is made again for the next work.
    """

    def __init__(self, path: str, load: Callable[[str], Tokens] = Tokens, waiting: int = WAITING) -> None:
        self.path = path
        self._load = load
        self._tokens: Tokens | None = None
        self._jobs: queue.Queue[tuple[Future[Any], Callable[[Tokens], Any]] | None] = queue.Queue(waiting)
        self._current: Future[Any] | None = None
        self._overdue: Future[Any] | None = None
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def run(self, work: Callable[[Tokens], T], *, deadline: float, code: str) -> T:
        """Blocks until the thread has done work, at most deadline seconds; work nobody waits for is not begun.

        code: of the KeyUnusable when there is no room or no answer in time.  Raises KeyUnusable.
        """
        overdue = self._overdue
        if overdue is not None and not overdue.done():
            # One caller has waited for the module in vain; others would only pile up behind it.
            raise KeyUnusable(code, "the PKCS#11 module has not come back from an earlier call")
        self._start()
        job: Future[T] = Future()
        try:
            self._jobs.put_nowait((job, work))
        except queue.Full:
            raise KeyUnusable(code, "too many requests wait for the PKCS#11 module") from None
        try:
            return job.result(deadline)
        except NotInTime:
            if not job.done():
                job.cancel()
                self._overdue = self._current
            raise KeyUnusable(code, f"the PKCS#11 module did not answer within {deadline:g} seconds") from None

    def close(self) -> None:
        """Logs out and ends, unless the module hangs; further work starts anew."""
        with self._starting:
            if self._thread is None:
                return
            with suppress(queue.Full):
                self._jobs.put(None, timeout=_GOODBYE_S)
                self._thread.join(_GOODBYE_S)
            if not self._thread.is_alive():     # or there would be two
                self._thread = None

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                # A daemon: a module that hangs does not keep the process.
                self._thread = threading.Thread(target=self._serve, name="pkcs11", daemon=True)
                self._thread.start()

    def _serve(self) -> None:
        while (taken := self._jobs.get()) is not None:
            job, work = taken
            if job.set_running_or_notify_cancel():
                self._current = job
                self._do(job, work)
            del taken, job, work        # or the last request would be kept until the next
        if self._tokens is not None:
            self._tokens.close()
            self._tokens = None

    def _do(self, job: Future[Any], work: Callable[[Tokens], Any]) -> None:
        try:
            if self._tokens is None:
                self._tokens = self._load(self.path)
            result = work(self._tokens)
        except BaseException as error:  # noqa: BLE001 - whoever waits is told, and the thread lives on
            job.set_exception(error)
        else:
            job.set_result(result)


_threads: dict[str, ModuleThread] = {}
_registering = threading.Lock()


def thread_of(path: str) -> ModuleThread:
    """The one of this module in this process, by whatever path it is named."""
    path = os.path.realpath(path)
    with _registering:
        if path not in _threads:
            _threads[path] = ModuleThread(path)
        return _threads[path]


if hasattr(os, "register_at_fork"):
    # Threads do not live on in a child, which has to begin anew (PKCS#11 section 5.4, on C_Initialize and fork).
    os.register_at_fork(after_in_child=_threads.clear)


@atexit.register
def close_all() -> None:
    """Before the interpreter goes, so that no module is in a call while its memory is torn down."""
    for thread in tuple(_threads.values()):
        thread.close()

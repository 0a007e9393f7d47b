"""What the process gives up at start, because it holds a company's seal."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import logging
import resource
import signal
import sys
from collections.abc import Callable
from typing import Final

from proxy.serve.logforms import LogFormat
from proxy.serve.logline import LineFormatter, Messages

_PR_SET_DUMPABLE = 4
_SWITCH_S = 0.001
"""After which a thread that is in Python lets another one run: the loop waits no longer for a reload or the log's
writer."""
_NO_END: Final = (signal.SIGHUP, signal.SIGUSR1)
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, *_NO_END)


def harden() -> None:
    """No core dump, and not readable through /proc or ptrace by other processes of the same user."""
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def open_files(wanted: int) -> int:
    """Raises the soft limit on open files as far as the hard one allows; -> what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    target = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < target:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
            soft = target
    return wanted if soft == resource.RLIM_INFINITY else soft


def settle() -> None:
    """What was made at start stays, so the collector skips it; what start no longer needs goes back."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    sys.setswitchinterval(_SWITCH_S)
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):      # musl has no such function
            ctypes.CDLL(None).malloc_trim(0)


def configure_logging(*, form: LogFormat, quiet: bool, debug: bool) -> Messages:
    """Our own loggers at the asked level; libraries only from WARNING on.  -> the handler of all of them."""
    handler = Messages()
    handler.setFormatter(LineFormatter(form))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.ERROR if quiet else logging.WARNING)
    logging.getLogger("proxy").setLevel(logging.ERROR if quiet else logging.DEBUG if debug else logging.INFO)
    logging.raiseExceptions = False
    return handler


def hear(on_signal: Callable[[signal.Signals], None]) -> None:
    """on_signal: told on the running loop of each of SIGNALS.  Those that do not ask for the end are no handlers of the
    loop, as it would give each its default, which is to end the process, before over() can ignore it."""
    loop = asyncio.get_running_loop()
    waiting: set[int] = set()

    def tell(received: int) -> None:
        waiting.discard(received)
        on_signal(signal.Signals(received))

    def heard(received: int, _: object) -> None:
        if received not in waiting:         # a flood of them is one
            waiting.add(received)
            loop.call_soon_threadsafe(tell, received)

    for number in SIGNALS:
        if number in _NO_END:
            signal.signal(number, heard)
            signal.siginterrupt(number, False)
        else:
            loop.add_signal_handler(number, on_signal, number)


def over(messages: Messages) -> None:
    """Everything has been let go of.  Signals that do not ask for the end must not end the process now, with another
    exit code than that of what did: without the loop they would."""
    messages.lines = None
    for number in _NO_END:
        signal.signal(number, signal.SIG_IGN)

"""Several processes write whole lines to one standard error.

A pipe tears what is longer than a page apart when others write too, so whoever writes holds a lock: a file without a
name, inherited by all, whose lock the system takes back from a process that ends.
"""

from __future__ import annotations

import fcntl
import os
import tempfile

from proxy.serve.logline import to_stderr


def made() -> int:
    """-> descriptor of the lock, for all processes."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("signing-proxy-log")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class SharedLog:
    """write for LogLines: called by one thread of each process."""

    def __init__(self, lock: int) -> None:
        self._lock = lock

    def __call__(self, data: bytes) -> None:
        fcntl.lockf(self._lock, fcntl.LOCK_EX)
        try:
            to_stderr(data)
        finally:
            fcntl.lockf(self._lock, fcntl.LOCK_UN)

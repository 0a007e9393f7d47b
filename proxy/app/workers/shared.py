"""What several processes write to: one standard error, and the numbers of their connections.

A pipe tears what is longer than a page apart when others write too, so whoever writes holds a lock on a file without a
name that all inherit; the system takes the lock back from a process that ends.  The numbers are in the same file.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import tempfile
from typing import Final

from proxy.serve.logline import to_stderr
from proxy.wire.queue import NOBODY

_MOST: Final = 64
_NUMBER: Final = struct.Struct("=i")


def made() -> int:
    """-> its descriptor, for all processes."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("signing-proxy")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.write(descriptor, _NUMBER.pack(NOBODY) * _MOST)
    return descriptor


def numbers(descriptor: int) -> memoryview:
    """One for each worker, the same memory in every process."""
    return memoryview(mmap.mmap(descriptor, _NUMBER.size * _MOST)).cast("i")


class SharedLog:
    """write for LogLines: called by one thread of each process."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __call__(self, data: bytes) -> None:
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX)
        try:
            to_stderr(data)
        finally:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN)

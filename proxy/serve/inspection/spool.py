"""Exchanges in a file, one saved exchange a line, for a developer who wants yesterday's as well.

Readable by its owner alone, and bounded: at half of the limit the file becomes `<name>.1`, in place of an older one.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Sequence

import msgspec

from proxy.errors import ProxyError
from proxy.serve.inspection.kept import Kept
from proxy.serve.inspection.views import document

log = logging.getLogger(__name__)

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class SpoolFile:
    """Implements tape.Spool: written by a thread of the tape, one at a time."""

    def __init__(self, path: str, most_bytes: int) -> None:
        """most_bytes: of both files together.  Raises ProxyError("spool_unusable")."""
        self._path = path
        self._most = most_bytes // 2
        try:
            self._file = _opened(path)
        except OSError as error:
            raise ProxyError("spool_unusable", f"{path!a}, {error.strerror or 'it cannot be used'}") from None
        self._size = os.fstat(self._file).st_size

    def write(self, calls: Sequence[Kept]) -> None:
        """A disk that is full ends the spool, not the proxy."""
        if self._file < 0:
            return
        try:
            for call in calls:
                self._line(msgspec.json.encode(document(call)) + b"\n")
        except OSError as error:
            log.warning("the inspector's spool file cannot be written any more (%s); it stays as it is", error.strerror)
            self.close()

    def _line(self, line: bytes) -> None:
        if self._size and self._size + len(line) > self._most:
            os.close(self._file)
            os.replace(self._path, self._path + ".1")
            self._file = _opened(self._path)
            self._size = 0
        view = memoryview(line)
        while view:
            view = view[os.write(self._file, view):]
        self._size += len(line)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _opened(path: str) -> int:
    """A regular file that nobody else can read.  Raises OSError."""
    file = os.open(path, _FLAGS, 0o600)
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode) or found.st_mode & 0o077 or found.st_uid != os.geteuid():
        os.close(file)
        raise OSError(0, "it is not a file that its owner alone can read")
    return file

"""Keeps files so that nobody ever sees half of one, and keeps two processes from making two authorities.

`ca.pem` is written last and removed first: where it is, the key and the issuer beside it are complete, and where it is
not, no client can have trusted anything yet.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from proxy.errors import KeyUnusable
from proxy.keys.guarded import shown

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

CERTIFICATE, ISSUER, KEY = "ca.pem", "issuer.pem", "ca.key"
SECRET_MODE, PUBLIC_MODE = 0o600, 0o644
_LOCK, _UNFINISHED = ".lock", ".new"
_NO_WRITING = (errno.EROFS, errno.EACCES, errno.EPERM)


def prepare(directory: str) -> None:
    """Makes it, for its owner only, unless it is there.  Raises KeyUnusable: ca_directory_unusable."""
    make(directory, 0o700)


def make(directory: str, mode: int = 0o777) -> None:
    """Makes a directory and those above it, unless they are there.  Raises KeyUnusable: ca_directory_unusable."""
    try:
        os.makedirs(directory, mode, exist_ok=True)
    except (OSError, ValueError) as error:
        raise unusable(directory, error) from None


@contextmanager
def locked(directory: str) -> Iterator[bool]:
    """Waits for its turn.  Yields False, without a lock, where nobody could write anyway.

    Raises KeyUnusable: ca_directory_unusable.
    """
    try:
        descriptor = os.open(os.path.join(directory, _LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, SECRET_MODE)
    except OSError as error:
        if error.errno not in _NO_WRITING:
            raise unusable(directory, error) from None
        yield False
        return
    try:
        _wait(directory, descriptor)
        yield True
    finally:
        os.close(descriptor)


def _wait(directory: str, descriptor: int) -> None:
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        raise unusable(directory, error) from None


def write(directory: str, name: str, content: bytes, mode: int) -> None:
    """The whole file or none of it, on disk when this returns.  Raises KeyUnusable: ca_directory_unusable."""
    try:
        descriptor, unfinished = tempfile.mkstemp(_UNFINISHED, f".{name}.", directory)
    except OSError as error:
        raise unusable(directory, error) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.replace(unfinished, os.path.join(directory, name))
        sync(directory)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(unfinished)
        raise unusable(directory, error) from None


def remove(directory: str, name: str) -> None:
    """Gone when this returns, if it was there.  Raises KeyUnusable: ca_directory_unusable."""
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(directory, name))
        sync(directory)
    except OSError as error:
        raise unusable(directory, error) from None


def clear_unfinished(directory: str) -> None:
    """Removes what a process left behind that was killed while it wrote; only for who holds the lock."""
    with contextlib.suppress(OSError):
        for name in os.listdir(directory):
            if name.startswith(".") and name.endswith(_UNFINISHED):
                os.unlink(os.path.join(directory, name))


def sync(directory: str) -> None:
    """Makes the names in it last."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def content(directory: str, name: str) -> bytes | None:
    """Of a file that is public anyway; None when it cannot be read."""
    try:
        with open(os.path.join(directory, name), "rb") as file:
            return file.read()
    except OSError:
        return None


def open_to_others(directory: str) -> bool:
    """Whether others could put their own certificate into it: by its mode, or because it is theirs."""
    try:
        found = os.stat(directory)
    except OSError:
        return False
    if os.name != "posix":
        return False
    return bool(found.st_mode & (stat.S_IWOTH | stat.S_IWGRP)) or found.st_uid not in (0, os.geteuid())


def unusable(directory: str, error: Exception) -> KeyUnusable:
    reason = (error.strerror or "").lower() if isinstance(error, OSError) else "this is not a path"
    return KeyUnusable("ca_directory_unusable", f"{shown(directory)}, {reason or 'unknown error'}")

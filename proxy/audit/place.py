"""The files of one trail, which one process alone appends to.

    FILE                the one that is written
    FILE.<first>-<last> earlier ones, by the numbers of their lines, so that their names sort as the chain goes
    FILE.lock           held by the process that writes
All are for their owner only.  A file that somebody has moved away (logrotate) is noticed by its inode.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from pathlib import Path

from proxy.audit import chain
from proxy.audit.chain import START
from proxy.audit.ends import NOTHING, WINDOW, End, end_of
from proxy.errors import ProxyError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

MODE = 0o600
_NO_TRAIL = "it does not end as an audit trail does"
_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_SAFE = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | _SAFE
_ROTATED = re.compile(r"\.(\d{12,18})-(\d{12,18})")

sync = getattr(os, "fdatasync", os.fsync)


def unusable(path: str | Path, why: str) -> ProxyError:
    return ProxyError("audit_unusable", f"{path}, {why}")


def reason(error: OSError | ProxyError) -> str:
    if isinstance(error, ProxyError):
        return error.detail
    return (error.strerror or type(error).__name__).lower()


class Place:
    """path: of FILE.  size, inode: of the open file.  Everything but close() may raise OSError once it is open."""

    def __init__(self, file: str) -> None:
        self.path = Path(os.path.abspath(file))
        self.size = 0
        self.inode = (0, 0)
        self._file = -1
        self._lock = -1

    # --- start and end

    def open(self) -> End:
        """Takes the lock and opens FILE.  -> where the trail goes on.

        Raises ProxyError: audit_unusable, audit_locked.
        """
        try:
            self._make_directory()
            self._take_lock()
            self.reopen()
            return self._end()
        except OSError as error:
            raise unusable(self.path, reason(error)) from None

    def _make_directory(self) -> None:
        directory = self.path.parent
        with contextlib.suppress(FileExistsError):
            directory.mkdir(0o700, parents=True)
        self.check_directory()

    def check_directory(self) -> None:
        """Raises ProxyError("audit_unusable"), OSError."""
        directory = self.path.parent
        found = directory.stat()
        if os.name == "posix" and (found.st_uid not in (0, os.geteuid()) or found.st_mode & _OTHERS):
            raise unusable(directory, "others may write to this directory")

    def _take_lock(self) -> None:
        self._lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | _SAFE, MODE)
        try:
            if fcntl is not None:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ProxyError("audit_locked", str(self.path)) from None

    def reopen(self) -> None:
        """FILE as it is now, made when it is missing.  Raises ProxyError("audit_unusable") when it is not ours."""
        file = os.open(self.path, _APPEND, MODE)
        try:
            found = os.fstat(file)
            _check(self.path, found)
        except BaseException:
            os.close(file)
            raise
        self._let_go()
        self._file, self.size, self.inode = file, found.st_size, (found.st_dev, found.st_ino)

    def _let_go(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def disown(self) -> None:
        """The open file is not this trail's; the next look finds it moved."""
        self.inode = (0, 0)

    def close(self) -> None:
        for descriptor in (self._file, self._lock):
            if descriptor >= 0:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
        self._file = self._lock = -1

    # --- writing

    @property
    def moved(self) -> bool:
        """Whether FILE is another file by now, or none."""
        try:
            found = os.stat(self.path, follow_symlinks=False)
        except FileNotFoundError:
            return True
        return (found.st_dev, found.st_ino) != self.inode

    def append(self, data: bytes) -> tuple[int, str]:
        """-> how many bytes are in the file, and why not all of them."""
        view, written = memoryview(data), 0
        try:
            while written < len(data):
                count = os.write(self._file, view[written:])
                written += count
                self.size += count
        except OSError as error:
            return written, reason(error)
        return written, ""

    def sync(self) -> None:
        sync(self._file)

    def rotate(self, first: int, last: int) -> None:
        """FILE, whose lines have these numbers, gets its name as a rotated one, and a new FILE is begun."""
        new = Path(f"{self.path}.{first:012}-{last:012}")
        if new.exists():
            raise FileExistsError(17, f"{new.name} exists already")
        os.rename(self.path, new)
        self.reopen()
        self.sync_names()

    def sync_names(self) -> None:
        """Makes the names in the directory last."""
        directory = os.open(self.path.parent, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    # --- what there is

    def rotated(self) -> list[Path]:
        """In the order of the chain; those that logrotate made are not among them."""
        names = ((path, _ROTATED.fullmatch(path.name.removeprefix(self.path.name))) for path in self._beside())
        return [path for _, path in sorted((int(found[1]), path) for path, found in names if found is not None)]

    def first_line(self) -> tuple[int, str]:
        """Number and time of FILE's first line; (0, "") when there is none."""
        with open(self.path, "rb") as file:
            link = chain.read(file.readline(WINDOW).rstrip(b"\n"))
        return (link.head.seq, str(link.fields.get("time", ""))) if link is not None else (0, "")

    def _beside(self) -> list[Path]:
        name = self.path.name
        return [path for path in self.path.parent.iterdir() if path.name.startswith(f"{name}.")
                and path.suffix not in (".lock", ".gz") and path.is_file() and not path.is_symlink()]

    def _end(self) -> End:
        """Of FILE; as far as that has no line yet, of whichever file beside it has the highest number."""
        own = end_of(self.path)
        if own is None:
            raise unusable(self.path, _NO_TRAIL)
        if own.head != START:
            return own
        ends = [end for path in self._beside() if (end := end_of(path)) is not None]
        return own.after(max(ends, key=lambda end: end.head.seq, default=NOTHING))


def judge(file: str) -> str:
    """What the proxy would find there at its start, for `check`, which changes nothing.

    Raises ProxyError("audit_unusable").
    """
    place = Place(file)
    try:
        if not place.path.parent.exists():
            return "its directory is made when the proxy starts"
        place.check_directory()
        found = os.stat(place.path, follow_symlinks=False) if os.path.lexists(place.path) else None
        if found is None:
            return "it is made when the proxy starts"
        _check(place.path, found)
        end = end_of(place.path)
    except OSError as error:
        raise unusable(place.path, reason(error)) from None
    if end is None:
        raise unusable(place.path, _NO_TRAIL)
    return f"head {end.head}"


def _check(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise unusable(path, "it is not a regular file")
    if os.name == "posix" and found.st_uid != os.geteuid():
        raise unusable(path, "it belongs to another user")
    if os.name == "posix" and found.st_mode & 0o077:
        raise unusable(path, f"it has mode {stat.S_IMODE(found.st_mode):04o} and must be for its owner only, 0600")
    if found.st_nlink != 1:
        raise unusable(path, "it has another name as well (a hard link)")

"""Opens files that hold secrets only when nobody else can read them.

The mode is taken from the open descriptor, so that it belongs to the very bytes that are read: a file that is
swapped between a look and a read gains nothing, and symbolic links (Kubernetes' `..data`) lead to the target's mode.
"""

from __future__ import annotations

import os
import stat

from proxy.errors import KeyUnusable

MAX_BYTES = 1 << 20
_ROOT = 0

_GROUP = stat.S_IRGRP | stat.S_IWGRP
_OTHERS = stat.S_IROTH | stat.S_IWOTH
# O_NONBLOCK: opening a FIFO must not wait for a writer.  Neither flag exists on Windows.
_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)


def read_secret_file(path: str, *, allow_group_read: bool) -> bytes:
    """At most 1 MiB from a regular file that only its owner can read or write.

    allow_group_read: mode 0440 and 0640 pass as well; write access for the group, or any for others, never does.
    Raises KeyUnusable: key_unreadable (missing, no file, too large), key_permissions.
    """
    refused = _OTHERS | (stat.S_IWGRP if allow_group_read else _GROUP)
    return _read(path, refused)


def read_public_file(path: str) -> bytes:
    """At most 1 MiB from a regular file of any mode.  Raises KeyUnusable: key_unreadable."""
    return _read(path, 0)


def doubts(path: str) -> tuple[str, ...]:
    """Who else could put another file in its place, a sentence each.  That may be meant, so it is no reason not to
    start."""
    try:
        file, directory = os.stat(path), os.stat(os.path.dirname(os.path.realpath(path)))
    except (OSError, ValueError):
        return ()
    if os.name != "posix":
        return ()
    found = []
    if file.st_uid not in (_ROOT, os.geteuid()):
        found.append(f"{shown(path)} belongs to another user, who can change it.")
    if directory.st_mode & stat.S_IWOTH and not directory.st_mode & stat.S_ISVTX:
        found.append(f"Everybody may put another file in the place of {shown(path)}; take the right to write away from "
                     "others at its directory.")
    return tuple(found)


def shown(path: str) -> str:
    """The path for a sentence, unless somebody put the key itself where the path belongs."""
    plausible = len(path) <= 255 and path.isprintable() and "-----" not in path
    return path if plausible else "the configured path"


def shown_variable(name: str) -> str:
    """The environment variable for a sentence, unless somebody put the secret itself where its name belongs."""
    plausible = len(name) <= 64 and name.isascii() and name.isidentifier() and name == name.upper()
    return f"the environment variable {name}" if plausible else "the configured environment variable"


def _read(path: str, refused_mode: int) -> bytes:
    try:
        descriptor = os.open(path, _FLAGS)
    except (OSError, ValueError) as error:
        raise KeyUnusable("key_unreadable", f"{shown(path)} {_why(error)}") from None
    try:
        _check(path, os.fstat(descriptor).st_mode, refused_mode)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise KeyUnusable("key_unreadable", f"{shown(path)} {_why(error)}") from None
    finally:
        os.close(descriptor)
    if len(content) > MAX_BYTES:
        raise KeyUnusable("key_unreadable", f"{shown(path)} is larger than 1 MiB")
    return content


def _check(path: str, mode: int, refused_mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise KeyUnusable("key_unreadable", f"{shown(path)} is a directory")
    if not stat.S_ISREG(mode):
        raise KeyUnusable("key_unreadable", f"{shown(path)} is not a regular file")
    # Windows keeps access rights elsewhere; its modes say nothing.
    if os.name == "posix" and mode & refused_mode:
        raise KeyUnusable("key_permissions", f"{shown(path)} has mode {stat.S_IMODE(mode):04o}")


def _why(error: OSError | ValueError) -> str:
    match error:
        case FileNotFoundError() | NotADirectoryError():
            return "does not exist"
        case PermissionError():
            return "may not be opened by this user"
        case IsADirectoryError():
            return "is a directory"
        case _:
            return "cannot be opened"

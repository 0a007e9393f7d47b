"""A pasted command may name files; they are read as its own machine would have, but never more than a body's worth."""

from __future__ import annotations

import os
import stat

from proxy.cli.verification.captured import Unreadable

LARGEST = 16 << 20


def read_named(path: str) -> bytes:
    """A regular file's bytes.  Raises Unreadable, without the path: it may be anything that was pasted."""
    if path == "-":
        raise Unreadable("its body came from standard input; save that in a file and name it with --body-file")
    try:
        # O_NONBLOCK: opening a FIFO must not wait for a writer.
        descriptor = os.open(os.path.expanduser(path), os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError):
        raise Unreadable("a file that it names with @ cannot be opened here; run this where the file is, or give the "
                         "body with --body-file") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Unreadable("what it names with @ is no regular file; give the body with --body-file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(LARGEST + 1)
    except OSError:
        raise Unreadable("a file that it names with @ cannot be read") from None
    finally:
        os.close(descriptor)
    if len(data) > LARGEST:
        raise Unreadable(f"a file that it names with @ is larger than {LARGEST >> 20} MiB")
    return data

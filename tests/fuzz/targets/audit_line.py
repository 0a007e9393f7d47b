"""A line of the audit trail is one that binds to the line before it byte for byte, or none; and a file of any bytes
is verified, or is broken at a place that is told.
"""

from __future__ import annotations

import atexit
import gzip
import tempfile
from functools import cache
from pathlib import Path

from proxy.audit import chain
from proxy.audit.reading import in_order
from proxy.audit.verification import verify
from proxy.errors import ProxyError

TOKENS = (
    b'{"seq":1,"prev":"' + b"0" * 64 + b'",',
    b'"event":"torn","pieces":[',
    b'"event":"pruned","last":0,"hash":"',
    b'"event":"closed","unwritten":1',
    b'"event":"recovered","after":"","lost":2',
    b'"event":"intent","call":"a-1"',
    b"\n",
    b"}",
    b'"seq":2',
    b"\\ud800",
    b"[" * 1200,
)
FULL = 6_000


@cache
def _file() -> Path:
    folder = tempfile.TemporaryDirectory(prefix="fuzz-")
    atexit.register(folder.cleanup)
    return Path(folder.name) / "audit.jsonl"


def seeds() -> tuple[bytes, ...]:
    head, lines = chain.START, []
    for fields in (
        b'{"event":"opened"}',
        b'{"event":"intent","call":"r-1"}',
        b'{"event":"outcome","call":"r-1"}',
        b'{"event":"closed","unwritten":0}',
    ):
        head, line = chain.bind(head, fields)
        lines.append(line)
    return (b"".join(lines), b"".join(lines[2:]), b"".join(lines) + lines[0][:20], str(head).encode())


def check(data: bytes) -> None:
    for line in data.split(b"\n"):
        link = chain.read(line)
        if link is not None:
            head, again = chain.bind(link.before, b"{" + line.split(b",", 2)[2])
            assert (head, again) == (link.head, line + b"\n")
    head = chain.read_head(data.decode("latin-1"))
    assert head is None or chain.read_head(str(head)) == head
    _verified(_file(), data)
    _verified(_file().with_suffix(".gz"), gzip.compress(data, 1, mtime=0))
    _verified(_file().with_suffix(".gz"), data)


def _verified(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    try:
        report = verify(in_order([file]) or [file])
    except ProxyError as error:
        assert error.code == "audit_unreadable"
        return
    assert report.broken is None or report.broken.sentence
    assert all(isinstance(note, str) for note in report.notes)

"""Reads the beginning of a compressed answer, and never makes more of it than a refusal has: 16 KiB of gzip can hold
16 MiB of spaces."""

from __future__ import annotations

import zlib
from typing import Any, Final

LARGEST: Final = 65536
"""Bytes that are made of a compressed body; what is more is cut."""


def decoded(data: bytes, coding: bytes | None) -> tuple[bytes, str]:
    """The body without its content coding (RFC 9110 section 8.4.1), and why it cannot be read, or "".

    data: the body's beginning; one that was cut gives what can be read of it.
    """
    name = (coding or b"").strip(b" \t").lower()
    if name in (b"", b"identity"):
        return data, ""
    try:
        if name in (b"gzip", b"x-gzip"):
            return zlib.decompressobj(31).decompress(data, LARGEST), ""
        if name == b"deflate":
            return _deflated(data), ""
        if name == b"br":
            return _brotli(data)
    except zlib.error:
        return b"", "it is not what its Content-Encoding says"
    return b"", "its Content-Encoding is none that this proxy reads"


def _deflated(data: bytes) -> bytes:
    """In the zlib format, or without it, as some servers send it."""
    try:
        return zlib.decompressobj(15).decompress(data, LARGEST)
    except zlib.error:
        return zlib.decompressobj(-15).decompress(data, LARGEST)


def _brotli(data: bytes) -> tuple[bytes, str]:
    try:
        import brotli  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        return b"", "it is compressed with br, which needs the extra brotli"
    reader: Any = brotli.Decompressor()
    try:
        return reader.process(data, output_buffer_limit=LARGEST)[:LARGEST], ""
    except TypeError:       # before 1.2 it had no bound, and 20 bytes of it can be 16 MiB
        return b"", "it is compressed with br, which needs the Python package brotli from 1.2 on"
    except brotli.error:
        return b"", "it is not what its Content-Encoding says"

"""Broken answers are made from good ones here, as plain bytes, apart from sockets and clocks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from proxy.emulator.answers import Answer, head_bytes, serialise
from proxy.emulator.faults import Fault

_INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
_SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: something\r\n\r\n\x00\x01\x02\x03"
_GARBAGE = b"BANK/1.1 OK two hundred\r\nContent-Length: 0\r\n\r\n"
_UNSOLICITED = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"poison":true}'

CLOSES = frozenset({"cut_head", "cut_body", "length_long", "bad_chunk", "garbage_status", "switching", "bad_header"})


def mangled(answer: Answer, fault: Fault, *, head_only: bool) -> Iterator[bytes]:
    """The bytes of this answer, spoilt as the fault orders."""
    spoil = _SPOILERS.get(fault.kind)
    return spoil(answer, fault) if spoil else serialise(answer, head_only=head_only)


def slices(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes, at most `size` at a time."""
    for piece in pieces:
        for start in range(0, len(piece), size):
            yield piece[start : start + size]


def first_bytes(pieces: Iterable[bytes], count: int) -> Iterator[bytes]:
    for piece in pieces:
        yield piece[:count]
        count -= len(piece)
        if count <= 0:
            return


def _cut_head(answer: Answer, fault: Fault) -> Iterator[bytes]:
    return first_bytes(serialise(answer), fault.after)


def _cut_body(answer: Answer, fault: Fault) -> Iterator[bytes]:
    pieces = serialise(answer)
    head = next(pieces)
    return chain((head,), first_bytes(pieces, fault.after) if fault.after else ())


def _with_length(answer: Answer, *lengths: int) -> Iterator[bytes]:
    head = head_bytes(answer, [(b"Content-Length", b"%d" % length) for length in lengths])
    return chain((head,), answer.pieces)


def _length_and_chunked(answer: Answer, _: Fault) -> Iterator[bytes]:
    head = head_bytes(answer, [(b"Content-Length", b"%d" % answer.length), (b"Transfer-Encoding", b"chunked")])
    chunks = (b"%x\r\n%b\r\n" % (len(piece), piece) for piece in answer.pieces)
    return chain((head,), chunks, (b"0\r\n\r\n",))


def _bad_chunk(answer: Answer, _: Fault) -> Iterator[bytes]:
    head = head_bytes(answer, [(b"Transfer-Encoding", b"chunked")])
    return iter((head, b"5\r\nfirst\r\n", b"0x-1\r\n", b"second\r\n0\r\n\r\n"))


def _bad_header(answer: Answer, _: Fault) -> Iterator[bytes]:
    pieces = serialise(answer)
    bad = b"\r\nno colon here\r\nX-Nul: a\x00b\r\nX-Folded: a\r\n b\r\n"
    return chain((next(pieces).replace(b"\r\n", bad, 1),), pieces)


_SPOILERS: dict[str, Callable[[Answer, Fault], Iterator[bytes]]] = {
    "cut_head": _cut_head,
    "cut_body": _cut_body,
    "length_long": lambda answer, fault: _with_length(answer, answer.length + max(fault.after, 1)),
    "length_short": lambda answer, fault: _with_length(answer, max(answer.length - max(fault.after, 1), 0)),
    "length_twice": lambda answer, _: _with_length(answer, answer.length, answer.length + 1),
    "length_and_chunked": _length_and_chunked,
    "bad_chunk": _bad_chunk,
    "bad_header": _bad_header,
    "garbage_status": lambda _, __: iter((_GARBAGE,)),
    "switching": lambda _, __: iter((_SWITCHING,)),
    "interim": lambda answer, _: chain((_INTERIM,), serialise(answer)),
    "unsolicited": lambda answer, _: chain(serialise(answer), (_UNSOLICITED,)),
}

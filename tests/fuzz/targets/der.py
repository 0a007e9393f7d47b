"""DER is taken apart into elements that put together again are the same bytes, or a ValueError; an object
identifier reads back as what it was written from.
"""

from __future__ import annotations

from proxy.emulator.der import oid
from proxy.keys import der
from proxy.keys.unlock import is_pss

TOKENS = (
    b"\x30\x80",
    b"\x30\x84\xff\xff\xff\xff",
    b"\x06\x03\x55\x04\x03",
    b"\x02\x01\x03",
    b"\x0c\x02ab",
    b"\x1f\x81",
    b"\x30\x81\x80",
    b"\x00\x00",
    b"\xa0\x03",
    b"\x04\x00",
    b"\x06\x01\x80",
)


def check(data: bytes) -> None:
    is_pss(data)
    try:
        found = der.elements(data)
    except ValueError:
        return
    assert b"".join(one.raw for one in found) == data
    for one in found:
        assert der.written(one.tag, one.value) == one.raw
        _identifier(one)
        try:
            one.children()
        except ValueError:
            continue


def _identifier(one: der.Element) -> None:
    try:
        dotted = der.dotted(one)
    except ValueError:
        return
    first, second = map(int, dotted.split(".")[:2])
    assert first in (0, 1, 2) and (first == 2 or second < 40)
    assert oid(dotted) == one.raw

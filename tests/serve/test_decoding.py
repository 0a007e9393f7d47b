"""Compressed refusals are read up to a bound, and what cannot be read is said."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.serve.decoding import LARGEST, decoded

PLAIN = b'{"moreInformation":"Invalid client id or secret."}' * 3


def raw_deflate(data: bytes) -> bytes:
    squeeze = zlib.compressobj(wbits=-15)
    return squeeze.compress(data) + squeeze.flush()


@pytest.mark.parametrize(("coding", "data"), [
    (None, PLAIN), (b"", PLAIN), (b"identity", PLAIN), (b"gzip", gzip.compress(PLAIN, mtime=0)),
    (b" GZip ", gzip.compress(PLAIN, mtime=0)),
    (b"x-gzip", gzip.compress(PLAIN, mtime=0)), (b"deflate", zlib.compress(PLAIN)), (b"deflate", raw_deflate(PLAIN))])
def test_every_coding(coding, data):
    assert decoded(data, coding) == (PLAIN, "")


def test_of_a_cut_body_what_there_is():
    noise = bytes(range(256)) * 20
    text, why = decoded(gzip.compress(noise, 0)[:2000], b"gzip")
    assert noise.startswith(text)
    assert len(text) > 1000
    assert why == ""


@pytest.mark.parametrize(("coding", "make"), [
    (b"gzip", gzip.compress), (b"deflate", zlib.compress), (b"deflate", raw_deflate)])
def test_a_bomb_ends_at_the_bound(coding, make):
    bomb = make(b" " * (64 << 20))
    assert len(bomb) < 1 << 20
    text, _ = decoded(bomb, coding)
    assert len(text) == LARGEST


@pytest.mark.parametrize(("coding", "data", "why"), [
    (b"gzip", PLAIN, "not what its Content-Encoding says"), (b"deflate", b"\xff" * 9, "not what"),
    (b"zstd", PLAIN, "none that this proxy reads"), (b"gzip, br", PLAIN, "none that this proxy reads")])
def test_what_cannot_be_read(coding, data, why):
    text, said = decoded(data, coding)
    assert text == b""
    assert why in said


def test_brotli_where_its_package_is():
    brotli = pytest.importorskip("brotli", reason="needs the Python package brotli: pip install 'brotli>=1.2'")
    assert decoded(brotli.compress(PLAIN), b"br") == (PLAIN, "")
    assert len(decoded(brotli.compress(b" " * (64 << 20)), b"br")[0]) == LARGEST
    assert decoded(b"\xff" * 9, b"br")[1] == "it is not what its Content-Encoding says"


def test_brotli_where_it_is_not(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "brotli", None)
    assert decoded(b"x", b"br") == (b"", "it is compressed with br, which needs the extra brotli")


@given(st.binary(max_size=300), st.sampled_from([b"gzip", b"deflate", b"br", b"other"]))
def test_no_body_is_too_strange(data, coding):
    text, _ = decoded(data, coding)
    assert len(text) <= LARGEST

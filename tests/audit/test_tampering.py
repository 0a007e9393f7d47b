"""Whatever is done to the lines of a trail shows, and what is no tampering is told apart from it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from proxy.audit import chain
from proxy.audit.chain import Head
from tests.audit.trails import judged, opened, outcome, write

LINES = 22      # opened, ten calls, closed


@pytest.fixture
def trail(tmp_path) -> Path:
    path = tmp_path / "audit.jsonl"
    write(path, range(10))
    return path


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def forged(lines: list[bytes], at: int) -> bytes:
    """A line that follows properly from the one before it."""
    link = chain.read(lines[at - 1].rstrip(b"\n"))
    return chain.bind(link.head, outcome(99).encode("run"))[1]


TAMPERINGS = {
    "the first line removed": lambda lines: lines[1:],
    "the first ten removed": lambda lines: lines[10:],
    "a line removed": lambda lines: [*lines[:7], *lines[8:]],
    "three lines removed": lambda lines: [*lines[:7], *lines[10:]],
    "two lines swapped": lambda lines: [*lines[:7], lines[8], lines[7], *lines[9:]],
    "a line moved": lambda lines: [*lines[:7], *lines[8:15], lines[7], *lines[15:]],
    "a line twice": lambda lines: [*lines[:8], lines[7], *lines[8:]],
    "a digit changed": lambda lines: [*lines[:7], lines[7].replace(b'"1f"', b'"2f"'), *lines[8:]],
    "a word changed": lambda lines: [*lines[:7], lines[7].replace(b"payments", b"accounts"), *lines[8:]],
    "white space added": lambda lines: [*lines[:7], lines[7].replace(b'",', b'", ', 1), *lines[8:]],
    "white space at the end": lambda lines: [*lines[:7], lines[7][:-1] + b" \n", *lines[8:]],
    "a number changed": lambda lines: [*lines[:7], lines[7].replace(b'"seq":8', b'"seq":9'), *lines[8:]],
    "a line put in": lambda lines: [*lines[:7], forged(lines, 7), *lines[7:]],
    "a line replaced": lambda lines: [*lines[:7], forged(lines, 7), *lines[8:]],
    "an empty line": lambda lines: [*lines[:7], b"\n", *lines[7:]],
    "junk put in": lambda lines: [*lines[:7], b"junk\n", *lines[7:]],
    "a cut line in the middle": lambda lines: [*lines[:7], lines[7][:50] + b"\n", *lines[8:]],
    "a line break removed": lambda lines: [*lines[:7], lines[7][:-1], *lines[8:]],
    "carriage returns": lambda lines: [line[:-1] + b"\r\n" for line in lines],
    "another trail's line": lambda lines: [*lines[:7], lines[7].replace(b"run-", b"nur-"), *lines[8:]],
}


@pytest.mark.parametrize("kind", TAMPERINGS)
def test_a_changed_trail_is_broken(trail, kind):
    before = lines_of(trail)
    after = TAMPERINGS[kind](before)
    assert after != before
    trail.write_bytes(b"".join(after))
    report = judged(trail)
    assert report.broken is not None
    assert report.broken.file == str(trail)
    first = next(number for number, pair in enumerate(zip(before, after, strict=False), 1) if pair[0] != pair[1])
    assert report.broken.line in (first, first + 1)     # a changed line shows where the next one is bound to it


def test_the_whole_one_holds(trail):
    report = judged(trail)
    assert (report.broken, report.notes) == (None, [])
    assert (report.lines, report.intents, report.outcomes, report.open) == (LINES, 10, 10, {})
    assert report.last.seq == LINES


@pytest.mark.parametrize("bit", range(8))
def test_no_bit_of_any_line_but_the_last_can_be_changed(trail, bit):
    data = trail.read_bytes()
    last = data.rindex(b"\n", 0, -1) + 1
    for index in range(bit, last, 97):
        changed = bytearray(data)
        changed[index] ^= 1 << bit
        trail.write_bytes(changed)
        assert judged(trail).broken is not None, index


class TestTheEnd:
    """Nothing follows from the last line, so only a head that was kept elsewhere proves it."""

    def test_lines_cut_off_are_told_as_an_end_that_was_not_orderly(self, trail):
        trail.write_bytes(b"".join(lines_of(trail)[:-2]))
        report = judged(trail)
        assert report.broken is None
        assert len(report.notes) == 1
        assert "not that of an orderly end" in report.notes[0]
        assert list(report.open) == ["run-9"]

    def test_an_anchor_shows_that_they_are_missing(self, trail):
        head = judged(trail).last
        trail.write_bytes(b"".join(lines_of(trail)[:-3]))
        report = judged(trail, head)
        assert report.broken is not None
        assert "its end was cut off" in report.broken.sentence

    @pytest.mark.parametrize("at", [1, 7, LINES])
    def test_an_anchor_shows_a_trail_that_was_written_anew(self, trail, at):
        anchor = chain.read(lines_of(trail)[at - 1].rstrip(b"\n")).head
        assert judged(trail, anchor).broken is None
        trail.unlink()
        write(trail, range(20, 30))
        report = judged(trail, anchor)
        assert report.broken is not None
        assert f"line {at} is not the one that the anchor was taken of" in report.broken.sentence

    def test_a_changed_last_line_differs_from_its_anchor(self, trail):
        head = judged(trail).last
        trail.write_bytes(trail.read_bytes().replace(b'"unwritten":0', b'"unwritten":1'))
        assert judged(trail).broken is None
        assert judged(trail, head).broken is not None

    def test_a_line_cut_short_is_tolerated_with_a_word(self, trail):
        data = trail.read_bytes()
        trail.write_bytes(data[:-20])
        report = judged(trail)
        assert report.broken is None
        assert report.lines == LINES - 1
        assert "the last line is cut short" in report.notes[0]

    def test_two_of_them_are_not(self, trail):
        trail.write_bytes(trail.read_bytes()[:-20] + b"\n" + trail.read_bytes()[-100:-50])
        assert judged(trail).broken is not None

    def test_an_anchor_that_is_in_no_file(self, trail):
        report = judged(trail, Head(0, "1" * 64))
        assert report.broken is not None

    def test_nothing_at_all(self, trail):
        trail.write_bytes(b"")
        assert judged(trail).broken is not None


@pytest.fixture
def rotated(tmp_path) -> list[Path]:
    """The files of one trail, oldest first."""
    path = tmp_path / "audit.jsonl"
    write(path, range(12), rotate_bytes=2500)
    write(path, range(12, 15), rotate_bytes=2500)
    files = [*sorted(tmp_path.glob("audit.jsonl.0*")), path]
    assert len(files) >= 5
    return files


class TestRotatedFiles:
    def test_the_set_is_read_in_its_order_from_the_newest_name_alone(self, rotated):
        report = judged(rotated[-1])
        assert (report.broken, report.intents, report.outcomes) == (None, 15, 15)

    def test_a_compressed_file_counts_like_any_other(self, rotated):
        packed = rotated[1].with_name(rotated[1].name + ".gz")
        packed.write_bytes(gzip.compress(rotated[1].read_bytes()))
        rotated[1].unlink()
        assert judged(rotated[-1]).broken is None
        packed.write_bytes(gzip.compress(gzip.decompress(packed.read_bytes()).replace(b'"token"', b'"taken"')
                                         .replace(b"payments", b"accounts", 1)))
        assert judged(rotated[-1]).broken is not None

    @pytest.mark.parametrize("which", [0, 1, -2])
    def test_a_file_that_is_missing_shows(self, rotated, which):
        first = chain.read(lines_of(rotated[which])[0].rstrip(b"\n")).head.seq
        rotated[which].unlink()
        broken = judged(rotated[-1]).broken
        assert broken is not None
        assert str(first) in broken.sentence or "begins with line" in broken.sentence

    @pytest.mark.parametrize("kind", ["lines", "bytes"])
    def test_a_file_cut_in_the_middle_of_the_set_shows(self, rotated, kind):
        file = rotated[1]
        kept = b"".join(lines_of(file)[:-1]) if kind == "lines" else file.read_bytes()[:-30]
        file.write_bytes(kept)
        assert judged(rotated[-1]).broken is not None

    def test_older_files_that_are_elsewhere(self, rotated):
        begin = chain.read(lines_of(rotated[2])[0].rstrip(b"\n")).before
        for file in rotated[:2]:
            file.unlink()
        report = judged(rotated[-1])
        assert report.broken is not None
        assert "begins with line" in report.broken.sentence
        assert judged(rotated[-1], partial=True).broken is None
        assert judged(rotated[-1], begin).broken is None
        assert judged(rotated[-1], begin._replace(hash="0" * 64)).broken is not None

    def test_files_that_keep_has_removed_are_no_break(self, tmp_path):
        path = tmp_path / "audit.jsonl"
        write(path, range(30), rotate_bytes=2500, keep=2)
        kept = sorted(tmp_path.glob("audit.jsonl.0*"))
        assert len(kept) == 2
        report = judged(path)
        assert report.broken is None
        assert "are not here, as a later line or an anchor says" in report.notes[0]
        kept[0].unlink()                    # one more than the trail tells of
        assert judged(path).broken is not None


def test_what_a_line_says_cannot_break_the_verifier(tmp_path):
    """Somebody who may write the file may write anything into it."""
    path = tmp_path / "audit.jsonl"
    with opened(path):
        pass
    for fields in (
            {"event": "torn"}, {"event": "torn", "pieces": [1]}, {"event": ["x"]}, {"event": "recovered", "lost": "x"},
            {"event": "pruned", "last": -1}, {"call": {}, "event": "intent"}, {"event": "closed", "unwritten": "9"}):
        head = judged(path).last
        data = path.read_bytes()
        path.write_bytes(data + chain.bind(head, json.dumps(fields).encode())[1])
        judged(path)
        path.write_bytes(data)
    start = b'{"seq":1,"prev":"' + b"0" * 64 + b'",'
    for junk in (start + b"[" * 2000, start + b'"seq":2}', b"\x00" * 200_000, b'{"seq":1,"seq":2}', b"[]"):
        path.write_bytes(junk + b"\n")
        assert judged(path).broken is not None

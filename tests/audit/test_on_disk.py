"""A trail goes on where it stopped: after a restart, a crash at any byte, a full disk, a file that was moved."""

from __future__ import annotations

import json
import os
import re
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate, pairwise
from pathlib import Path

import pytest

from proxy.audit.entries import FIELDS
from proxy.audit.place import judge
from proxy.audit.scribe import RETRY_S
from proxy.errors import ProxyError
from tests.audit.trails import Clock, intent, judged, opened, outcome, scribe, write


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "trail" / "audit.jsonl"


def events(path: Path) -> list[str]:
    return [json.loads(line)["event"] for line in path.read_text().splitlines()]


def test_lines_have_their_fields_in_order_and_no_empty_one(path):
    write(path, range(1))
    opening, before, after, closing = (json.loads(line) for line in path.read_text().splitlines())
    assert (opening["event"], closing["event"]) == ("opened", "closed")
    assert list(after) == [name for name in FIELDS if name in after]
    assert all(after[name] == before[name] for name in before if name not in ("seq", "prev", "time", "event"))
    assert after["time"] == "2026-09-21T14:13:21.000Z"
    assert "" not in after.values()
    assert 0 not in after.values()


def test_the_chain_goes_on_after_a_restart(path):
    write(path, range(3))
    write(path, range(3))
    report = judged(path)
    assert (report.broken, report.notes, report.intents) == (None, [], 6)
    assert events(path).count("opened") == 2


def test_the_chain_goes_on_after_a_crash_at_any_byte(path):
    """What the process wrote last may be cut anywhere; the next one tells of it, and nothing looks like tampering."""
    write(path, range(1))
    data = path.read_bytes()
    lines = data.splitlines(keepends=True)
    ends = {end + near for end in accumulate(map(len, lines)) for near in range(-3, 4)}
    for size in sorted({*range(0, len(data), 5), *ends} & set(range(len(data)))):
        path.write_bytes(data[:size])
        write(path, range(5, 6))
        report = judged(path)
        assert report.broken is None, size
        whole = sum(len(b"".join(lines[:count])) - 1 <= size for count in range(1, len(lines) + 1))
        assert report.lines == whole + 4 + (1 if "torn" in path.read_text() else 0), size
        assert ("cut short" in "".join(report.notes)) == ("torn" in path.read_text())


def test_a_second_crash_while_the_first_is_told(path):
    write(path, range(2))
    path.write_bytes(path.read_bytes()[:-10])
    with opened(path) as writer:
        writer.write([intent(5)])
    data = path.read_bytes()
    for size in range(data.index(b'"event":"torn"') - 90, data.index(b'"event":"opened"', 400) + 50, 3):
        path.write_bytes(data[:size])
        write(path, range(7, 8))
        assert judged(path).broken is None, size


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """No file of this process can grow beyond that, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", [0, 1, 200, 450, 451, 452, 700, 1000])
def test_a_full_disk_cuts_a_batch_and_the_trail_goes_on(path, room):
    clock = Clock()
    with opened(path, "run", clock) as writer:
        batch = [intent(1), outcome(1), intent(2), outcome(2)]
        with disk_of(path.stat().st_size + room):
            written = writer.write(batch)
            assert written < len(batch)
            assert "too large" in writer.failure
            assert writer.due() == RETRY_S
            assert writer.write([]) == 0
            clock.now += RETRY_S
            writer.idle()
            assert writer.failure
        clock.now += RETRY_S
        writer.idle()
        assert writer.failure == ""
        assert writer.write(batch[written:]) == len(batch) - written
    report = judged(path)
    assert report.broken is None
    assert (report.intents, report.outcomes, report.open) == (2, 2, {})
    assert any("could not be written for a while" in note for note in report.notes)


@pytest.mark.parametrize("policy", ["refuse", "continue"])
def test_a_disk_that_is_full_at_the_start(path, policy):
    clock = Clock()
    writer = scribe(path, "run", clock, on_failure=policy)
    with disk_of(0):
        if policy == "refuse":
            with pytest.raises(ProxyError, match="file too large"):
                writer.open()
            return
        writer.open()
    assert writer.failure
    clock.now += RETRY_S
    writer.idle()
    writer.close(unwritten=0)
    assert events(path) == ["recovered", "opened", "closed"]


def test_lines_that_were_dropped_are_told(path):
    writer = scribe(path)
    writer._lost = lambda: 3
    writer.open()
    writer.close(unwritten=2)
    report = judged(path)
    assert (report.broken, report.lost) == (None, 5)


class TestRotation:
    def test_by_size(self, path):
        write(path, range(20), rotate_bytes=3000)
        files = sorted(path.parent.glob("audit.jsonl.0*"))
        assert len(files) > 3
        assert all(3000 <= file.stat().st_size < 4500 for file in files)
        numbers = [tuple(map(int, file.name.rpartition(".")[2].split("-"))) for file in files]
        assert numbers[0][0] == 1
        assert all(before[1] + 1 == after[0] for before, after in pairwise(numbers))

    def test_by_age_also_over_a_restart(self, path):
        clock = Clock()
        with opened(path, "run", clock, rotate_seconds=3600.0) as writer:
            clock.now += 3599
            writer.write([intent(1)])
        clock.now += 2
        with opened(path, "run", clock, rotate_seconds=3600.0):
            pass
        assert len(list(path.parent.glob("audit.jsonl.0*"))) == 1
        assert judged(path).broken is None

    @pytest.mark.parametrize("jump", [-86400 * 400, -7200, 7200, 86400 * 400])
    def test_a_clock_that_is_set_makes_no_file_and_delays_none(self, path, jump):
        clock, ticks = Clock(), Clock()
        with opened(path, "run", clock, ticks, rotate_seconds=3600.0) as writer:
            for seconds, set_by in ((1800, jump), (1700, -jump), (200, jump)):
                clock.now += seconds + set_by
                ticks.now += seconds
                assert not list(path.parent.glob("audit.jsonl.0*"))
                writer.write([intent(1)])
            writer.write([intent(2)])
        assert len(list(path.parent.glob("audit.jsonl.0*"))) == 1

    def test_where_no_other_file_can_be_made_the_old_one_grows(self, path):
        told, clock = [], Clock()
        writer = scribe(path, "run", clock, rotate_bytes=600)
        writer._rotation._told = lambda kind, sentence: told.append(kind)
        writer.open()
        (path.parent / "audit.jsonl.000000000001-000000000002").write_text("in the way")
        for call in range(4):
            writer.write([intent(call)])
        assert told == ["rotate"]
        assert (path.parent / "audit.jsonl.000000000001-000000000002").read_text() == "in the way"
        writer.close(unwritten=0)
        assert events(path) == ["opened", *["intent"] * 4, "closed"]


class TestAMovedFile:
    def test_a_new_one_goes_on_with_the_chain(self, path):
        with opened(path) as writer:
            writer.write([intent(1)])
            path.rename(path.with_name("audit.jsonl.1"))
            writer.write([outcome(1)])
        from proxy.audit.reading import in_order
        from proxy.audit.verification import verify
        report = verify(in_order([path, path.with_name("audit.jsonl.1")]))
        assert (report.broken, report.intents, report.outcomes) == (None, 1, 1)

    def test_also_after_a_restart(self, path):
        write(path, range(2))
        path.rename(path.with_name("audit.jsonl-20261121"))
        path.with_name("audit.jsonl-20261121").rename(path.with_name("audit.jsonl.1"))
        path.touch(mode=0o600)
        write(path, range(2, 4))
        assert json.loads(path.read_text().splitlines()[0])["seq"] == 7

    def test_somebody_else_s_file_in_its_place_is_not_written_to(self, path):
        with opened(path) as writer:
            path.rename(path.with_name("elsewhere"))
            path.touch(mode=0o600)
            path.write_text("mine\n")
            assert writer.write([intent(1)]) == 0
            assert "another file has been put in its place" in writer.failure
            assert path.read_text() == "mine\n"
            path.unlink()
            assert writer.write([intent(1)]) == 1

    def test_its_end_without_a_line_break_is_no_break(self, path):
        write(path, range(2))
        path.write_bytes(path.read_bytes()[:-40])
        with opened(path) as writer:
            writer.write([intent(4)])
        assert judged(path).broken is None


class TestWhoseFilesTheyMayBe:
    def test_files_and_directory_are_the_owner_s_alone(self, path):
        write(path, range(9), rotate_bytes=2500)
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}

    @pytest.mark.parametrize("prepare", [
        lambda path: path.symlink_to(path.with_name("target")),
        lambda path: (path.touch(), path.chmod(0o640)),
        lambda path: (path.touch(mode=0o600), os.link(path, path.with_name("other"))),
        lambda path: path.mkdir(),
        lambda path: os.mkfifo(path, 0o600),
        lambda path: path.parent.chmod(0o777),
        lambda path: path.parent.chmod(0o770),
        lambda path: (path.touch(mode=0o600), path.write_text("somebody's notes\n")),
        lambda path: path.with_name("audit.jsonl.lock").symlink_to(path.with_name("target")),
    ], ids=["symbolic link", "group", "hard link", "directory", "fifo", "open directory", "the group's directory",
            "another content", "lock is a link"])
    def test_what_is_refused(self, path, prepare):
        path.parent.mkdir(mode=0o700)
        prepare(path)
        with pytest.raises(ProxyError) as refused:
            scribe(path).open()
        assert refused.value.code == "audit_unusable"
        if "lock" not in str(list(path.parent.iterdir())):
            with pytest.raises(ProxyError):
                judge(str(path))

    def test_one_process_alone_writes(self, path):
        with opened(path) as first:
            with pytest.raises(ProxyError) as refused:
                scribe(path).open()
            assert refused.value.code == "audit_locked"
            first.write([intent(1)])
        write(path, range(1))
        assert judged(path).broken is None

    def test_what_check_says(self, path):
        assert judge(str(path)) == "its directory is made when the proxy starts"
        path.parent.mkdir(mode=0o700)
        assert judge(str(path)) == "it is made when the proxy starts"
        write(path, range(1))
        assert judge(str(path)) == f"head {judged(path).last}"


@pytest.mark.parametrize(("policy", "forced"), [("never", 0), ("interval", 2), ("always", 5)])
def test_when_lines_are_forced_onto_the_disk(path, policy, forced, monkeypatch):
    """What the kernel does then, no test can see: that it is asked is what is shown."""
    asked, clock = [], Clock()
    monkeypatch.setattr("proxy.audit.place.sync", asked.append)
    with opened(path, "run", clock, fsync=policy, fsync_interval=1.0) as writer:
        for call in range(3):
            writer.write([intent(call)])
            writer.idle()
        clock.now += 1
        writer.idle()
        writer.idle()
    assert len(asked) == forced


def test_the_document_lists_every_field():
    text = (Path(__file__).parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")
    section = text.partition("## Fields")[2].partition("The trail tells of itself")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", section, re.M)) == FIELDS

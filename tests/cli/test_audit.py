"""`audit verify` says in one word and one number whether a trail holds; `audit show` finds a call in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.audit.trails import intent, opened, outcome, write


@pytest.fixture
def trail(tmp_path) -> Path:
    path = tmp_path / "trail" / "audit.jsonl"
    write(path, range(3))
    return path


@pytest.fixture
def killed(trail) -> Path:
    """As trail, and then a process was killed with a call in hand."""
    with opened(trail) as writer:
        writer.write([intent(7), intent(8), outcome(8, "maybe")])
        data = trail.read_bytes()
    trail.write_bytes(data + b'{"seq":1')
    return trail


def test_a_trail_that_holds(call, trail):
    result = call("audit", "verify", trail)
    assert (result.exit_code, result.stderr) == (0, "")
    first, head = result.stdout.splitlines()
    assert first == f"holds: lines 1 to 8, in {trail}; 3 signatures, 3 outcomes"
    seq, _, digest = head.removeprefix("head: ").partition(":")
    assert (seq, len(digest)) == ("8", 64)


def test_a_killed_process_is_told_and_what_it_had_in_hand(call, killed):
    result = call("audit", "verify", killed)
    assert result.exit_code == 0
    assert "note: " + str(killed) + ":13: the last line is cut short" in result.stdout
    assert "1 signature has no outcome" in result.stdout
    assert "no outcome POST /v4/payments route=nordea application=shop request_id=r7" in result.stdout


def test_a_broken_one(call, trail):
    lines = trail.read_bytes().splitlines(keepends=True)
    trail.write_bytes(b"".join([*lines[:3], *lines[5:]]))
    result = call("audit", "verify", trail)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0] == f"broken: {trail}:4: lines 4 to 5 are missing before line 6"
    assert result.stdout.splitlines()[1].startswith("up to there lines 1 to 3 hold; head 3:")


@pytest.mark.parametrize("broken", [False, True])
def test_as_json(call, killed, broken):
    if broken:
        killed.write_bytes(killed.read_bytes().replace(b"r1", b"r9", 1))
    result = call("audit", "verify", killed, "--json")
    document = json.loads(result.stdout)
    assert result.exit_code == (1 if broken else 0)
    assert document["holds"] is not broken
    assert (document["broken"] is not None) is broken
    if not broken:
        assert (document["lines"], document["intents"], document["outcomes"]) == (12, 5, 4)
        assert [one["request_id"] for one in document["unfinished"]] == ["r7"]


def test_anchors(call, trail):
    head = json.loads(call("audit", "verify", trail, "--json").stdout)["head"]
    assert call("audit", "verify", trail, "--anchor", head).exit_code == 0
    lines = trail.read_bytes().splitlines(keepends=True)
    trail.write_bytes(b"".join(lines[:-1]))
    result = call("audit", "verify", trail, "--anchor", head)
    assert result.exit_code == 1
    assert "its end was cut off" in result.stdout
    assert call("audit", "verify", trail, "--anchor", "8:xyz").exit_code == 2


def test_partial(call, tmp_path):
    path = tmp_path / "audit.jsonl"
    write(path, range(9), rotate_bytes=2500)
    oldest = min(tmp_path.glob("audit.jsonl.0*"))
    oldest.unlink()
    assert call("audit", "verify", path).exit_code == 1
    result = call("audit", "verify", path, "--partial")
    assert result.exit_code == 0
    assert "are not here, and are not judged" in result.stdout


def test_what_cannot_be_read(call, tmp_path):
    result = call("audit", "verify", tmp_path / "none")
    assert result.exit_code == 2
    assert result.stderr.startswith("signing-proxy: audit_unreadable: ")
    (tmp_path / "x.gz").write_bytes(b"\x1f\x8bnot gzip")
    assert call("audit", "verify", tmp_path / "x.gz").exit_code == 2


def configured(tmp_path, trail) -> Path:
    path = tmp_path / "proxy.yaml"
    path.write_text(yaml.safe_dump({"applications": {"x": {"client_id": "a", "client_secret_file": "s",
                                                           "key_file": "k"}}, "routes": "nordea",
                                    "audit": str(trail.relative_to(tmp_path))}))
    return path


def test_the_configuration_names_the_file(call, trail, tmp_path):
    path = configured(tmp_path, trail)
    assert call("audit", "verify", "--config-file", path).exit_code == 0
    assert len(call("audit", "show", "--config-file", path).stdout.splitlines()) == 3
    result = call("audit", "verify")
    assert result.exit_code == 2
    assert "No audit trail is named" in result.stderr


def test_check_looks_at_it_and_changes_nothing(call, trail, tmp_path):
    path = configured(tmp_path, trail)
    rows = {row["name"]: row for row in json.loads(call("check", "--json", "--config-file", path).stdout)["checks"]}
    assert rows["audit"]["ok"] is True
    assert rows["audit"]["text"].startswith("head 8:")
    trail.chmod(0o644)
    rows = {row["name"]: row for row in json.loads(call("check", "--json", "--config-file", path).stdout)["checks"]}
    assert (rows["audit"]["ok"], rows["audit"]["code"]) == (False, "audit_unusable")


@pytest.mark.parametrize(("filters", "ids"), [
    ([], ["r0", "r1", "r2", "r8", "r7"]),
    (["--unfinished"], ["r7"]),
    (["--request-id", "r1"], ["r1"]),
    (["--sent", "maybe"], ["r8"]),
    (["--since", "2026-09-21T14:13:23"], ["r2", "r8", "r7"]),
    (["--until", "2026-09-21T14:13:23"], ["r0", "r1"]),
    (["--until", "2026-09-21T14:13:23Z"], ["r0", "r1"]),
    (["--application", "till"], []),
    (["--route", "nordea", "--method", "POST", "--until", "2026-09-21T14:13:22"], ["r0"]),
])
def test_show_filters(call, killed, filters, ids):
    result = call("audit", "show", killed, "--json", *filters)
    assert result.exit_code == 0
    assert [json.loads(line)["request_id"] for line in result.stdout.splitlines()] == ids


def test_show_for_people(call, killed):
    first, *_, last = call("audit", "show", killed).stdout.splitlines()
    assert first == ("2026-09-21T14:13:21.000Z 201 sent=yes POST /v4/payments route=nordea application=shop "
                     "request_id=r0 bank_id=b0")
    assert last.startswith("2026-09-21T14:13:27.250Z no outcome POST")


def test_nothing_in_a_trail_can_drive_a_terminal(call, trail):
    trail.write_bytes(trail.read_bytes().replace(b'"request_id":"r0"', b'"request_id":"r\\u001b[2J0"'))
    for arguments in (("show",), ("verify",), ("show", "--json"), ("verify", "--json")):
        assert "\x1b" not in call("audit", arguments[0], trail, *arguments[1:]).stdout


@pytest.mark.parametrize("content", [b"", b"nothing of the kind\n", b"\x00" * 100_000])
def test_a_file_that_is_no_trail_is_named(call, tmp_path, content):
    path = tmp_path / "other"
    path.write_bytes(content)
    shown, judged = call("audit", "show", path), call("audit", "verify", path)
    assert (shown.exit_code, shown.stdout) == (0, "")
    assert shown.stderr.startswith(f"signing-proxy: warning: There is no line of an audit trail in {path}. ")
    assert (judged.exit_code, judged.stderr) == (1, "")
    assert judged.stdout.startswith(f"broken: {path}")


@pytest.mark.parametrize("command", ["verify", "show"])
def test_each_of_several_workers_has_a_trail(call, tmp_path, command):
    path = configured(tmp_path, tmp_path / "audit.jsonl")
    path.write_text(path.read_text() + "workers: 2\n")
    result = call("audit", command, "--config-file", path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"Give one as FILE: {tmp_path}/audit-1.jsonl, {tmp_path}/audit-2.jsonl." in result.stderr

"""The table that `make test` prints says what ran, what failed and what to install; README.md tells of every client."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

from tests.e2e.matrix import BY_NAME, CLIENTS, PROGRAMS, ROOT, table

README = (ROOT / "README.md").read_text(encoding="utf-8")


def report(client, column, outcome="passed", *, when="call", reason=""):
    properties = [("client", client), ("version", "1.0"), ("column", column), ("result", "ok")]
    return SimpleNamespace(user_properties=properties, when=when, outcome=outcome, passed=outcome == "passed",
                           skipped=outcome == "skipped", longrepr=("file", 1, f"Skipped: {reason}"))


def test_a_row_for_each_client_in_their_order_and_the_reasons_below():
    header, *rows = table([report("wget", "https://", "failed"), report("curl", "http://", when="setup"),
                           report("curl", "http://"), report("newman", "http://", "skipped", reason="why"),
                           SimpleNamespace(outcome="failed")])
    assert header.split()[:2] == ["client", "version"]
    assert [re.split(r"  +", row) for row in rows[:3]] == [["curl", "1.0", "ok", "–", "–", "–"],
                                                            ["wget", "1.0", "–", "failed", "–", "–"],
                                                            ["newman", "1.0", "skipped", "–", "–", "–"]]
    assert rows[3:] == ["newman: why"]


def test_nothing_is_printed_where_no_client_ran():
    assert table([SimpleNamespace(user_properties=[], when="call", outcome="passed", passed=True, skipped=False)]) == []


def test_readme_tells_of_every_client():
    (rows,) = re.findall(r"^\| your client \|.*\n\|[-|]+\n((?:\|.*\n)+)", README, re.MULTILINE)
    told = " ".join(row.split("|")[1] for row in rows.splitlines()).replace(",", "").lower().split()
    named = {client.name.split()[-1 if client.name.split()[0] in ("Java", "Go", "Ruby") else 0].lower()
             for client in CLIENTS if client is not BY_NAME["the same, proxyTunnel: false"]}
    assert {name for name in named if name not in told} == set()


def test_every_program_is_run():
    used = {Path(word).name for client in CLIENTS for word in client.command}
    compiled = {"client.go", "GetAndPost.java"}
    assert {path.name for path in PROGRAMS.iterdir() if path.is_file()} <= used | compiled

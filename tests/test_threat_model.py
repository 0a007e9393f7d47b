"""Every test that the threat model names exists, and every threat names one."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs/threat-model.md").read_text()
ROWS = [row for row in TEXT.split("## What is defended")[1].split("## ")[0].splitlines() if row.startswith("| ")][1:]


def test_there_are_rows():
    assert len(ROWS) > 15


def test_every_row_names_tests_that_exist():
    for row in ROWS:
        named = re.findall(r"tests/[\w/]+\.py", row.split("|")[3])
        assert named, row
        assert [path for path in named if not (ROOT / path).is_file()] == []

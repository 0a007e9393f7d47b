"""docs/errors.md says what proxy/errors says, and docs/troubleshooting.md what core/diagnosis/causes.py does."""

from __future__ import annotations

import re

import pytest

from proxy.core.diagnosis import CAUSES
from proxy.errors import PROBLEMS
from proxy.wire.limits import Limits, Timeouts
from tests import causes_table
from tests.cli.scripts import SCRIPTS
from tests.e2e.refusals import SCENES
from tests.errors_table import PAGE, sent, written


def test_the_page_is_what_the_table_says():
    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page), "docs/errors.md is out of date: run 'make docs'"


def test_the_page_of_causes_is_what_the_table_says():
    page = causes_table.PAGE.read_text(encoding="utf-8")
    assert page == causes_table.written(page), "docs/troubleshooting.md is out of date: run 'make docs'"


def test_every_cause_is_reproduced():
    """A row of docs/troubleshooting.md without a scene would be a claim that nothing proves."""
    assert SCENES.keys() | SCRIPTS.keys() == CAUSES.keys()


def test_every_code_has_one_row():
    tables = re.findall(r"<!-- (http|command) -->(.*)<!-- end \1 -->", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    rows = [code for _, table in tables
            for code in re.findall(r"^\| (?:\d+ \| )?`([a-z0-9_]+)` \|", table, re.MULTILINE)]
    assert sorted(rows) == sorted(PROBLEMS)


@pytest.mark.parametrize(("group", "settings"), [("limits", Limits), ("timeouts", Timeouts)])
def test_hints_name_settings_that_exist(group, settings):
    named = {name for row in PROBLEMS.values() for name in re.findall(rf"\b{group}\.([a-z_]+)", row.hint)}
    assert named
    assert named <= set(settings.__struct_fields__)


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
def test_a_row_is_well_formed(problem):
    assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z]+)*", problem.code)
    assert problem.status == 0 or 400 <= problem.status <= 599
    assert problem.title.endswith(".")
    assert problem.hint.endswith(".")
    assert "|" not in problem.title + problem.hint
    assert bool(problem.proxy_status) == bool(problem.status)


def test_only_what_happens_after_sending_may_be_uncertain():
    uncertain = {code for code, problem in PROBLEMS.items() if sent(problem) != "no"}
    assert uncertain == {"internal_error", "upstream_closed", "upstream_malformed", "upstream_timeout",
                         "upstream_write_timeout", "destination_closed", "destination_malformed",
                         "destination_no_answer"}

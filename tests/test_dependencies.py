"""Every dependency is one that was chosen: pinned with hashes, in its range, listed with its purpose and its
licence.
"""

from __future__ import annotations

import tomllib

import pytest

from tests.dependencies import (
    DOCUMENT,
    LOCKED,
    ROOT,
    faults_of_document,
    faults_of_installed,
    faults_of_locks,
    pins,
    read_locks,
)

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
HASH = "    --hash=sha256:" + "0" * 64
ONE = f"a==1.0 \\\n{HASH}\n    # via b\n"


def test_the_locks_are_whole():
    assert read_locks().keys() == LOCKED.keys()
    assert [*faults_of_locks(read_locks(), PROJECT)] == []


def test_the_document_lists_each_direct_dependency():
    assert [*faults_of_document((ROOT / DOCUMENT).read_text(), PROJECT)] == []


@pytest.mark.parametrize("text", ["a==1.0\n", "a>=1.0 \\\n" + HASH, "--find-links https://example.test\n" + ONE,
                                  f"a @ https://example.test/a.whl \\\n{HASH}", "a==1.0 \\\n    # via b\n", ONE + ONE])
def test_what_is_not_pinned_is_seen(text):
    assert pins(text)[1] != []


def test_pins_are_read():
    assert pins("# made\n" + ONE) == ({"a": "1.0"}, [])


def test_another_version_is_seen():
    other = ONE.replace("1.0", "2.0")
    project = {"dependencies": ["a>=1.5"], "optional-dependencies": {"dev": []}}
    found = [*faults_of_locks({"requirements.lock": other, "requirements-dev.lock": ONE}, project)]
    assert found == ["requirements-dev.lock: a is 1.0, and 2.0 in requirements.lock",
                     "requirements-dev.lock: pyproject.toml wants a>=1.5, and it has 1.0"]


def test_a_stranger_in_the_environment_is_seen():
    assert [*faults_of_installed({"a": "1.0", "pip": "26"}, {"requirements.lock": ONE})] == []
    assert len([*faults_of_installed({"a": "1.1", "b": "1"}, {"requirements.lock": ONE})]) == 2


def test_a_wrong_list_is_seen():
    rows = "| `pytest` | dev | tests | GPL-3.0 |\n| `nothing` | dev | tests | MIT |\n"
    found = [*faults_of_document(rows, {"dependencies": ["pytest", "click"], "optional-dependencies": {}})]
    assert [fault.partition(": ")[2].split()[0] for fault in found] == ["click", "nothing", "pytest"]
